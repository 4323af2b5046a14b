"""Images as the network reads them: whole, or cut into squares, resized and filled up with grey.

This module does without torch, so the models with and without torch read the same bytes.
"""

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from latent_hands.shapes import Float, UInt8

GREY = 128
WIDEST = 2.0
"""Images with a larger ratio of their sides are cut into squares."""
MOST_SQUARES = 17
REDUCING_GAP = 2.0
"""An image of four times the size or more is first averaged over blocks of pixels, which saves time."""

Rgb = UInt8[np.ndarray, "height width 3"]


@dataclass(frozen=True)
class View:
    """A part of an image, resized for the network.

    Attributes:
        left, top: Upper left corner of the part in the image, in pixels.
        scale: Pixels of the network's image for each pixel of the image, along x and y.
        pixels: The network's image: the resized part in the upper left corner, grey elsewhere.
    """

    left: int
    top: int
    scale: tuple[float, float]
    pixels: UInt8[np.ndarray, "h w 3"]

    def to_image(self, boxes: Float[np.ndarray, "n 4"]) -> Float[np.ndarray, "n 4"]:
        """Return boxes (x, y, width, height) of the network's image in pixels of the image."""
        scale, corner = np.array(self.scale * 2, boxes.dtype), np.array([self.left, self.top, 0, 0])
        return boxes / scale + corner.astype(boxes.dtype)


def letterbox(rgb: Rgb, size_px: int, multiple: int) -> View:
    """Return the image with its longer side at `size_px` and both sides filled up to a multiple."""
    height, width = rgb.shape[:2]
    factor = size_px / max(height, width)
    inner = (max(1, round(width * factor)), max(1, round(height * factor)))
    padded = np.full((*(multiple * math.ceil(side / multiple) for side in inner[::-1]), 3), GREY, np.uint8)
    image = Image.fromarray(np.ascontiguousarray(rgb))
    resized = image.resize(inner, Image.Resampling.BILINEAR, reducing_gap=REDUCING_GAP)
    padded[: inner[1], : inner[0]] = np.asarray(resized)
    return View(0, 0, (inner[0] / width, inner[1] / height), padded)


def square_px(size_px: tuple[int, int]) -> int:
    """Return the side of the squares that an image of (height, width) `size_px` is cut into.

    It is the longer side of an image that is read as a whole.
    """
    short, long = sorted(size_px)
    return long if long <= WIDEST * short else max(short, math.ceil(2 * long / (MOST_SQUARES + 1)))


def views(rgb: Rgb, size_px: int, multiple: int) -> list[View]:
    """Return the parts of an image that the network reads, of equal size: mostly the whole image alone.

    An image with sides of a ratio above `WIDEST` is cut into squares that overlap by half or more.
    """
    height, width = rgb.shape[:2]
    side, long = square_px((height, width)), max(height, width)
    if side == long:
        return [letterbox(rgb, size_px, multiple)]
    count = math.ceil((long - side) / (side / 2)) + 1
    found = []
    for start in np.linspace(0, long - side, count).round().astype(int).tolist():
        left, top = (start, 0) if width >= height else (0, start)
        part = np.full((side, side, 3), GREY, np.uint8)
        cut = rgb[top : top + side, left : left + side]
        part[: cut.shape[0], : cut.shape[1]] = cut
        view = letterbox(part, size_px, multiple)
        found.append(View(left, top, view.scale, view.pixels))
    return found
