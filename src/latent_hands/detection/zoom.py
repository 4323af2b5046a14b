"""Small hands: a detector also reads enlarged parts of an image. This module does without torch."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from latent_hands.detection.detection import Detection, show_one_hand
from latent_hands.detection.letterbox import Rgb, square_px
from latent_hands.errors import HandsError
from latent_hands.hand.boxes import Box

ZOOMS = (1, 2, 4)
"""How much the parts of an image can be enlarged. 1 is the whole image alone."""
LARGEST, MARGIN = 0.45, 0.02
"""Largest side of a hand that is searched in a part, and its least distance from a border that cuts it,
over the side of the part. Parts overlap by half, so each such hand lies in one with this distance."""

Detect = Callable[[Rgb], Sequence[Detection]]


def check_zoom(zoom: int) -> int:
    """Return a zoom. Raises HandsError unless it is one of `ZOOMS`."""
    if isinstance(zoom, bool) or zoom not in ZOOMS:
        raise HandsError(f"zoom is {zoom!r}; it must be 1, 2 or 4")
    return int(zoom)


def check_no_zoom(zoom: int) -> None:
    """Raise HandsError for a zoom other than 1 beside given boxes: it would have no effect."""
    if check_zoom(zoom) != 1:
        raise HandsError(f"zoom is {zoom}, but nothing is searched where boxes are given: leave one out")


def detect_enlarged(detect: Detect, rgb: Rgb, zoom: int) -> list[Detection]:
    """Return the hands of an image and of its enlarged parts, the highest score first.

    With `zoom` 2, hands of half the size are found, too, and with 4 those of a quarter. The parts of each
    level are squares that overlap by half. Hands that a part cuts, and hands of about half its size or more,
    are left to the other parts and to the whole image.
    """
    found = list(detect(rgb))
    if zoom == 1:
        return found
    size_px = rgb.shape[:2]
    for level in ZOOMS[1 : ZOOMS.index(zoom) + 1]:
        for left, top, side in parts(size_px, level):
            part = np.ascontiguousarray(rgb[top : top + side, left : left + side])
            inside = [each for each in detect(part) if max(each.box_px[2:]) <= LARGEST * side]
            moved = [replace(each, box_px=_moved(each.box_px, left, top)) for each in inside]
            found += [each for each in moved if not _is_cut(each.box_px, (left, top, side), size_px)]
    return distinct(found)


def parts(size_px: tuple[int, int], level: int) -> Iterator[tuple[int, int, int]]:
    """Yield the squares (left, top, side) of an image of (height, width) `size_px`, which overlap by half.

    Their side is that of the squares in which the image is read, over `level`.
    """
    height, width = size_px
    side = min(math.ceil(square_px(size_px) / level), *size_px)
    for top in _starts(height, side):
        for left in _starts(width, side):
            yield left, top, side


def distinct(detections: Sequence[Detection]) -> list[Detection]:
    """Return the detections, the highest score first, without those of a hand that a higher one shows."""
    kept: list[Detection] = []
    for each in sorted(detections, key=lambda detection: (-detection.score, detection.box_px)):
        if not any(show_one_hand(each.box_px, other.box_px) for other in kept):
            kept.append(each)
    return kept


def _starts(length: int, side: int) -> list[int]:
    count = math.ceil((length - side) / (side / 2)) + 1
    return np.linspace(0, length - side, count).round().astype(int).tolist()


def _moved(box: Box, left: int, top: int) -> Box:
    return box[0] + left, box[1] + top, box[2], box[3]


def _is_cut(box: Box, part: tuple[int, int, int], size_px: tuple[int, int]) -> bool:
    """Return whether a box reaches a border of a part that is not a border of the image."""
    (x, y, w, h), (left, top, side), (height, width) = box, part, size_px
    low, high = MARGIN * side, (1 - MARGIN) * side
    across = (x < left + low and left > 0) or (x + w > left + high and left + side < width)
    return across or (y < top + low and top > 0) or (y + h > top + high and top + side < height)
