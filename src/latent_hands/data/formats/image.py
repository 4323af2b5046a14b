"""Reading image files: upright, with 8 bits a channel, opaque, and never larger than memory allows."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps

from latent_hands.errors import HandsError

MAX_PIXELS = 89_000_000
"""Larger images are refused before they are decoded. No photograph of a hand needs more."""
MAX_SIDE = 65_535
"""Longer sides are refused: decoders need memory for every line. No camera makes them."""
FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "MPO", "PNG", "PPM", "TGA", "TIFF", "WEBP")
"""The formats of Pillow that are read. Others start programs (EPS), or are not images of cameras."""
MAX_PAGES = 10_000
"""Files with more pages or frames are refused: counting them takes seconds."""
_DEFLATE_RATIO = 1032
"""The largest compression of a PNG file."""
BEHIND_TRANSPARENCY = (128, 128, 128)
"""Transparent pixels are composited on this mid-grey, the colour outside an image."""
ORIENTATION = 0x0112
"""The EXIF tag of the orientation: 1 is upright, 2 to 8 are turned or mirrored."""
_HEIF = (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftypmsf1", b"ftyphevc")


def read_rgb(path: str | Path) -> UInt8[np.ndarray, "height width 3"]:
    """Read an image file as 8-bit RGB, rotated by its EXIF orientation.

    Transparent pixels are composited on mid-grey. The first page or frame of a file with several is read; see
    `count_pages`. Raises HandsError naming the file if it is missing, empty, truncated, not an image of
    FORMATS, or above MAX_PIXELS or MAX_SIDE.
    """
    return read_pixels(path, "RGB")


def read_pixels(path: str | Path, mode: str) -> UInt8[np.ndarray, "..."]:
    """Read an image file in an 8-bit mode of Pillow ("RGB": (height, width, 3), "L": (height, width)).

    Raises HandsError as `read_rgb` does.
    """
    with open_image(path) as image:
        return decode(image, mode)


@contextmanager
def open_image(path: str | Path) -> Iterator[Image.Image]:
    """Open an image file with Pillow. Its pixels are decoded when they are used.

    Raises HandsError as `read_rgb` does, also for errors of decoding within the block.
    """
    path = Path(path)
    if not path.is_file():
        raise HandsError(f"no image file at {path}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(path, formats=_formats())  # noqa: TID251
        with image:
            _check_size(image, path.stat().st_size)
            yield image
    except HandsError as error:
        raise HandsError(f"{path}: {error}") from error
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise HandsError(f"{path} has more than {MAX_PIXELS:,} pixels; make it smaller first") from error
    except Exception as error:  # Pillow's decoders raise almost every type on broken files
        raise HandsError(
            f"{path} ({path.stat().st_size} bytes) is not a readable image: {_reason(path, error)}"
        ) from error


def count_pages(path: str | Path) -> int:
    """Return `pages_of` of an image file. Raises HandsError as `read_rgb` does."""
    with open_image(path) as image:
        return pages_of(image)


def pages_of(image: Image.Image) -> int:
    """Return the number of pages or frames of an open image; `to_pixels` reads the first.

    The second image of a phone's JPEG (MPO), for example its depth, does not count.
    It is the open page afterwards. Raises HandsError above MAX_PAGES.
    """
    if image.format == "MPO":
        return 1
    for page in range(1, MAX_PAGES + 1):
        try:
            image.seek(page)
        except EOFError:
            image.seek(0)
            return page
    raise HandsError(f"it has more than {MAX_PAGES:,} pages or frames, which is the limit")


def shown_size(image: Image.Image) -> tuple[int, int]:
    """Return width and height of an open image after its EXIF orientation is applied."""
    width, height = image.size
    return (height, width) if image.getexif().get(ORIENTATION) in range(5, 9) else (width, height)


def decode(image: Image.Image, mode: str = "RGB") -> UInt8[np.ndarray, "..."]:
    """Return `to_pixels` of an open file. All threads together decode at most MAX_PIXELS; others wait."""
    with _DECODING.reserve(image.width * image.height):
        return to_pixels(image, mode)


def to_pixels(image: Image.Image, mode: str = "RGB") -> UInt8[np.ndarray, "..."]:
    """Return the pixels of an open image, rotated by its EXIF orientation, in an 8-bit mode of Pillow.

    Of 16-bit channels, the upper 8 bits are used. In the mode "RGB", transparent pixels are composited on
    mid-grey, so the colours hidden under them do not matter.
    Raises HandsError for 32-bit channels, because it is not known which value is white.
    """
    if image.getexif().get(ORIENTATION, 1) != 1:
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise HandsError(f"its channels have 32 bits (mode {image.mode}); they must have 8 or 16 bits")
    if mode == "RGB" and image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, BEHIND_TRANSPARENCY), image)
    return np.array(image if image.mode == mode else image.convert(mode))


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
    if max(image.size) > MAX_SIDE:
        raise HandsError(f"it has {image.width}x{image.height} pixels; the limit of a side is {MAX_SIDE:,}")
    least_bytes = pixels / 8 / _DEFLATE_RATIO  # at one bit a pixel
    if image.format == "PNG" and file_bytes < least_bytes:
        raise HandsError(
            f"it has {file_bytes} bytes, too few for its {image.width}x{image.height} pixels: it is truncated"
        )


def _reason(path: Path, error: Exception) -> str:
    with path.open("rb") as file:
        head = file.read(16)
    if any(brand in head for brand in _HEIF):
        return "it is a HEIC file, which is not supported; convert it to JPEG or PNG"
    return str(error) or "broken file"
