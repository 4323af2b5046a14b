"""The doctor of data sets: the conventions that labels follow, and what is broken.

`check` examines samples, `check_set` a data set on disk. Both return a `Report`:

>>> report = check(samples)                # doctest: +SKIP
>>> [problem.message for problem in report.problems]    # doctest: +SKIP
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from latent_hands.data import Sample
from latent_hands.data.label_places import check_in_images
from latent_hands.data.readers.reading import SPLITS
from latent_hands.doctor.diagnosis import diagnose
from latent_hands.doctor.files import Inspected, Problem, find_copies, inspect, read_splits
from latent_hands.doctor.labels import Verdict, is_hand, labels_of
from latent_hands.doctor.outliers import Outlier
from latent_hands.doctor.places import find_place
from latent_hands.errors import HandsError, counted, did_you_mean
from latent_hands.hand.conventions import CONVENTIONS, UNTABLED
from latent_hands.progress import Progress, silent

__all__ = ["Inspected", "Problem", "Report", "Verdict", "check", "check_set"]


@dataclass(frozen=True)
class Report:
    """The result of a check.

    Attributes:
        problems: what is wrong; empty if nothing is.
        verdicts: the convention that the labels follow, for each topic (order, unit, axes, root, side, ...).
        notes: observations that are not problems.
        counts: numbers of samples, labels and joints by split.
        inspected: the samples whose images could be read.
    """

    counts: dict[str, dict[str, Any]]
    verdicts: list[Verdict]
    problems: list[Problem]
    notes: list[str]
    inspected: list[Inspected]

    def __repr__(self) -> str:
        """Return one line: the numbers of samples, problems and notes."""
        numbers = ", ".join(counted(len(getattr(self, name + "s")), name) for name in ("problem", "note"))
        numbers = f"{counted(len(self.inspected), 'sample')}, {numbers}"
        return f"Report({numbers})"

    def to_json(self) -> dict[str, Any]:
        """Return the report without the samples, as dicts, lists, strings and numbers."""
        return {
            "healthy": not self.problems,
            "splits": self.counts,
            "conventions": [asdict(verdict) for verdict in self.verdicts],
            "problems": [asdict(problem) for problem in self.problems],
            "notes": self.notes,
        }


def check(samples: Sequence[Sample] | Mapping[str, Sequence[Sample]], progress: Progress = silent) -> Report:
    """Examine samples: the conventions of their labels, their files, outliers and copies.

    `samples` is one sequence, or several by the name of their split. Every image of the samples is read.
    Conventions are decided by what most hands have in common; see `doctor.diagnosis`.
    """
    splits = samples if isinstance(samples, Mapping) else {"samples": samples}
    return _check(splits, [], [], progress)


def check_set(
    name: str,
    root: Path,
    splits: Sequence[str] = SPLITS,
    limit: int | None = None,
    progress: Progress = silent,
) -> Report:
    """Examine a data set on disk, to its end, as `check` does; also report what its reader cannot read.

    `name` is the name of a reader, `root` the folder. `limit` is the number of samples to read from each
    split. A split that does not exist is a note. Raises HandsError for an unknown reader, a packed store, a
    limit below 1, and a folder without any of the splits.
    """
    return _check(*read_splits(name, root, splits, limit), progress)


def _check(
    splits: Mapping[str, Sequence[Sample]], problems: list[Problem], notes: list[str], progress: Progress
) -> Report:
    inspected: list[Inspected] = []
    for split, samples in splits.items():
        found, broken = inspect(samples, split, progress)
        inspected += found
        problems += broken
    problems += [
        Problem("label", each.name, "all 3D joints lie at one point, so it is not a hand")
        for each in inspected
        if each.sample.xyz_mm is not None and not is_hand(each.sample)
    ]
    verdicts, outliers, misplaced = list[Verdict](), list[Outlier](), list[Problem]()
    labels = labels_of([(each.name, each.sample, each.size_px) for each in inspected])
    if labels is not None:
        spread = np.array([each.colour_spread for each in inspected if is_hand(each.sample)])
        verdicts, outliers = diagnose(labels, spread)
    else:
        notes.append("no sample has 3D joints, so the conventions are unknown")
        misplaced = _in_images(inspected)
    if not misplaced and not any(verdict.wrong for verdict in verdicts):
        verdicts += _places(inspected)
    problems += misplaced
    problems += [Problem("convention", each.topic, each.wrong) for each in verdicts if each.wrong]
    problems += [*_unknown_conventions(inspected), *_missing_sides(inspected)]
    notes += _different_conventions(inspected)
    problems += [Problem("outlier", *outlier) for outlier in outliers]
    copies, shared = find_copies(inspected)
    counts = {split: _count([each for each in inspected if each.split == split]) for split in splits}
    return Report(counts, verdicts, problems + copies, notes + shared, inspected)


def _unknown_conventions(inspected: Sequence[Inspected]) -> list[Problem]:
    """Return a problem for each joint convention that does not exist: its labels are not translated."""
    known = {*CONVENTIONS, *UNTABLED}
    stated = Counter(each.sample.convention for each in inspected if each.sample.convention is not None)
    return [
        Problem(
            "convention",
            "joints",
            f'{count:,} hand{"s" * (count > 1)} with the unknown joint convention "{name}"; '
            f"{did_you_mean(name, known)}. extend.register_convention adds one",
        )
        for name, count in stated.items()
        if name not in known
    ]


def _different_conventions(inspected: Sequence[Inspected]) -> list[str]:
    """Return a note if the hands state different joint conventions, or only some of them state one."""
    stated = Counter(each.sample.convention or "none stated" for each in inspected if each.sample.present)
    counts = ", ".join(f"{name} {count:,}" for name, count in sorted(stated.items()))
    text = f"hands by joint convention: {counts}; training and evaluation take them as unknown"
    return [text] if len(stated) > 1 else []


def _missing_sides(inspected: Sequence[Inspected]) -> list[Problem]:
    """Return the problem of hands without a side among others with one, which nothing trains on or scores."""
    sides = [each.sample.handedness for each in inspected if each.sample.xyz_mm is not None]
    missing = sides.count(None)
    if not 0 < missing < len(sides):
        return []
    message = (
        f"{missing:,} of {len(sides):,} hands with 3D joints have no side; training and evaluation need it"
    )
    return [Problem("label", "side", message)]


def _places(inspected: Sequence[Inspected]) -> list[Verdict]:
    """Return where the joints lie in the images, if these tell it."""
    found = find_place(np.stack([each.place_contrast for each in inspected])) if inspected else None
    return [] if found is None else [found]


def _in_images(inspected: Sequence[Inspected]) -> list[Problem]:
    """Return the problem of 2D joints that contradict their images, if most hands have it."""
    placed = [(each.sample, each.size_px) for each in inspected if each.sample.uv_px is not None]
    try:
        if placed:
            check_in_images(placed)
    except HandsError as error:
        return [Problem("convention", "2D joints", str(error))]
    return []


def _count(inspected: Sequence[Inspected]) -> dict[str, Any]:
    samples = [each.sample for each in inspected]
    visible = [sample.visible for sample in samples if sample.visible is not None]
    sizes = Counter(f"{width}x{height}" for width, height in (each.size_px for each in inspected))
    return {
        "samples": len(samples),
        "labelled": sum(sample.xyz_mm is not None for sample in samples),
        "left": sum(sample.handedness == "left" for sample in samples),
        "right": sum(sample.handedness == "right" for sample in samples),
        "visible_joints": int(sum(each.sum() for each in visible)),
        "joints": 21 * len(visible),
        "sizes_px": dict(sizes.most_common()),
    }
