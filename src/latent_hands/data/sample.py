"""One labelled image, whatever data set it came from."""

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NoReturn, TypeVar

import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8
from PIL import Image, ImageOps

from latent_hands.errors import HandsError

OnBroken = Callable[[HandsError], object]
"""What a reader does with the error of a sample that it cannot read; if this returns, reading goes on."""
Item = TypeVar("Item")
Read = TypeVar("Read")

MAX_PIXELS = 89_000_000
"""Larger images are refused before they are decoded: no photograph of a hand needs them."""


FAR_PX = 1e6
"""Nothing lies so far from an image's corner; beyond it Pillow's integers overflow."""


@dataclass(frozen=True)
class Sample:
    """One image of one hand and what is known about it; None stands for "not known".

    Keypoints are in RHD order, in the camera frame (x right, y down, z forward), as in the file: nothing is
    mirrored, cropped or normalised. Pixel centres are at integers. ``root`` says what the set labels as point
    0: the "wrist", or already the "palm"; where the wrist is known as well, ``wrist_mm`` and ``wrist_px`` are
    it, and the crop's box then holds it. ``convention`` names where the set places its joints (docs/data.md).
    ``side`` is "left" or "right"; neither scoring nor training goes without it. ``depth`` is an image of the
    same camera in RHD's coding. ``tag`` is another image of the same scene (content); ``identity_tag``
    shows the scene's person alone, and ``background_tag`` the scene without anybody. ``window`` is the
    scene's own square (cx, cy, side) in pixels, ``factors`` what a rendered image was made from.
    ``seconds`` is when a video shows it. ``block`` names what it has in common with other samples, which are
    alike therefore: a scene, a stretch of a sequence; intervals resample blocks.

    Labels may be given as any arrays or nested lists of these shapes. Raises HandsError for other shapes.
    """

    name: str
    image: Path
    side: str | None = None
    xyz_mm: Float32[np.ndarray, "21 3"] | None = None
    uv_px: Float32[np.ndarray, "21 2"] | None = None
    visible: Bool[np.ndarray, "21"] | None = None
    K: Float32[np.ndarray, "3 3"] | None = None
    root: Literal["wrist", "palm"] = "wrist"
    wrist_mm: Float32[np.ndarray, "3"] | None = None
    wrist_px: Float32[np.ndarray, "2"] | None = None
    mask: Path | None = None
    depth: Path | None = None
    tag: Path | None = None
    identity_tag: Path | None = None
    background_tag: Path | None = None
    window: tuple[float, float, float] | None = None
    factors: dict[str, Any] | None = None
    convention: str | None = None
    seconds: float | None = None
    block: str | None = None

    def __post_init__(self) -> None:
        """Take labels for what they are to be: arrays of one type and shape."""
        object.__setattr__(self, "image", Path(self.image))
        for field, (kind, shape) in _ARRAYS.items():
            value = getattr(self, field)
            if value is not None:
                object.__setattr__(
                    self, field, _array(value, kind, shape, f'"{field}" of sample {self.name}')
                )

    @property
    def where(self) -> str:
        """What errors call it."""
        return f"sample {self.name} ({self.image})"

    @property
    def seen(self) -> Bool[np.ndarray, "21"]:
        """Which joints are visible; all of them where that is not known."""
        return np.ones(21, bool) if self.visible is None else self.visible

    def projected(self) -> "Sample":
        """With the 2D joints that the 3D ones and the camera give, all visible, where these are not known.

        Without them, images are taken whole. As it is, if ``xyz_mm`` or ``K`` is not known.
        """
        if self.xyz_mm is None or self.K is None:
            return self
        uv_px = project(self.xyz_mm, self.K) if self.uv_px is None else self.uv_px
        return replace(self, uv_px=uv_px, visible=self.seen)


_ARRAYS: dict[str, tuple[type[np.generic], tuple[int, ...]]] = {
    "xyz_mm": (np.float32, (21, 3)),
    "uv_px": (np.float32, (21, 2)),
    "visible": (np.bool_, (21,)),
    "K": (np.float32, (3, 3)),
    "wrist_mm": (np.float32, (3,)),
    "wrist_px": (np.float32, (2,)),
}


def _array(value: Any, kind: type[np.generic], shape: tuple[int, ...], what: str) -> np.ndarray:
    try:
        array = np.asarray(value, kind)
    except (ValueError, TypeError) as error:
        raise HandsError(f"{what} is no array of numbers: {error}") from error
    if array.shape != shape:
        raise HandsError(f"{what} has the shape {array.shape}; legal: {shape}")
    return array


def check_limit(limit: int | None) -> None:
    """Raise HandsError for a limit below 1."""
    if limit is not None and limit < 1:
        raise HandsError(f"limit is {limit}; legal: 1 or more")


def stop(error: HandsError) -> NoReturn:
    """Raises the error: what readers do unless told otherwise."""
    raise error


def sparing(read: Callable[[Item], Read], on_broken: OnBroken) -> Callable[[Item], Read | None]:
    """The function `read`, but its HandsError goes to `on_broken`, and None stands for what was broken."""

    def attempt(item: Item) -> Read | None:
        try:
            return read(item)
        except HandsError as error:
            on_broken(error)
            return None

    return attempt


def whole(items: Iterable[Read | None]) -> list[Read]:
    """Those that could be read."""
    return [item for item in items if item is not None]


def project(
    xyz: Float[np.ndarray, "*batch n 3"], K: Float[np.ndarray, "*cameras 3 3"]
) -> Float[np.ndarray, "*batch n 2"]:
    """Pixels of points in the camera frame, for sets without 2D labels; not finite where z is 0."""
    with np.errstate(all="ignore"):
        uvw = xyz @ K.swapaxes(-1, -2)
        return uvw[..., :2] / uvw[..., 2:]


def read_rgb(path: str | Path) -> UInt8[np.ndarray, "height width 3"]:
    """Read an image as 8-bit RGB, turned upright by its EXIF orientation.

    Raises HandsError naming the file if it is missing, empty, truncated, no image, or above MAX_PIXELS.
    """
    return read_pixels(path, "RGB")


def read_pixels(path: str | Path, mode: str) -> UInt8[np.ndarray, "..."]:
    """Read an image in an 8-bit mode of Pillow ("RGB": (height, width, 3), "L": (height, width))."""
    path = Path(path)
    if not path.is_file():
        raise HandsError(f"no image file at {path}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(path)
        with image:
            _refuse_huge(image)
            return pixels(image, mode)
    except HandsError as error:
        raise HandsError(f"{path}: {error}") from error
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise HandsError(f"{path} has more than {MAX_PIXELS:,} pixels; make it smaller first") from error
    except Exception as error:  # Pillow's decoders raise almost every type on broken files
        told = f"{path} ({path.stat().st_size} bytes) is not a readable image"
        raise HandsError(f"{told}: {error or 'broken file'}") from error


def pixels(image: Image.Image, mode: str = "RGB") -> UInt8[np.ndarray, "..."]:
    """An open image's bytes, upright by its EXIF orientation; of 16 bits the upper eight.

    Raises HandsError for numbers of 32 bits, of which nobody knows what is white.
    """
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise HandsError(f"its numbers have 32 bits (mode {image.mode}); legal: 8 or 16 bits a channel")
    return np.array(image.convert(mode))


def _refuse_huge(image: Image.Image) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise HandsError(f"{image.width}x{image.height} pixels; at most {MAX_PIXELS:,} are read")
