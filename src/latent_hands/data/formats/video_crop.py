"""The part of the frames that a file states as shown: cropping of Matroska, clean aperture of MP4 and MOV."""

import io
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from latent_hands.errors import HandsError
from latent_hands.shapes import UInt8

_PARENTS = (0x18538067, 0x1654AE6B, 0xAE, 0xE0)
"""Matroska's elements that contain others: the segment, its tracks, a track, and how its images are shown."""
_CROPS = (0x54BB, 0x54AA, 0x54CC, 0x54DD)
"""Its elements of cropping: top, bottom, left, right."""


class Crop(NamedTuple):
    """The rows and columns of a frame that are not shown."""

    top: int = 0
    bottom: int = 0
    left: int = 0
    right: int = 0

    def shown(self, rgb: UInt8[np.ndarray, "_ _ 3"], size_px: tuple[int, int]) -> UInt8[np.ndarray, "_ _ 3"]:
        """Return the part of an image that is shown. Its frame was decoded as (height, width) `size_px`.

        Raises HandsError if nothing is shown.
        """
        if not any(self):
            return rgb
        down, across = rgb.shape[0] / size_px[0], rgb.shape[1] / size_px[1]
        rows = slice(round(self.top * down), round((size_px[0] - self.bottom) * down))
        columns = slice(round(self.left * across), round((size_px[1] - self.right) * across))
        if rows.stop <= rows.start or columns.stop <= columns.start:
            raise HandsError(f"it states {tuple(self)} rows and columns as hidden, which are all of a frame")
        return rgb[rows, columns]


def stated_crop(stream: Any) -> Crop:
    """Return the cropping that the file of an open stream states.

    PyAV has no name for it. FFmpeg writes it into the header of a Matroska file, whatever file it is from.
    """
    import av
    from av.error import FFmpegError

    header = io.BytesIO()
    try:
        with av.open(header, "w", "matroska") as copy:
            copy.add_stream_from_template(stream)
            copy.start_encoding()
    except (FFmpegError, ValueError):  # a codec that Matroska cannot contain
        return Crop()
    found = dict(_elements(header.getvalue()))
    return Crop(*(int.from_bytes(found.get(kind, b""), "big") for kind in _CROPS))


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the kind and the content of the elements of a Matroska file that contain no others."""
    place = 0
    while place < len(data):
        kind, place = _number(data, place)
        size, start = _number(data, place)
        place = start + (size & ~(1 << (size.bit_length() - 1)))
        if kind in _PARENTS:
            yield from _elements(data[start:place])
        else:
            yield kind, data[start:place]


def _number(data: bytes, place: int) -> tuple[int, int]:
    """Return a number, whose highest bit marks its length, and the place behind it."""
    end = place + 9 - data[place].bit_length()
    return int.from_bytes(data[place:end], "big"), end
