"""One frame of a video as a player shows it: upright, with square pixels, opaque."""

import sys
from typing import Any

import numpy as np
from PIL import Image

from latent_hands.data.formats.image_pixels import to_pixels
from latent_hands.errors import HandsError
from latent_hands.shapes import Int32, UInt8

MAX_FRAME_PIXELS = 8192 * 4320
"""Larger frames are refused. No camera films them, and a frame could take seconds."""
MAX_ASPECT = 4.0
"""Limit of the width of a pixel over its height, and of the inverse."""
_MOST_TILT = 0.02
"""Display matrices of other angles than multiples of 90 degrees, by more than one degree, are refused."""

_MONO, _FLAT = 0, 4
"""FFmpeg's numbers of frames with one view, and of the projection of usual cameras."""


def aspect_of(stream: Any) -> float:
    """Return the width of a stream's pixels over their height. Raises HandsError beyond MAX_ASPECT."""
    aspect = float(stream.sample_aspect_ratio or 1)
    if not 1 / MAX_ASPECT <= aspect <= MAX_ASPECT:
        raise HandsError(
            f"its pixels are {aspect:g} times as wide as high; legal are {1 / MAX_ASPECT:g} to {MAX_ASPECT:g}"
        )
    return aspect


def square_pixels(frame: Any, aspect: float) -> UInt8[np.ndarray, "height width 3"]:
    """Return the pixels of a frame. Those that are not square become square by enlarging one side.

    Transparent pixels are composited on mid-grey, as in images. If all are transparent, the fourth channel
    is unused. Raises HandsError above MAX_FRAME_PIXELS.
    """
    width = max(frame.width, round(frame.width * aspect))
    height = max(frame.height, round(frame.height / aspect))
    if width * height > MAX_FRAME_PIXELS:
        raise HandsError(f"a frame has {width}x{height} pixels; the limit is {MAX_FRAME_PIXELS:,}")
    if any(component.is_alpha for component in frame.format.components):
        rgba = frame.reformat(width=width, height=height, format="rgba").to_ndarray()
        return to_pixels(Image.fromarray(rgba)) if rgba[..., 3].any() else rgba[..., :3]
    return frame.reformat(width=width, height=height, format="rgb24").to_ndarray()


def display_matrix(frame: Any) -> Int32[np.ndarray, "2 2"] | None:
    """Return the part of a frame's display matrix that maps (x, y) as a row; None if it states none."""
    for data in frame.side_data:
        if data.type.name == "DISPLAYMATRIX":
            return np.frombuffer(bytes(data), np.int32).reshape(3, 3)[:2, :2]
    return None


def doubt_of(frame: Any) -> str | None:
    """Return what a frame states to be if it is no image of a usual camera."""
    for data in frame.side_data:
        kind = int.from_bytes(bytes(data)[:4], sys.byteorder)
        if data.type.name == "STEREO3D" and kind != _MONO:
            return "is stereoscopic: frames may show every hand twice"
        if data.type.name == "SPHERICAL" and kind != _FLAT:
            return "shows all directions or a fisheye's, for which poses and cameras are wrong"
    if frame.interlaced_frame:
        return "is interlaced: moving hands are torn into lines; deinterlace it (ffmpeg -vf yadif)"
    return None


def displayed(
    rgb: UInt8[np.ndarray, "_ _ 3"], matrix: Int32[np.ndarray, "2 2"]
) -> UInt8[np.ndarray, "_ _ 3"]:
    """Return the image as the matrix displays it: turned by a multiple of 90 degrees, and mirrored.

    (x, y) @ matrix is the new place of a pixel, but for a shift and a change of size. Raises HandsError for
    other angles.
    """
    (a, b), (c, d) = matrix.astype(float)
    if abs(a) + abs(d) < abs(b) + abs(c):  # x and y are exchanged
        rgb, (a, b), (c, d) = rgb.transpose(1, 0, 2), (c, d), (a, b)
    if abs(b) + abs(c) > _MOST_TILT * (abs(a) + abs(d)):
        raise HandsError(
            f"its display matrix {matrix.tolist()} is no turn by 0, 90, 180 or 270 degrees; "
            "turn its frames with a video editor"
        )
    return np.ascontiguousarray(rgb[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1])
