"""Reading image files: upright, with 8 bits a channel, and never larger than memory allows."""

import warnings
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps

from latent_hands.errors import HandsError

MAX_PIXELS = 89_000_000
"""Larger images are refused before they are decoded. No photograph of a hand needs more."""


def read_rgb(path: str | Path) -> UInt8[np.ndarray, "height width 3"]:
    """Read an image file as 8-bit RGB, rotated by its EXIF orientation.

    Raises HandsError naming the file if it is missing, empty, truncated, not an image, or above MAX_PIXELS.
    """
    return read_pixels(path, "RGB")


def read_pixels(path: str | Path, mode: str) -> UInt8[np.ndarray, "..."]:
    """Read an image file in an 8-bit mode of Pillow ("RGB": (height, width, 3), "L": (height, width)).

    Raises HandsError as `read_rgb` does.
    """
    path = Path(path)
    if not path.is_file():
        raise HandsError(f"no image file at {path}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(path)
        with image:
            if image.width * image.height > MAX_PIXELS:
                raise HandsError(f"it has {image.width}x{image.height} pixels; the limit is {MAX_PIXELS:,}")
            return to_pixels(image, mode)
    except HandsError as error:
        raise HandsError(f"{path}: {error}") from error
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise HandsError(f"{path} has more than {MAX_PIXELS:,} pixels; make it smaller first") from error
    except Exception as error:  # Pillow's decoders raise almost every type on broken files
        size = path.stat().st_size
        raise HandsError(
            f"{path} ({size} bytes) is not a readable image: {error or 'broken file'}"
        ) from error


def to_pixels(image: Image.Image, mode: str = "RGB") -> UInt8[np.ndarray, "..."]:
    """Return the pixels of an open image, rotated by its EXIF orientation, in an 8-bit mode of Pillow.

    Of 16-bit channels, the upper 8 bits are used.
    Raises HandsError for 32-bit channels, because it is not known which value is white.
    """
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise HandsError(f"its channels have 32 bits (mode {image.mode}); they must have 8 or 16 bits")
    return np.array(image.convert(mode))
