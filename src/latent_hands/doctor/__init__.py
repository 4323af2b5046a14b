"""The doctor of data sets: which conventions labels follow, whether they are read as such, what is broken."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from latent_hands.data.readers.reading import SPLITS
from latent_hands.doctor.diagnosis import diagnose
from latent_hands.doctor.files import Looked, Problem, look_at, read_splits, same_images, same_poses
from latent_hands.doctor.labels import Verdict, is_hand, labels_of

__all__ = ["Problem", "Report", "Verdict", "check_data"]


@dataclass(frozen=True)
class Report:
    """What was found. counts: per split; verdicts: per convention; notes: neither right nor wrong."""

    counts: dict[str, dict[str, Any]]
    verdicts: list[Verdict]
    problems: list[Problem]
    notes: list[str]
    looked: list[Looked]

    def to_json(self) -> dict[str, Any]:
        """All of it in plain containers, but for the samples."""
        return {
            "healthy": not self.problems,
            "splits": self.counts,
            "conventions": [asdict(verdict) for verdict in self.verdicts],
            "problems": [asdict(problem) for problem in self.problems],
            "notes": self.notes,
        }


def check_data(
    name: str,
    root: Path,
    splits: Sequence[str] = SPLITS,
    limit: int | None = None,
    advance: Callable[[str, int, int], None] = lambda *_: None,
) -> Report:
    """Read everything that is there, to the end, and say what it is and what is wrong with it.

    `limit` looks at the first so many samples of a split; `advance` is told (split, done, all). Raises
    HandsError for an unknown set and for a folder where no split of it is.
    """
    read, problems, notes = read_splits(name, root, splits, limit)
    looked: list[Looked] = []
    for split, samples in read.items():
        seen, told = look_at(samples, split, advance)
        looked += seen
        problems += told
    problems += [
        Problem("label", each.name, "all 3D joints lie at one point: there is no hand")
        for each in looked
        if each.sample.xyz_mm is not None and not is_hand(each.sample)
    ]
    verdicts: list[Verdict] = []
    labels = labels_of([(each.name, each.sample, each.size_px) for each in looked])
    if labels is not None:
        unlike = np.array([each.unlike for each in looked if is_hand(each.sample)])
        verdicts, outliers = diagnose(labels, unlike)
        problems += [
            Problem("convention", verdict.topic, verdict.wrong) for verdict in verdicts if verdict.wrong
        ]
        problems += [Problem("outlier", *outlier) for outlier in outliers]
    else:
        notes.append("no 3D joints are labelled: conventions cannot be told")
    copied, shared = _copies(looked)
    counts = {split: _count([each for each in looked if each.split == split]) for split in read}
    return Report(counts, verdicts, problems + copied, notes + shared, looked)


def _count(looked: Sequence[Looked]) -> dict[str, Any]:
    samples = [each.sample for each in looked]
    visible = [sample.visible for sample in samples if sample.visible is not None]
    sizes = Counter(f"{width}x{height}" for width, height in (each.size_px for each in looked))
    return {
        "samples": len(samples),
        "labelled": sum(sample.xyz_mm is not None for sample in samples),
        "left": sum(sample.side == "left" for sample in samples),
        "right": sum(sample.side == "right" for sample in samples),
        "visible_joints": int(sum(each.sum() for each in visible)),
        "joints": 21 * len(visible),
        "sizes_px": dict(sizes.most_common()),
    }


def _copies(looked: Sequence[Looked]) -> tuple[list[Problem], list[str]]:
    """Images that are there twice are a problem, and so are poses of one split in another."""
    images, poses = same_images(looked), same_poses(looked)
    problems = [Problem("copy", names[0], f"the same image as {', '.join(names[1:])}") for names in images]
    across = [names for names in poses if len({name.partition("/")[0] for name in names}) > 1]
    problems += [Problem("copy", names[0], f"the same pose as {', '.join(names[1:])}") for names in across]
    within = sum(map(len, poses)) - sum(map(len, across))
    groups = len(poses) - len(across)
    return problems, [f"{within} samples share {groups} poses within their split"] if within else []
