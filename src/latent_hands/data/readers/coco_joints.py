"""Checks of the keypoints of a COCO file before its hands are read: guesses are announced, faults refused."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64, Shaped

from latent_hands.data.formats.coco_keypoints import contradict, keypoints_of, shares_in_box
from latent_hands.data.formats.numerals import array_of
from latent_hands.data.readers.doubtful import nowhere
from latent_hands.errors import BROKEN, HandsError

UNREAD = {63: "3D joints", 9: "a camera"}
"""Numbers of a label that is not read -> what it may be."""
_READ = {"keypoints", "xyz_mm", "K", "segmentation", "lefthand_kpts", "righthand_kpts"}
_MOST_ENTRIES = 100
VISIBLE = 2
"""The flag of joints that every tool calls visible."""
_LOG = logging.getLogger(__name__)


def announce_joints(annotations: Sequence[dict[str, Any]], path: Path, exported: bool) -> None:
    """Announce flags whose meaning is guessed, joints without a place, and places of joints without label.

    The flags of exported sets are known. Labels that are not numbers are left to the reader of each hand.
    """
    hands = list(_keypoints(annotations))
    if not hands:
        return
    joints = np.concatenate(hands)
    flags = joints[:, 2]
    guessed = flags[(flags > 0) & (flags != VISIBLE)]
    if len(guessed) and not exported:
        _LOG.warning(
            "%s: %d of %d visibility flags are neither 0 nor 2, but %s; flags above 0 count as visible",
            *(path, len(guessed), len(flags), _span(guessed)),
        )
    if unplaced := sum(int(nowhere(each[:, :2], each[:, 2] > 0).sum()) for each in hands):
        _LOG.warning(
            "%s: %d of %d joints are at (0, 0), at (-1, -1) or where others of their hand are; "
            "they count as not labelled, whatever their flags",
            *(path, unplaced, len(flags)),
        )
    placed = (flags == 0) & (joints[:, :2] > 0).all(axis=1)
    if placed.any():
        _LOG.warning(
            "%s: %d of %d joints with the flag 0 have coordinates; they count as not labelled",
            *(path, placed.sum(), (flags == 0).sum()),
        )


def _keypoints(annotations: Sequence[dict[str, Any]]) -> Iterator[Float64[np.ndarray, "21 3"]]:
    for label in annotations:
        try:
            found = keypoints_of(label.get("keypoints"))
        except BROKEN:
            continue
        if found.size == 63:
            yield found.reshape(21, 3)


def _span(numbers: Shaped[np.ndarray, " n"]) -> str:
    """Return "1", or "0.05 to 1" for numbers that differ."""
    return " to ".join(f"{number:g}" for number in np.unique([numbers.min(), numbers.max()]))


def announce_unread(annotations: Sequence[dict[str, Any]], images: Sequence[Any], path: Path) -> None:
    """Announce keys that seem to hold 3D joints or cameras, but are not read."""
    entries = [(each, _READ) for each in annotations[:_MOST_ENTRIES]]
    entries += [(each, set[str]()) for each in images[:_MOST_ENTRIES]]
    found = dict[str, int]()
    for entry, read in entries:
        for key in entry.keys() - read:
            with suppress(*BROKEN):
                found[key] = array_of(entry[key]).size if isinstance(entry[key], list) else 0
    if unread := [f'"{key}" ({UNREAD[size]}?)' for key, size in sorted(found.items()) if size in UNREAD]:
        text = '%s: not read: %s; annotations may have "xyz_mm" in millimetres, and "K" in pixels'
        _LOG.warning(text, path, ", ".join(unread))


def check_boxes(annotations: Sequence[dict[str, Any]], path: Path) -> None:
    """Raise HandsError if most keypoints lie outside of their boxes. Broken labels do not count."""
    shares = list[float]()
    for label in annotations:
        try:
            x, y, width, height = array_of(label.get("bbox")).tolist()
            if min(width, height) > 0:
                shares += shares_in_box((x, y, width, height), label.get("keypoints"))
        except BROKEN:
            continue
    if contradict(shares):
        raise HandsError(
            f'{path}: {np.median(shares):.0%} of the keypoints lie in the "bbox" of their hands (median of '
            f"{len(shares)}), so keypoints or boxes are those of other images or hands, or of another form; "
            "correct the keypoints, or remove boxes that are wrong"
        )
