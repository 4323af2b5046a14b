"""Image files: a source's own bytes where a layout has the same format, else encoded anew."""

import io
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from latent_hands.data.rhd_files import write_image
from latent_hands.files import write_bytes

JPEG_QUALITY = 95
"""Without subsampling of colours."""
_ORIENTATION = 0x0112
_FORMATS = {"PNG": ".png", "JPEG": ".jpg"}


def own_suffix(path: Path) -> str | None:
    """The ending, .png or .jpg, of an upright RGB image, which every reader sees as `read_rgb` does."""
    with Image.open(path) as image:
        plain = image.mode == "RGB" and image.getexif().get(_ORIENTATION, 1) == 1
        return _FORMATS.get(image.format or "") if plain else None


def keep_image(target: Path, source: Path, rgb: UInt8[np.ndarray, "h w 3"]) -> None:
    """Copy an image byte for byte if it has the target's format, else encode `rgb`, what it shows."""
    if own_suffix(source) == target.suffix:
        copy_file(target, source)
    else:
        encode_image(target, rgb)


def encode_image(target: Path, rgb: UInt8[np.ndarray, "h w 3"]) -> None:
    """Write a PNG or a JPEG, by the target's ending, unless it is there."""
    if target.is_file():
        return
    if target.suffix == ".png":
        write_image(target, rgb)
        return
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    write_bytes(target, buffer.getvalue())


def copy_file(target: Path, source: Path) -> None:
    """Copy a file, unless the target is there."""
    if not target.is_file():
        write_bytes(target, source.read_bytes())
