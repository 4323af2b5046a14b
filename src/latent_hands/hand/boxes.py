"""Boxes around hands, and the square crops that belong to them.

A box is (x, y, width, height) in pixels, measured from the image's upper left corner: the smallest rectangle
around the 21 joints of a hand. Pixel i covers i to i + 1 in these coordinates. Joints (`uv_px`) have pixel
centres at integers, so a joint at u lies at u + 0.5 of a box.
"""

import math
from collections.abc import Sequence

import numpy as np

from latent_hands.hand.skeleton import MIDDLE_MCP
from latent_hands.shapes import Float

Box = tuple[float, float, float, float]
FIRST_CROP = 1.25
"""Side of the first crop of a hand over the larger side of its box."""
ROOM = 1.2
"""Side of the crop around measured joints over that around true ones.

The mean of an uncertain posterior shows a hand too small. The value is chosen on Ge et al. (2019).
"""
SCENE_BONES = 7.2
"""Side of the box of a scene (`camera.palm_box`) in middle MCP-PIP bones: an open hand around its palm just
fits."""
LEAST_SIDE_PX = 4.0
"""The smallest side of a crop: the joints of a hand of a few pixels may coincide."""


def box_of_joints(uv_px: Float[np.ndarray, "21 2"]) -> Box:
    """Return the box of 21 joints: x = min u + 0.5, width = max u - min u, and the same for v."""
    low, high = uv_px.min(axis=0), uv_px.max(axis=0)
    return float(low[0]) + 0.5, float(low[1]) + 0.5, float(high[0] - low[0]), float(high[1] - low[1])


def crop_of_box(box: Sequence[float]) -> Box:
    """Return the first crop of a given or detected box: the square of 1.25 times its larger side, concentric.

    The result is a box, too: (x, y, side, side).
    """
    x, y, width, height = box
    return _square(x + width / 2, y + height / 2, FIRST_CROP * max(width, height))


def crop_of_joints(uv_px: Float[np.ndarray, "21 2"], size_px: tuple[int, int], room: float = 1.0) -> Box:
    """Return the protocol's crop around joints in PALM form, as the box (x, y, side, side).

    The middle MCP is its centre. Half its side is the largest distance of a joint from that centre along
    either axis. Joints count as far as the image of (height, width) `size_px` reaches, as in
    `camera.crop_box`; the limits in pixels of that function do not apply to photographs. The side is
    multiplied by `room`, which is `ROOM` for measured joints.
    """
    height, width = size_px
    centre = uv_px[MIDDLE_MCP]
    low, high = uv_px.min(axis=0).clip(min=0), np.minimum(uv_px.max(axis=0), [width, height])
    half = max(float((high - centre).max()), float((centre - low).max()))
    return _square(float(centre[0]) + 0.5, float(centre[1]) + 0.5, 2 * room * half)


def shared_area(a: Sequence[float], b: Sequence[float]) -> float:
    """Return the area that two boxes share, in square pixels."""
    across = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    down = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    return max(across, 0.0) * max(down, 0.0)


def iou(a: Sequence[float], b: Sequence[float]) -> float:
    """Return the area that two boxes share over the area that they cover, from 0 to 1."""
    shared = shared_area(a, b)
    covered = a[2] * a[3] + b[2] * b[3] - shared
    return shared / covered if covered > 0 else 0.0


def distance(a: Sequence[float], b: Sequence[float]) -> float:
    """Return the distance of the centres of two boxes, in the largest of their sides."""
    x, y = (a[i] + a[i + 2] / 2 - b[i] - b[i + 2] / 2 for i in range(2))
    return math.hypot(x, y) / max(*a[2:], *b[2:], LEAST_SIDE_PX)


def _square(x: float, y: float, side_px: float) -> Box:
    side_px = max(side_px, LEAST_SIDE_PX)
    return x - side_px / 2, y - side_px / 2, side_px, side_px
