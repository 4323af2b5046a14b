"""Scores of hands found in whole images, with bootstrap intervals over images."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from whole_image_sets import TrueHand, WholeImage, joint_error

from latent_hands.evaluation.metrics import bootstrap_counts, interval_95
from latent_hands.hand.boxes import Box, box_of_joints, iou

LEAST_IOU = 0.5
LOOSE_IOU = 0.3
SOME_IOU = 0.1
"""A found hand that overlaps a labelled hand less than this is one too many."""


@dataclass(frozen=True)
class Found:
    """A hand that a program found.

    handedness: "left" or "right".
    uv_px: (21, 2) joints in RHD's order, with the wrist as joint 0.
    pose: (21, 3) joints in the camera's axes, RHD's order, palm form, in any unit.
    palm_z_bones: depth of the palm in lengths of the middle bone; NaN if the program does not measure it.
    """

    handedness: str
    uv_px: np.ndarray
    pose: np.ndarray
    palm_z_bones: float = float("nan")

    @property
    def box(self) -> Box:
        """The box of the joints."""
        return box_of_joints(self.uv_px)


def match(hands: Sequence[TrueHand], found: Sequence[Found], least: float = LEAST_IOU) -> list[Found | None]:
    """Return the found hand of each labelled hand, None for missed ones; the largest IoU is served first."""
    pairs = [(iou(hand.box, each.box), i, k) for i, hand in enumerate(hands) for k, each in enumerate(found)]
    result: list[Found | None] = [None] * len(hands)
    taken: set[int] = set()
    for overlap, i, k in sorted(pairs, reverse=True):
        if overlap >= least and result[i] is None and k not in taken:
            result[i] = found[k]
            taken.add(k)
    return result


def score(images: Sequence[WholeImage], found: Sequence[Sequence[Found]]) -> dict[str, Any]:
    """Return the scores of a program on images with hands, each with its 95 % interval.

    Keys: recall (share of the hands that are found with an IoU of 0.5), recall_loose (the same of 0.3), side
    (share of correct handedness among the hands found), error (2D, see `joint_error`), error_px (the same in
    pixels), too_many (found hands per image beyond the labelled ones), and the numbers of hands and images.
    """
    rows = [_row(image, each) for image, each in zip(images, found, strict=True)]
    total = np.array(rows)
    names = {"recall": (1, 0), "side": (3, 2), "error": (5, 4), "error_px": (6, 4), "recall_loose": (8, 0)}
    result: dict[str, Any] = {"images": len(images), "hands": int(total[:, 0].sum())}
    for name, (above, below) in names.items():
        if total[:, below].sum() > 0:
            result |= _ratio(name, total[:, above], total[:, below])
    result |= _ratio("too_many", total[:, 7], np.ones(len(total)))
    return result | {"hands_too_many": int(total[:, 7].sum())}


def false_alarms(images: Sequence[WholeImage], found: Sequence[Sequence[Found]]) -> dict[str, Any]:
    """Return the share of images without hands in which a program finds one, with its 95 % interval.

    "kinds" has the same for each kind of image, the name of its file up to the first underscore: (images
    with hands, images).
    """
    wrong = np.array([float(bool(each)) for each in found])
    kinds = np.array([image.file.stem.partition("_")[0] for image in images])
    counts = {str(kind): [int(wrong[kinds == kind].sum()), int((kinds == kind).sum())] for kind in set(kinds)}
    return {
        "images": len(found),
        "with_hands": int(wrong.sum()),
        "kinds": counts,
        "files": [image.file.name for image, each in zip(images, found, strict=True) if each],
    } | _ratio("share", wrong, np.ones(len(wrong)))


def joint_errors(images: Sequence[WholeImage], found: Sequence[Sequence[Found]]) -> np.ndarray:
    """Return the 2D error of every hand that counts, NaN where it is not found."""
    errors = []
    for image, each in zip(images, found, strict=True):
        partners = match(image.hands, each)
        errors += [
            float("nan") if other is None else joint_error(hand, other.uv_px)
            for hand, other in zip(image.hands, partners, strict=True)
            if hand.counts
        ]
    return np.array(errors)


def mean_interval(values: np.ndarray) -> dict[str, Any]:
    """Return the mean of values and its 95 % interval."""
    return _ratio("mean", values, np.ones(len(values))) | {"count": len(values)}


def _row(image: WholeImage, found: Sequence[Found]) -> list[float]:
    """Return the sums of an image.

    They are: hands, found ones; labelled sides, correct ones; hands with labelled joints, their errors,
    the same in pixels; hands too many; hands found loosely.
    """
    partners = match(image.hands, found)
    pairs = [(h, f) for h, f in zip(image.hands, partners, strict=True) if h.counts and f is not None]
    sides = [hand.handedness == each.handedness for hand, each in pairs if hand.handedness]
    errors = [(joint_error(hand, each.uv_px), max(hand.box[2:])) for hand, each in pairs]
    errors = [(error, error * side_px) for error, side_px in errors if np.isfinite(error)]
    share, pixels = (sum(each) for each in zip(*errors, strict=True)) if errors else (0.0, 0.0)
    beyond = sum(not _known(each, image.hands, partners) for each in found)
    loose = match(image.hands, found, LOOSE_IOU)
    loosely = sum(h.counts and f is not None for h, f in zip(image.hands, loose, strict=True))
    counted = sum(hand.counts for hand in image.hands)
    return [counted, len(pairs), len(sides), sum(sides), len(errors), share, pixels, beyond, loosely]


def _known(each: Found, hands: Sequence[TrueHand], partners: Sequence[Found | None]) -> bool:
    """Return whether a found hand belongs to a labelled one that no other found hand belongs to."""
    if any(each is partner for partner in partners):
        return True
    free = [hand for hand, partner in zip(hands, partners, strict=True) if partner is None or not hand.counts]
    return any(iou(hand.box, each.box) >= SOME_IOU for hand in free)


def _ratio(name: str, above: np.ndarray, below: np.ndarray) -> dict[str, Any]:
    counts = bootstrap_counts(len(above))
    numerator, denominator = (
        counts @ torch.from_numpy(above).double(),
        counts @ torch.from_numpy(below).double(),
    )
    return {
        name: float(above.sum() / below.sum()),
        f"{name}_interval": list(interval_95(numerator / denominator)),
    }
