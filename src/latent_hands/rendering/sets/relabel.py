"""New labels of a rendered set in another joint convention; no image is rendered.

The factors of a set hold everything that places its hands: person, articulation, rotation and palm. The
joints follow from them. Visibility follows from the images of depth and mask.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8

from latent_hands.data.formats.json_file import load_json
from latent_hands.data.formats.rhd_files import DEPTH_RANGE_M, encode_annotations, read_depth_mm, read_parts
from latent_hands.data.readers.reading import SPLITS
from latent_hands.data.readers.rendered_hands import read_records
from latent_hands.data.readers.rendered_record import RECORD, REFITTED
from latent_hands.data.readers.rhd import FIRST_PART, PARTS
from latent_hands.errors import BROKEN, HandsError
from latent_hands.files import link_files, write_bytes
from latent_hands.hand.conventions import CONVENTIONS, read_recorded, recorded
from latent_hands.lock import new_folder
from latent_hands.progress import Progress, silent
from latent_hands.rendering.placed_hand import labels_of_factors
from latent_hands.rendering.scene import plain
from latent_hands.rendering.sets.shots import OCCLUSION_M

SAME_MM = 0.01
"""The labels of the set must follow from its factors within this distance."""
_LABELS = ("factors_", "anno_")
Record = dict[str, Any]


def relabel_rendered(root: Path, out: Path, convention: str, progress: Progress = silent) -> int:
    """Write a rendered set with labels in another joint convention into `out`; return the number of images.

    The images are linked (copied onto another file system), and `root` stays as it is. The labels are those
    of the same set rendered with that convention. `progress` receives each image.

    Raises HandsError for an unknown convention, a folder `out` that is not empty, a set that is no rendered
    one or not finished, counterfactual sets (their images depend on the convention), and labels that do not
    follow from the factors.
    """
    CONVENTIONS.find(convention)
    settings = _settings(root)
    splits = [split for split in SPLITS if (root / split).is_dir()]
    with new_folder(out) as new:
        records = _relabelled(root, splits, _present(str(settings["joints"])), convention, progress)
        for split in splits:
            (new / split).mkdir(parents=True)  # a split may have no image
            link_files(root / split, new / split, lambda path: not path.name.startswith(_LABELS))
            lines = "".join(json.dumps(record) + "\n" for record in records[split])
            write_bytes(new / split / f"factors_{split}.jsonl", lines.encode())
            write_bytes(new / split / f"anno_{split}.pickle", encode_annotations(records[split]))
        settings["joints"] = recorded(convention)
        write_bytes(new / RECORD, (json.dumps(settings, indent=2) + "\n").encode())
    return sum(map(len, records.values()))


def _relabelled(
    root: Path,
    splits: Sequence[str],
    present: str | None,
    convention: str,
    progress: Progress,
) -> dict[str, list[Record]]:
    """Return the records of each split with their new labels."""
    records = {split: list(read_records(root, split)) for split in splits}
    total, done = sum(map(len, records.values())), 0
    for split in splits:
        if not (root / split / f"anno_{split}.pickle").is_file():
            raise HandsError(
                f"{root} is not finished: {split} has no annotation; finish `latent-hands render`"
            )
        for record in records[split]:
            _relabel(root / split, record, present, convention)
            done += 1
            progress("labelling", done, total)
    return records


def _settings(root: Path) -> Record:
    """Return the content of rendered.json."""
    if not (root / RECORD).is_file():
        raise HandsError(f"{root} is no set of `latent-hands render`: it has no {RECORD}")
    settings = load_json(root / RECORD)
    if not isinstance(settings, dict) or "joints" not in settings:
        raise HandsError(f"{root / RECORD} does not name the convention of its joints")
    if settings.get("kind") == "counterfactual":
        raise HandsError(
            f"{root} is a counterfactual set, whose images depend on the convention: render it anew"
        )
    if settings.get("kind") == "synthesised":
        raise HandsError(
            f"{root} is a synthesised set, whose hands have no skeleton: use a run of that convention"
        )
    return settings


def _present(text: str) -> str | None:
    """Return the convention of a set, or None if this version has not the table that placed its joints."""
    try:
        return None if text in REFITTED else read_recorded(text, RECORD)
    except HandsError:
        return None


def _relabel(folder: Path, record: Record, present: str | None, convention: str) -> None:
    """Replace the labels of a record's hands. `present` is the convention of the labels, if it is known."""
    try:
        K, planes = np.array(record["K"]), _Planes.read(folder, str(record["name"]))
        for hand in record.get("hands", [record]):
            old_m, old_px = np.array(hand["xyz_m"], np.float32), np.array(hand["uv_px"], np.float32)
            if present is not None:
                again_m, _ = labels_of_factors(hand, K, present)
                _check(again_m, old_m, f"image {record['name']} of {folder}")
            new_m, new_px = labels_of_factors(hand, K, convention)
            visible, inside = planes.visible(hand["side"], new_m, new_px)
            # In whole images the mask does not tell an arm from other things: then the old label counts.
            explained = planes.visible(hand["side"], old_m, old_px)[0] == hand["visible"]
            hand["visible"] = plain(np.where(explained, visible, inside & hand["visible"]))
            hand["xyz_m"], hand["uv_px"] = plain(new_m), plain(new_px)
            if "box_px" in hand:
                low, high = new_px.min(0), new_px.max(0)
                hand["box_px"] = plain(np.concatenate([low + np.float32(0.5), high - low]))
    except HandsError:
        raise
    except BROKEN as error:
        raise HandsError(f"image {record.get('name')} of {folder} has broken factors: {error!r}") from error


def _check(again_m: Float32[np.ndarray, "21 3"], found_m: Float32[np.ndarray, "21 3"], where: str) -> None:
    """Raise HandsError if labels do not follow from the factors."""
    if (error_mm := 1000 * float(np.abs(again_m - found_m).max())) > SAME_MM:
        raise HandsError(
            f"{where}: the labels do not follow from the factors (difference {error_mm:.3g} mm): another "
            "version of the hand model rendered this set; render it anew"
        )


@dataclass(frozen=True)
class _Planes:
    """Mask and depth (metres, infinite for the background) of an image."""

    mask: UInt8[np.ndarray, "s s"]
    depth_m: Float[np.ndarray, "s s"]

    @staticmethod
    def read(folder: Path, name: str) -> "_Planes":
        mask = read_parts(folder / "mask" / f"{name}.png")
        depth_m = read_depth_mm(folder / "depth" / f"{name}.png") / 1000
        return _Planes(mask, np.where(depth_m < DEPTH_RANGE_M - 1e-3, depth_m, np.inf))

    def visible(
        self, side: str, xyz_m: Float32[np.ndarray, "21 3"], uv_px: Float32[np.ndarray, "21 2"]
    ) -> tuple[Bool[np.ndarray, "21"], Bool[np.ndarray, "21"]]:
        """Return which joints of a hand are visible (see `shots.visible_joints`), and which are inside."""
        size = len(self.mask)
        column, row = np.round(uv_px).astype(int).T
        inside = (column >= 0) & (row >= 0) & (column < size) & (row < size)
        row, column = row.clip(0, size - 1), column.clip(0, size - 1)
        first = FIRST_PART[side]
        part = self.mask[row, column].astype(int)
        own = (part >= first) & (part < first + PARTS)
        limit_m = np.select([own, part == 1], [np.inf, OCCLUSION_M], 0)
        return inside & ~(xyz_m[:, 2] - self.depth_m[row, column] > limit_m), inside
