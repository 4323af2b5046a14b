"""A labelled box: where a hand is in an image, and which hand it is."""

import logging
import math
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from latent_hands.data.formats.numerals import number_of
from latent_hands.errors import BROKEN, HandsError, counted
from latent_hands.hand.boxes import Box
from latent_hands.hand.handedness import Handedness

FORM = "x,y,width,height in pixels from the image's upper left corner"
LEAST_PX = 1.0
"""The least width and height of a box."""
FARTHEST_PX = 100_000.0
"""The largest number in a box whose image is not known."""
LARGEST = 4
"""The largest width and height of a box, in longer sides of its image."""


_LOG = logging.getLogger(__name__)
_HANDS = {"hand", "hands"}
_INITIALS = {"l": "left", "r": "right"}
SIDE_COLUMNS = ("handedness", "side", "hand")
"""Columns of tables that may state the side. The tables of `estimate` have the number of a hand in "hand"."""


class BoxLabel(NamedTuple):
    """A box around one hand.

    Attributes:
        box: (x, y, width, height) in pixels from the image's upper left corner: the smallest rectangle
            around the hand.
        handedness: "left" or "right"; None if the file does not say it.
    """

    box: Box
    handedness: Handedness | None = None


def check_box(numbers: object, where: str, size_px: tuple[int, int] | None = None) -> Box:
    """Return four numbers as a box.

    `where` names the box in errors; `size_px` is the (width, height) of its image.

    Raises HandsError unless these are finite numbers, width and height are at least 1 pixel, the numbers are
    pixels and not shares of the image, and the box has a size and a place that fit the image.
    """
    try:
        if isinstance(numbers, str | bytes | Mapping):
            raise TypeError("they are no list")
        x, y, width, height = map(number_of, numbers)  # pyright: ignore[reportArgumentType]
    except BROKEN as error:
        raise HandsError(f"{where} is {numbers}; it must be {FORM}") from error
    box = x, y, width, height
    if not all(map(math.isfinite, box)):
        raise HandsError(f"{where} is {_text(box)}; it must be {FORM}, and finite")
    if max(map(abs, box)) <= 1 and min(width, height) > 0:
        raise HandsError(
            f"{where} is {_text(box)}, which are shares of the image; it must be {FORM}: "
            "multiply x and width by the image's width, y and height by its height"
        )
    if min(width, height) < LEAST_PX:
        raise HandsError(f"{where} is {_text(box)}; its width and height must be at least 1 pixel")
    _check_place(box, where, size_px)
    return box


def _check_place(box: Box, where: str, size_px: tuple[int, int] | None) -> None:
    """Raise HandsError for a box that is too large or too far away."""
    if size_px is None:
        if max(map(abs, box)) > FARTHEST_PX:
            raise HandsError(
                f"{where} is {_text(box)}; its numbers must be at most {FARTHEST_PX:,.0f} pixels"
            )
        return
    (x, y, width, height), (image_width, image_height) = box, size_px
    image = f"the image of {image_width}x{image_height} pixels"
    if x >= image_width or y >= image_height or x + width <= 0 or y + height <= 0:
        raise HandsError(f"{where} is {_text(box)}, which lies outside {image}")
    if max(width, height) > (largest := LARGEST * max(size_px)):
        raise HandsError(
            f"{where} is {_text(box)}, which is too large for {image}; "
            f"its width and height must be at most {largest} pixels"
        )


def side_of(name: object) -> Handedness | None:
    """Return the side that a class or a field names, such as "Left hand" or "hand_right"; None without one.

    >>> side_of("Left hand"), side_of("hand_right"), side_of("hand_l"), side_of("R"), side_of("fist")
    ('left', 'right', 'left', 'right', None)
    """
    words = _words(name)
    if len(words - _HANDS) == 1:  # "L" or "hand_l", but not "L shape"
        words = {_INITIALS.get(word, word) for word in words}
    if ("left" in words) != ("right" in words):
        return "left" if "left" in words else "right"
    return None


def _words(name: object) -> set[str]:
    """Return the words of a name, in small letters: "LeftHand", "left_hand" and "lefthand" have the same.

    A handle and a handbag are no hands.
    """
    apart = re.sub(r"([a-z])([A-Z])", r"\1 \2", str(name)).lower()
    apart = re.sub(r"\b(left|right)(hands?)\b|\b(hands?)(left|right)\b", r"\1\3 \2\4", apart)
    return set(re.findall(r"[a-z]+", apart))


def hand_classes(names: Mapping[int, str] | Sequence[str]) -> dict[int, Handedness | None]:
    """Return the classes that are hands, by number, with their sides.

    If a name mentions a hand or a side, only such classes are hands; otherwise all classes are, for example
    those of gestures.
    """
    named = dict(names.items() if isinstance(names, Mapping) else enumerate(names))
    hands = {number for number, name in named.items() if _words(name) & _HANDS or side_of(name)}
    return {number: side_of(name) for number, name in named.items() if number in hands or not hands}


def announce_classes(names: Mapping[int, str], where: object) -> None:
    """Announce that boxes of all classes are taken for hands, if no name mentions hands."""
    if names and not any(_words(name) & _HANDS or side_of(name) for name in names.values()):
        some = ", ".join([*names.values()][:5]) + (", .." if len(names) > 5 else "")
        _LOG.warning("%s: no class mentions hands, so all boxes are read as hands, those of %s", where, some)


def announce_turned(count: int, where: object) -> None:
    """Announce that images are turned, so that boxes of the stored images would be wrong."""
    if count:
        _LOG.warning(
            "%s: the EXIF orientation turns or mirrors %s; boxes must be in images as they "
            "are shown, not as they are stored",
            *(where, counted(count, "image")),
        )


def check_side(text: object, where: str) -> Handedness | None:
    """Return a side, or None for an empty text, None or "unknown". Raises HandsError for anything else."""
    side = str(text if text is not None else "").strip().lower()
    if side == "left" or side == "right":
        return side
    if side in ("", "unknown"):
        return None
    raise HandsError(f'{where} has the handedness "{text}"; it must be left, right, or empty if not known')


def side_cells(row: Mapping[str, str]) -> list[str]:
    """Return what the columns of a line say about the side of its hand, that of "handedness" first."""
    return [cell for name in SIDE_COLUMNS if (cell := row.get(name)) and not cell.isdecimal()]


def side_of_row(row: Mapping[str, str], where: str) -> Handedness | None:
    """Return the side in a line of a table. Raises HandsError for two sides, and as `check_side` does."""
    cells = side_cells(row)
    side = check_side(cells[0], where) if cells else None
    if any(side_of(other) not in (None, side) for other in cells):
        raise HandsError(f"{where} has the sides {', '.join(cells)}; keep one of them")
    return side


def _text(box: Box) -> str:
    return ",".join(f"{number:g}" for number in box)
