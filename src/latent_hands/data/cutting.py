"""Squares cut out of images. This module does without torch."""

import math

import numpy as np
from PIL import Image

from latent_hands.shapes import UInt8

_GREY = (128, 128, 128)


def cut_pixels(
    pixels: UInt8[np.ndarray, "height width *channels"],
    centre: tuple[float, float],
    side_px: float,
    out_px: int,
) -> UInt8[np.ndarray, "{out_px} {out_px} channels"]:
    """Return a square of the image, resampled to `out_px` pixels.

    Enlarging is bilinear, shrinking averages over areas. Pixels from outside the image are mid-grey, or 0 in
    an image of one channel (depth).
    """
    factor = max(1, int(side_px / out_px / 2))
    side_px = side_px / factor
    rim = math.ceil(side_px / out_px) + 1  # pixels that the filter reads outside the square
    extent = math.ceil(side_px) + 2 * rim + 1
    # Pillow counts from the first pixel's corner
    left, top = ((c + 0.5) / factor - side_px / 2 for c in centre)
    x, y = math.floor(left) - rim, math.floor(top) - rim
    canvas = Image.new(
        *(("RGB", (extent, extent), _GREY) if pixels.ndim == 3 else ("L", (extent, extent), 0))
    )
    # only the part that is read is copied, from a multiple of the factor on
    part = pixels[max(y, 0) * factor : (y + extent) * factor, max(x, 0) * factor : (x + extent) * factor]
    if part.size and min(x, y) > -extent:
        image = Image.fromarray(np.ascontiguousarray(part))
        canvas.paste(image.reduce(factor) if factor > 1 else image, (max(-x, 0), max(-y, 0)))
    box = (left - x, top - y, left - x + side_px, top - y + side_px)
    resized = np.asarray(canvas.resize((out_px, out_px), Image.Resampling.BILINEAR, box=box))
    return resized.reshape(out_px, out_px, -1)
