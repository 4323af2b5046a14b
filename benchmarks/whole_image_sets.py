"""Whole images with the hands that a program must find: real data sets, and images without hands."""

import json
import zlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from latent_hands.data import Sample, open_data
from latent_hands.hand.boxes import Box, box_of_joints

LEAST_SIDE_PX = 30
LEAST_VISIBLE = 11
HELD_OUT = 5
"""One group of photographs in so many is held out."""
ENDINGS = (".jpg", ".jpeg", ".png")


@dataclass(frozen=True)
class TrueHand:
    """A labelled hand of an image.

    box: its box, of all joints or as drawn.
    counts: whether it must be found. Finding another one is neither right nor wrong.
    sample: its labels, None if only the box is labelled.
    handedness: "left" or "right", None if it is not labelled.
    """

    box: Box
    counts: bool = True
    sample: Sample | None = None
    handedness: str | None = None


@dataclass(frozen=True)
class WholeImage:
    """An image file and all labelled hands in it."""

    file: Path
    hands: tuple[TrueHand, ...] = ()


def rhd(root: Path) -> list[WholeImage]:
    """Return RHD's evaluation images. Hands count from 30 px on, with at least 11 visible joints."""
    return _of_samples(open_data("rhd-hands", root, "evaluation"))


def ge2019(root: Path) -> list[WholeImage]:
    """Return the photographs of Ge et al. (2019), each of one left hand."""
    return _of_samples(open_data("ge2019", root, "evaluation"))


def rendered(root: Path) -> list[WholeImage]:
    """Return the evaluation images with hands of a rendered set; hands count as in `rhd`."""
    return _of_samples(open_data("rendered-hands", root, "evaluation"))


def photographs(
    root: Path, folder: str, by_file: bool, sides: dict[str, list[str | None]]
) -> list[WholeImage]:
    """Return the held-out photographs of a folder of `photographs.json`, with the drawn boxes.

    A fifth of the groups is held out, or of the files: those whose CRC-32 is a multiple of 5. `sides` may
    have the handedness of each box of a file.
    """
    listed = json.loads((root / "photographs.json").read_text())
    chosen = [each for each in listed if each["file"].startswith(f"{folder}/") and each["boxes"] is not None]
    held_out = [
        each for each in chosen if zlib.crc32(each["file" if by_file else "group"].encode()) % HELD_OUT == 0
    ]
    images = []
    for each in held_out:
        known = sides.get(each["file"], [None] * len(each["boxes"]))
        hands = (
            TrueHand((x, y, w, h), handedness=side)
            for (x, y, w, h), side in zip(each["boxes"], known, strict=True)
        )
        images.append(WholeImage(root / each["file"], tuple(hands)))
    return images


def empty(root: Path) -> list[WholeImage]:
    """Return all JPEG and PNG files below a folder of images without hands."""
    return [WholeImage(file) for file in sorted(root.rglob("*")) if file.suffix.lower() in ENDINGS]


def _of_samples(samples: Iterable[Sample]) -> list[WholeImage]:
    hands: dict[Path, list[TrueHand]] = defaultdict(list)
    for sample in samples:
        assert sample.uv_px is not None
        box = box_of_joints(sample.uv_px)
        counts = sample.visible_or_all.sum() >= LEAST_VISIBLE and max(box[2:]) >= LEAST_SIDE_PX
        hands[sample.image].append(TrueHand(box, bool(counts), sample, sample.handedness))
    return [WholeImage(file, tuple(each)) for file, each in hands.items()]


def joint_error(hand: TrueHand, uv_px: np.ndarray) -> float:
    """Return the mean distance of the visible joints, in wrist form, over the larger side of the box."""
    if hand.sample is None or hand.sample.uv_px is None:
        return float("nan")
    visible = hand.sample.visible_or_all
    apart = np.linalg.norm(uv_px - hand.sample.uv_px, axis=1)[visible]
    return float(apart.mean() / max(hand.box[2:]))
