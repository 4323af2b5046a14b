"""The pixels of an open image: upright, with 8 bits a channel, opaque."""

import logging
from typing import Any

import numpy as np
from PIL import Image, ImageOps
from PIL.TiffImagePlugin import TiffImageFile

from latent_hands.data.formats.image_colours import shown_colours
from latent_hands.data.formats.image_faults import has_unused_alpha
from latent_hands.errors import HandsError
from latent_hands.shapes import UInt8, UInt16

_LOG = logging.getLogger(__name__)
WHITE_OF_12_BITS = 4095
"""16-bit images without a larger value hold 12 bits or fewer, or are almost black."""
BEHIND_TRANSPARENCY = (128, 128, 128)
"""Transparent pixels are composited on this mid-grey, the colour outside an image."""
ORIENTATION = 0x0112
"""The EXIF tag of the orientation: 1 is upright, 2 to 8 are turned or mirrored."""
_STEPS = {"L;2": 85, "L;4": 17}
"""Pillow's names of grey levels of 2 and 4 bits -> the step between them in 8 bits."""
_POLARITY = 262
"""The TIFF tag of the meaning of numbers; of 0, the smallest one is white."""


def to_pixels(image: Image.Image, mode: str = "RGB", name: str = "an image") -> UInt8[np.ndarray, "..."]:
    """Return the pixels of an open image, rotated by its EXIF orientation, in an 8-bit mode of Pillow.

    Of 16-bit channels, the upper 8 bits are used; a warning says so if the upper 4 of all of them are empty.
    In the mode "RGB", colours are as `shown_colours` says, and transparent pixels are composited on mid-grey,
    so the colours hidden under them do not matter. If all pixels are transparent, the channel is taken for
    unused, and a warning says so. What the first frame of a GIF or WebP file does not cover is transparent.
    `name` is that of the image in warnings.

    Raises HandsError for 32-bit channels, because it is not known which value is white.
    """
    if has_unused_alpha(image):
        image = _without_alpha(image, name)
    image = _with_whole_canvas(_with_scaled_key(image))
    colours_of_16_bits = ";16" in str(getattr(image, "tile", ""))  # Pillow drops their lower 8 bits
    if image.getexif().get(ORIENTATION, 1) != 1:
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PPM"):
        image = _of_8_bits(image, name)
    elif colours_of_16_bits:
        _check_white(max(high for _, high in _ranges(image)) * 257, name)
    if image.mode in ("I", "F"):
        raise HandsError(f"its channels have 32 bits (mode {image.mode}); they must have 8 or 16 bits")
    if mode == "RGB":
        image = shown_colours(image, name)
        image = _opaque(image.convert("RGBA"), name) if image.has_transparency_data else image
    return np.array(image if image.mode == mode else image.convert(mode))


def _without_alpha(image: Image.Image, name: str) -> Image.Image:
    """Return a TGA image without its fourth channel; a warning says so if that varies."""
    if "A" in image.getbands() and len(set(image.getchannel("A").getextrema())) > 1:
        _LOG.warning("%s states that its fourth channel is not transparency, so it is ignored", name)
    return image.convert("L" if image.mode in ("L", "LA") else "RGB")


def _with_scaled_key(image: Image.Image) -> Image.Image:
    """Return an image, of a grey PNG file of 2 or 4 bits with the transparent level in 8 bits."""
    key = image.info.get("transparency")
    step = next((step for name, step in _STEPS.items() if name in str(getattr(image, "tile", ""))), 1)
    if image.format != "PNG" or not isinstance(key, int) or step == 1:
        return image
    scaled = image.copy()
    scaled.info = {**image.info, "transparency": key * step}
    return scaled


def _with_whole_canvas(image: Image.Image) -> Image.Image:
    """Return an image with what the first frame of an animation does not cover as transparent.

    Pillow fills it with any colour.
    """
    covered = _covered(image)
    if covered in (None, (0, 0, *image.size)):
        return image
    whole = image.convert("RGBA")
    alpha = Image.new("L", image.size, 0)
    alpha.paste(whole.getchannel("A").crop(covered), covered)
    whole.putalpha(alpha)
    return whole


def _covered(image: Image.Image) -> tuple[int, int, int, int] | None:
    """Return the part (left, top, right, bottom) that the first frame of an animation covers; None if all.

    It is known until the pixels are decoded.
    """
    tiles = getattr(image, "tile", ())
    if image.format == "GIF":
        return tiles[0][1] if tiles else None
    file = getattr(image, "fp", None)
    if image.format != "WEBP" or tiles or file is None:
        return None
    place = file.tell()
    file.seek(12)
    while len(head := file.read(24)) == 24 and head[:4] != b"ANMF":
        size = int.from_bytes(head[4:8], "little")
        file.seek(size + size % 2 - 16, 1)  # to the next chunk
    file.seek(place)
    if len(head) < 24:
        return None
    x, y, width, height = (int.from_bytes(head[i : i + 3], "little") for i in range(8, 20, 3))
    return 2 * x, 2 * y, 2 * x + width + 1, 2 * y + height + 1


def _opaque(image: Image.Image, name: str) -> Image.Image:
    """Return a transparent image (RGBA) on mid-grey; the colours of one that is transparent everywhere."""
    if image.getchannel("A").getextrema() == (0, 0):
        _LOG.warning("all pixels of %s are transparent, so its transparency is ignored", name)
        return image
    return Image.alpha_composite(Image.new("RGBA", image.size, BEHIND_TRANSPARENCY), image)


def _of_8_bits(image: Image.Image, name: str) -> Image.Image:
    """Return a grey image of 16 bits with its upper 8 bits."""
    levels, clear = np.asarray(image).astype(np.uint16), image.info.get("transparency")
    inverted = isinstance(image, TiffImageFile) and image.tag_v2.get(_POLARITY) == 0
    grey = Image.fromarray(_upper_bits(~levels if inverted else levels, name))
    if isinstance(clear, int):
        grey.putalpha(Image.fromarray(np.where(levels == clear, 0, 255).astype(np.uint8)))
    return grey


def _upper_bits(levels: UInt16[np.ndarray, "height width"], name: str) -> UInt8[np.ndarray, "height width"]:
    """Return the upper 8 of 16 bits."""
    _check_white(int(levels.max()), name)
    return (levels >> 8).astype(np.uint8)


def _ranges(image: Image.Image) -> list[tuple[int, int]]:
    """Return the smallest and largest level of each colour."""
    colours = image.getchannel("L") if image.mode == "LA" else image.convert("RGB")
    ranges: Any = colours.getextrema()
    return [ranges] if colours.mode == "L" else list(ranges)


def _check_white(largest: int, name: str) -> None:
    """Warn of a 16-bit image whose largest value is that of fewer bits."""
    if 0 < largest <= WHITE_OF_12_BITS:
        _LOG.warning(
            "%s has 16 bits and no value above %d, so it is read as almost black; "
            "if it holds 12 bits or fewer, multiply its values such that white is 65535",
            *(name, largest),
        )
