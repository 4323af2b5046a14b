"""Checks of what a user gives with an image: pixels, box, camera and bone length."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from latent_hands.data.formats.box_label import check_box
from latent_hands.data.formats.image import decode_first, open_image
from latent_hands.data.formats.image_faults import check_readable
from latent_hands.data.formats.image_pixels import to_pixels
from latent_hands.data.formats.video import FORMATS
from latent_hands.errors import BROKEN, HandsError
from latent_hands.hand.arrays import centred_camera
from latent_hands.hand.boxes import Box
from latent_hands.hand.focal import LEAST_FOCAL, MOST_FOCAL, UNUSUAL_RATIO, UNUSUAL_SKEW
from latent_hands.hand.skeleton import BONE_RANGE_MM
from latent_hands.predictor.in_memory import TensorLike, rgb_of
from latent_hands.shapes import Float32, Float64, UInt8

Rgb = UInt8[np.ndarray, "height width 3"]
_EXIF_IFD = 0x8769
_HINTS = {
    "Sample": "; of a Sample, give `sample.image`",
    "bytes": "; give PIL.Image.open(io.BytesIO(data))",
    "BufferedReader": "; give its name",
}
"""Advice for objects of these types: an image to give instead."""


@dataclass(frozen=True, eq=False)
class Opened:
    """The pixels of an image and the EXIF data of its camera, so that no file is decoded twice.

    Attributes:
        rgb: (height, width, 3) uint8.
        exif: the values of EXIF tags; empty for arrays, and if there are none or if they are broken.
    """

    rgb: Rgb
    exif: Mapping[int, Any] = field(default_factory=dict)


ImageSource = str | Path | Image.Image | np.ndarray | TensorLike | Opened
"""An image: a file, a Pillow image, a uint8 array (height, width, 3) in RGB order, or a uint8 tensor of torch
(3, height, width); or one of these, opened. Grey and transparent images are legal, too."""
MOST_OUT, LEAST_WITHIN = 1.2, 0.5
"""Boxes that reach farther out of their image, in sides of it, may be corners; the share of a box inside."""
UNUSUAL_FOCAL = 8.0
"""Longer focal lengths, in longer sides of the image, are rare."""
SAME_RATIO, OTHER_RATIO, FAR_OUT = 1.05, 1.3, 1.0
"""The principal point of a resized image is moved along a diagonal by a common factor. That of a part of an
image may lie anywhere, but seldom farther out than half of its size, or exactly in its corner."""
CORNER_PX = 1.0
_LOG = logging.getLogger(__name__)


def pixels_of(image: object) -> UInt8[np.ndarray, "height width 3"]:
    """Return the pixels of an `ImageSource`. Raises HandsError for anything else."""
    return opened(image).rgb


def opened(image: object) -> Opened:
    """Open an `ImageSource`. Raises HandsError for anything else."""
    if isinstance(image, Opened):
        return image
    if isinstance(image, str | Path):
        path = Path(image)
        if "://" in str(image):
            raise HandsError(f"{image} is an address; download the image, and give its file")
        if path.is_dir():
            raise HandsError(f"{path} is a folder; give its images one at a time")
        if path.suffix.lower() in FORMATS:
            raise HandsError(f"{path} is a video; Model.follow reads videos")
        with open_image(path) as file:
            return Opened(decode_first(path, file), _exif(file))
    if isinstance(image, Image.Image):
        return Opened(_decoded(image), _exif(image))
    if isinstance(image, np.ndarray | TensorLike):
        return Opened(rgb_of(image))
    raise HandsError(
        "an image must be a file, a Pillow image, an array or a tensor, one at a time, not a "
        f"{type(image).__name__}{_HINTS.get(type(image).__name__, '')}"
    )


def check_crop(rgb: Rgb, crop_px: int) -> None:
    """Raise HandsError for an image that is given as a crop without its box, and is of another size.

    A photograph may be square, too. It would be read as a hand without a word.
    """
    height, width = rgb.shape[:2]
    if (height, width) != (crop_px, crop_px):
        raise HandsError(
            f"an image of {width}x{height} pixels is not a crop for this model, which is {crop_px}x{crop_px} "
            "pixels around a left hand; of a photograph, give model.crop_of(image, hand) with a hand that "
            'lh.load("estimation").find(image) returned; lh.HandCrop.open(image) takes a whole image of any '
            "size as the crop"
        )


def _decoded(image: Image.Image) -> Rgb:
    """Return the pixels of a Pillow image, which decodes its file only now."""
    try:
        check_readable(image)
        if 0 in image.size:
            raise HandsError(f"an image has {image.width}x{image.height} pixels; it must have some")
        return to_pixels(image)
    except HandsError:
        raise
    except Exception as error:  # Pillow's decoders raise almost every type on broken files
        raise HandsError(f"the image {image!r} cannot be decoded: {error}") from error


def _exif(image: Image.Image) -> Mapping[int, Any]:
    """Return the EXIF data of the camera of an open image whose pixels were decoded."""
    try:
        return image.getexif().get_ifd(_EXIF_IFD)
    except Exception:  # a photograph with broken EXIF data is still a photograph
        return {}


def box_of(numbers: object, width: int, height: int) -> Box:
    """Return a box (x, y, width, height) in an image of that size. Raises HandsError as `check_box` does."""
    box = check_box(numbers, "box", (width, height))
    _warn_of_box(box, width, height)
    return box


@lru_cache(64)
def _warn_of_box(box: Box, width: int, height: int) -> None:
    """Announce, once, a box that reaches far out of its image: it may be corners, or of another image."""
    x, y, across, down = box
    within = max(min(x + across, width) - max(x, 0.0), 0.0) * max(min(y + down, height) - max(y, 0.0), 0.0)
    out = max((x + across) / width, (y + down) / height) > MOST_OUT
    text = "box %g,%g,%g,%g %s the image of %dx%d pixels; it is read as x,y,width,height"
    if out and x < across <= width and y < down <= height:
        _LOG.warning(text + ", not as corners x1,y1,x2,y2", *box, "reaches out of", width, height)
    elif within < LEAST_WITHIN * across * down:
        _LOG.warning(text, *box, "lies mostly outside of", width, height)


def camera_of(K: object, width: int, height: int) -> Float32[np.ndarray, "3 3"]:
    """Return the camera of an image of that size. Raises HandsError for anything else."""
    matrix = _numbers(K)
    form = "(3, 3) [[fx, s, cx], [0, fy, cy], [0, 0, 1]] in pixels"
    if matrix.shape != (3, 3) or not np.isfinite(matrix).all():
        raise HandsError(f"K is {K}, but must be {form}")
    focal_px = matrix[0, 0], matrix[1, 1]
    if min(focal_px) <= 0 or matrix[1, 0] != 0 or matrix[2].tolist() != [0, 0, 1]:
        raise HandsError(f"K is {matrix.tolist()}, but must be {form} with fx and fy above 0")
    least_px, most_px = _focal_range(width, height)
    if min(focal_px) < least_px or max(focal_px) > most_px:
        raise HandsError(
            f"K has the focal lengths {focal_px[0]:g} and {focal_px[1]:g} in an image of {width}x{height} "
            f"pixels, but they must be between {least_px:g} and {most_px:g} pixels; multiply a normalised K "
            "by the image's size, and millimetres by its width over the sensor's"
        )
    _warn_of_camera(tuple(matrix[:2].ravel().tolist()), width, height)
    return matrix.astype(np.float32)


@lru_cache(64)
def _warn_of_camera(numbers: tuple[float, ...], width: int, height: int) -> None:
    """Announce, once, a K that few images have: it may be of another image, or its numbers are mixed up."""
    fx, skew, cx, _, fy, cy = numbers
    unusual, (x, y), (u, v) = [], (2 * cx / width, 2 * cy / height), (2 * cx / height, 2 * cy / width)
    scaled = min(x, y) > 0 and max(x / y, y / x) < SAME_RATIO and max(x, 1 / x) > OTHER_RATIO
    turned = max(u, 1 / u, v, 1 / v) < SAME_RATIO < max(x / y, y / x) if min(x, y) > 0 else False
    corner = max(abs(cx), abs(cy)) <= CORNER_PX
    if scaled or turned or corner or not (min(x, y) >= -FAR_OUT and max(x, y) <= 2 + FAR_OUT):
        unusual.append(f"the principal point {cx:g}, {cy:g}")
    if max(fx / fy, fy / fx) > UNUSUAL_RATIO:
        unusual.append(f"the different focal lengths {fx:g} and {fy:g}")
    if abs(skew) > UNUSUAL_SKEW * fx:
        unusual.append(f"the skew {skew:g}")
    if max(fx, fy) > UNUSUAL_FOCAL * max(width, height):
        unusual.append(f"a focal length of {max(fx, fy) / max(width, height):.3g} longer sides")
    if unusual:
        text = (
            "the camera of an image of %dx%d pixels has %s: is it of another image, or are numbers mixed up?"
        )
        _LOG.warning(text, width, height, " and ".join(unusual))


def _focal_range(width: int, height: int) -> tuple[float, float]:
    """Return the smallest and the largest focal length of an image, in pixels."""
    return LEAST_FOCAL * max(width, height), MOST_FOCAL * max(width, height)


def given_camera(K: object, focal_px: object, size_px: tuple[int, int]) -> Float32[np.ndarray, "3 3"] | None:
    """Return the camera of an image of (height, width) `size_px` that is given; None if none is.

    It is given as a matrix, or as the focal length in pixels of a camera whose optical axis goes through the
    image's centre. Raises HandsError for both, and for one that is not a camera of such an image.
    """
    check_one_camera(K, focal_px)
    height, width = size_px
    if focal_px is None:
        return None if K is None else camera_of(K, width, height)
    focal, (least_px, most_px) = _numbers(focal_px), _focal_range(width, height)
    if focal.shape != () or not least_px <= focal <= most_px:
        raise HandsError(
            f"focal_px is {focal_px}, but in an image of {width}x{height} pixels it must be between "
            f"{least_px:g} and {most_px:g} pixels, usually near the longer side; multiply millimetres by the "
            "image's width over the sensor's"
        )
    camera = centred_camera(float(focal), size_px)
    _warn_of_camera(tuple(camera[:2].ravel().tolist()), width, height)
    return camera


def check_one_camera(K: object, focal_px: object) -> None:
    """Raise HandsError if a camera is given twice."""
    if K is not None and focal_px is not None:
        raise HandsError("K and focal_px were both given; K contains the focal length: leave focal_px out")


def bone_of(bone_mm: object) -> float:
    """Return the length of the middle MCP-PIP bone in mm. Raises HandsError outside 15 to 80 mm."""
    length = _numbers(bone_mm)
    low, high = BONE_RANGE_MM
    if length.shape != () or not low <= length <= high:
        raise HandsError(
            f"bone_mm is {bone_mm}, but must be between {low:g} and {high:g} mm (adults: 35 to 50 mm)"
        )
    return float(length)


def _numbers(value: object) -> Float64[np.ndarray, "..."]:
    """Return an array of numbers, or an empty one if the value is not numeric."""
    try:
        if isinstance(value, TensorLike):
            value = value.detach().cpu().double()
        return np.asarray(value, np.float64)
    except (*BROKEN, RuntimeError):
        return np.empty(0)
