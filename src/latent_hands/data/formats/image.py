"""Reading image files: upright, with 8 bits a channel, opaque, and never larger than memory allows."""

import logging
import math
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.JpegImagePlugin import JpegImageFile
from PIL.TiffImagePlugin import TiffImageFile

from latent_hands.data.formats.image_faults import check_readable, hdr_curve
from latent_hands.data.formats.image_pixels import ORIENTATION, to_pixels
from latent_hands.data.formats.timed_file import TimedFile
from latent_hands.errors import HandsError
from latent_hands.shapes import UInt8

_LOG = logging.getLogger(__name__)
MAX_PIXELS = 89_000_000
"""Larger images are refused before they are decoded. No photograph of a hand needs more."""
MAX_SIDE = 65_535
"""Longer sides are refused: decoders need memory for every line. No camera makes them."""
CORE_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM")
"""The formats that Pillow reads without importing the plugins of all formats."""
FORMATS = (*CORE_FORMATS, "AVIF", "JPEG2000", "MPO", "TGA", "TIFF", "WEBP")
"""The formats of Pillow that are read. Others start programs (EPS), or are not images of cameras."""
MAX_PAGES = 10_000
"""Files with more pages or frames are refused."""
_DEFLATE_RATIO = 1032
"""The largest compression of a PNG file."""
_JPEG_BYTES = 4096
"""JPEG files are decoded in portions of so many bytes: a few bytes may be a scan of the whole image."""
_TILE_SIDES = (322, 323)
"""The TIFF tags of the width and height of a tile."""
_HEIF = (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftypmsf1", b"ftyphevc")


def read_rgb(path: str | Path) -> UInt8[np.ndarray, "height width 3"]:
    """Read an image file as 8-bit RGB, rotated by its EXIF orientation.

    Transparent pixels are composited on mid-grey. The first page or frame of a file with several is read, and
    a warning says so once. Raises HandsError naming the file if it is missing, empty, truncated, not an image
    of FORMATS, above MAX_PIXELS or MAX_SIDE, misread (`check_readable`), or takes too long (`timed_file`).
    """
    with open_image(path) as image:
        return decode_first(Path(path), image)


def read_pixels(path: str | Path, mode: str) -> UInt8[np.ndarray, "..."]:
    """Read an image file in an 8-bit mode of Pillow ("RGB": (height, width, 3), "L": (height, width)).

    Raises HandsError as `read_rgb` does.
    """
    with open_image(path) as image:
        return decode(path, image, mode)


@contextmanager
def open_image(path: str | Path) -> Iterator[Image.Image]:
    """Open an image file with Pillow. Its pixels are decoded when they are used.

    Raises HandsError as `read_rgb` does, also for errors of decoding within the block.
    """
    path = Path(path)
    if not path.is_file():
        raise HandsError(f"no image file at {path}")
    try:
        with TimedFile(path) as file, _open(file) as image:
            _check_size(image, path.stat().st_size)
            check_readable(image)
            yield image
    except HandsError as error:
        raise HandsError(f"{path}: {error}") from error
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise HandsError(f"{path} has more than {MAX_PIXELS:,} pixels; make it smaller first") from error
    except Exception as error:  # Pillow's decoders raise almost every type on broken files
        raise HandsError(
            f"{path} ({path.stat().st_size} bytes) is not a readable image: {_reason(path, error)}"
        ) from error


def _open(file: TimedFile) -> Image.Image:
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            image = Image.open(file, formats=CORE_FORMATS)  # noqa: TID251
        except UnidentifiedImageError:
            file.seek(0)
            image = Image.open(file, formats=_formats())  # noqa: TID251
    if isinstance(image, JpegImageFile):
        image.decodermaxblock = _JPEG_BYTES
    return image


def pages_of(image: Image.Image) -> int:
    """Return the number of pages or frames of an open image; `to_pixels` reads the first.

    The second image of a phone's JPEG (MPO), for example its depth, does not count. No page is decoded.
    Raises HandsError above MAX_PAGES.
    """
    if image.format == "MPO":
        return 1
    if (pages := int(getattr(image, "n_frames", 1))) > MAX_PAGES:
        raise HandsError(f"it has {pages:,} pages or frames; the limit is {MAX_PAGES:,}")
    return pages


def shown_size(image: Image.Image) -> tuple[int, int]:
    """Return width and height of an open image after its EXIF orientation is applied."""
    width, height = image.size
    return (height, width) if image.getexif().get(ORIENTATION) in range(5, 9) else (width, height)


def is_turned(image: Image.Image) -> bool:
    """Return whether the EXIF orientation turns or mirrors an open image."""
    return image.getexif().get(ORIENTATION) in range(2, 9)


def decode(path: str | Path, image: Image.Image, mode: str = "RGB") -> UInt8[np.ndarray, "..."]:
    """Return `to_pixels` of an open file, whose path is in warnings.

    All threads together decode at most MAX_PIXELS; others wait.
    """
    with _DECODING.reserve(image.width * image.height):
        return to_pixels(image, mode, str(path))


def decode_first(path: Path, image: Image.Image) -> UInt8[np.ndarray, "height width 3"]:
    """Return `decode` of an open file.

    Warnings count its pages or frames if there are several, and name HDR and orientations of XMP data alone.
    """
    curve, pixels = hdr_curve(image), decode(path, image)
    if (pages := pages_of(image)) > 1:
        _announce(path, f"has {pages} pages or frames; the first is read")
    if curve is not None:
        _announce(
            path, f"is HDR ({curve}), which is read without tone mapping: colours differ from a viewer's"
        )
    if is_turned(image) and image.format != "TIFF" and not any("exif" in str(key) for key in image.info):
        _announce(path, "is turned as only its XMP data state it, which some viewers ignore")
    return pixels


@lru_cache(1000)
def _announce(path: Path, text: str) -> None:
    """Log it once a file: some files are read several times."""
    _LOG.warning("%s %s", path, text)


class _Budget:
    """Pixels that all threads may decode at once. A thread waits until those of its image are free."""

    def __init__(self, pixels: int):
        self._limit = self._free = pixels
        self._changed = threading.Condition()

    @contextmanager
    def reserve(self, pixels: int) -> Iterator[None]:
        """Hold some pixels during the block; a larger image than the budget takes all of it."""
        pixels = min(pixels, self._limit)
        with self._changed:
            self._changed.wait_for(lambda: self._free >= pixels)
            self._free -= pixels
        try:
            yield
        finally:
            with self._changed:
                self._free += pixels
                self._changed.notify_all()


_DECODING = _Budget(MAX_PIXELS)


def _formats() -> list[str]:
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


def _check_size(image: Image.Image, file_bytes: int) -> None:
    pixels = image.width * image.height
    if pixels > MAX_PIXELS:
        raise HandsError(f"it has {image.width}x{image.height} pixels; the limit is {MAX_PIXELS:,}")
    tile = [image.tag_v2.get(tag, 0) for tag in _TILE_SIDES] if isinstance(image, TiffImageFile) else [0]
    if math.prod(tile) > MAX_PIXELS:
        raise HandsError(f"its tiles have {tile[0]}x{tile[1]} pixels; the limit is {MAX_PIXELS:,}")
    if max(image.size) > MAX_SIDE:
        raise HandsError(f"it has {image.width}x{image.height} pixels; the limit of a side is {MAX_SIDE:,}")
    least_bytes = pixels / 8 / _DEFLATE_RATIO  # at one bit a pixel
    if image.format == "PNG" and file_bytes < least_bytes:
        raise HandsError(
            f"it has {file_bytes} bytes, too few for its {image.width}x{image.height} pixels: it is truncated"
        )


def _reason(path: Path, error: Exception) -> str:
    head = b""
    with suppress(OSError), path.open("rb") as file:  # the error may be that it cannot be read
        head = file.read(16)
    if any(brand in head for brand in _HEIF):
        return "it is a HEIC file, which is not supported; convert it to JPEG or PNG"
    if isinstance(error, UnidentifiedImageError):
        return f"its content has none of the formats {', '.join(sorted(FORMATS))}"
    return str(error) or "broken file"
