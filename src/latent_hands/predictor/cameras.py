"""The camera of an image: given, from the image file's EXIF data, or of a usual field of view."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from latent_hands.errors import HandsError
from latent_hands.hand.arrays import centred_camera
from latent_hands.predictor.checks import ImageSource, given_camera, opened
from latent_hands.predictor.hand_fields import Camera
from latent_hands.shapes import Float

FIELD_OF_VIEW_DEG = 60.0
"""Field of view of the longer side of an image whose camera is not known."""
LONGEST_SHAPE = 2.4
"""The longer over the shorter side of the images that cameras take, at most: that of cinema films.

A longer image is a panorama or a screenshot. It consists of images that are as large as its shorter side,
and its EXIF data do not describe its camera.
"""
FOCAL_SPREAD = 0.2
"""Relative standard deviation of an assumed focal length: fields of view from 50 to 72 degrees.

EXIF data that state the focal length of a cropped image less exactly are ignored.
"""
FILM_DIAGONAL_MM = math.hypot(36, 24)
SHAPE_TOLERANCE = 0.02
"""Images are resized copies of each other if their aspect ratios differ by less."""
LEGAL_FOCAL = (0.3, 30.0)
"""Range of the focal length over the longer side of the image; EXIF data outside it are ignored."""
_FOCAL_MM, _FOCAL_35MM, _PLANE_X, _PLANE_UNIT, _WIDTH, _HEIGHT = 37386, 41989, 41486, 41488, 40962, 40963
_UNIT_MM = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}


@dataclass(frozen=True)
class ImageCamera:
    """The camera of an image, where it comes from, and the relative error of its focal length."""

    K: Float[np.ndarray, "3 3"]
    source: Camera
    focal_spread: float = 0.0


@dataclass(frozen=True)
class Focal:
    """A focal length in pixels, and its relative standard deviation."""

    px: float
    spread: float = 0.0


def camera_of_image(
    image: ImageSource,
    size_px: tuple[int, int],
    K: np.ndarray | None = None,
    focal_px: float | None = None,
) -> ImageCamera:
    """Return the camera of an image of (height, width) `size_px`.

    It is K or that of `focal_px` if one of them is given, or else that of the EXIF data of the image, or else
    one of `FIELD_OF_VIEW_DEG` on the longer side, or on the shorter side of an image longer than
    `LONGEST_SHAPE`. The optical axis goes through the image's centre unless K is given.

    Raises HandsError for a K or a focal length that is not of such an image, and for both.
    """
    given = given_camera(K, focal_px, size_px)
    if given is not None:
        return ImageCamera(given, "given")
    found = exif_focal(opened(image).exif, size_px)
    if found is not None:
        return ImageCamera(centred_camera(found.px, size_px), "exif", found.spread)
    seen_px = min(size_px) if _is_long(size_px) else max(size_px)
    focal_px = seen_px / 2 / math.tan(math.radians(FIELD_OF_VIEW_DEG / 2))
    return ImageCamera(centred_camera(focal_px, size_px), "assumed", FOCAL_SPREAD)


def resized_camera(
    K: Float[np.ndarray, "3 3"], size_px: tuple[int, int], new_px: tuple[int, int]
) -> Float[np.ndarray, "3 3"]:
    """Return the camera of an image of (height, width) `size_px` after it was resized to `new_px`.

    Raises HandsError if the new size has another shape: the image was cropped or turned, nobody knows how.
    """
    (height, width), (new_height, new_width) = size_px, new_px
    x, y = new_width / width, new_height / height
    if abs(x / y - 1) > SHAPE_TOLERANCE:
        raise HandsError(
            f"K is the camera of images of {width}x{height} pixels, but an image of {new_width}x{new_height} "
            "pixels has another shape: use one K for each size of the images"
        )
    # Pixel centres are at integers, so the upper left corner of an image is at (-0.5, -0.5).
    return np.array([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2], [0, 0, 1]]) @ K


def exif_focal(exif: Mapping[int, Any], size_px: tuple[int, int]) -> Focal | None:
    """Return the focal length that EXIF data state, None if they state none that is possible.

    `FocalLengthIn35mmFilm` refers to the diagonal of the image as it was taken. Without it, `FocalLength` and
    the resolution of the focal plane are used, which need the stated size of the image as it was taken. An
    image of another shape than that was cropped, and perhaps made smaller, too: then the focal length lies
    between two limits. It is None if they are far apart.
    """
    width, height = _number(exif, _WIDTH), _number(exif, _HEIGHT)
    taken_px = (width, height) if width and height else (float(size_px[0]), float(size_px[1]))
    film, focal = _number(exif, _FOCAL_35MM), _number(exif, _FOCAL_MM)
    unit_mm, per_unit = _UNIT_MM.get(int(_number(exif, _PLANE_UNIT) or 2), 0.0), _number(exif, _PLANE_X)
    if film:
        of_taken_px = film / FILM_DIAGONAL_MM * math.hypot(*taken_px)
    elif focal and per_unit and unit_mm and width and height:
        of_taken_px = focal * per_unit / unit_mm
    else:
        return None
    least, most = (of_taken_px * scale for scale in _scales(size_px, taken_px))
    found = Focal(math.sqrt(least * most), math.log(most / least) / math.sqrt(12))
    low, high = (share * max(size_px) for share in LEGAL_FOCAL)
    legal = low <= found.px <= high and found.spread <= FOCAL_SPREAD and not _is_long(size_px)
    return found if legal else None


def _scales(size_px: tuple[int, int], taken_px: tuple[float, float]) -> tuple[float, float]:
    """Return the smallest and the largest scale at which an image may be a part of the image that was taken.

    They are equal for images of one shape, which are resized or rotated copies, and for enlarged parts.
    """
    long, short = max(size_px) / max(taken_px), min(size_px) / min(taken_px)
    least = max(long, short)
    return least, least if abs(long / short - 1) <= SHAPE_TOLERANCE else max(least, 1.0)


def _is_long(size_px: tuple[int, int]) -> bool:
    """Return whether an image is longer than those that cameras take."""
    return max(size_px) > LONGEST_SHAPE * min(size_px)


def _number(exif: Mapping[int, Any], tag: int) -> float | None:
    """Return a positive number of EXIF data, None if it is absent or nonsense."""
    try:
        value = float(exif[tag])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    return value if math.isfinite(value) and value > 0 else None
