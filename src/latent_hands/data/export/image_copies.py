"""Images of an exported set: copied byte for byte if the layout has the same format, else encoded again."""

import io
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from latent_hands.data.formats.image import open_image
from latent_hands.data.formats.image_pixels import ORIENTATION
from latent_hands.data.formats.rhd_files import write_image
from latent_hands.files import write_bytes

JPEG_QUALITY = 95
_FORMATS = {"PNG": ".png", "JPEG": ".jpg"}


def own_suffix(path: Path) -> str | None:
    """Return ".png" or ".jpg" for an upright RGB image, which every reader decodes as `read_rgb` does.

    Other images give None: they must be encoded again.
    """
    with open_image(path) as image:
        plain = image.mode == "RGB" and image.getexif().get(ORIENTATION, 1) == 1
        return _FORMATS.get(image.format or "") if plain else None


def keep_image(target: Path, source: Path, rgb: UInt8[np.ndarray, "h w 3"]) -> None:
    """Copy an image if it has the target's format, else encode its pixels `rgb`."""
    if own_suffix(source) == target.suffix:
        copy_file(target, source)
    else:
        encode_image(target, rgb)


def encode_image(target: Path, rgb: UInt8[np.ndarray, "h w 3"]) -> None:
    """Write a PNG or a JPEG file, by the target's ending, unless it exists. Colours are not subsampled."""
    if target.is_file():
        return
    if target.suffix == ".png":
        write_image(target, rgb)
        return
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    write_bytes(target, buffer.getvalue())


def copy_file(target: Path, source: Path) -> None:
    """Copy a file, unless the target exists."""
    if not target.is_file():
        write_bytes(target, source.read_bytes())
