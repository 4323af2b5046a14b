"""The camera of an image: given, from the image file's EXIF data, or of a usual field of view."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from PIL import Image

from latent_hands.data.formats.image import open_image
from latent_hands.errors import HandsError
from latent_hands.hand.arrays import centred_camera
from latent_hands.predictor.checks import ImageSource, camera_of
from latent_hands.predictor.hand_fields import Camera

FIELD_OF_VIEW_DEG = 60.0
"""Field of view of the longer side of an image whose camera is not known."""
LONGEST_SHAPE = 2.4
"""The longer over the shorter side of the images that cameras take, at most: that of cinema films.

A longer image is a panorama or a screenshot. Its camera saw as much along a side of this ratio.
"""
FOCAL_SPREAD = 0.2
"""Relative standard deviation of an assumed focal length: fields of view from 50 to 72 degrees."""
FILM_DIAGONAL_MM = math.hypot(36, 24)
SHAPE_TOLERANCE = 0.02
"""Images are resized copies of each other if their aspect ratios differ by less."""
LEGAL_FOCAL = (0.3, 30.0)
"""Range of the focal length over the longer side of the image; EXIF data outside it are ignored."""
_EXIF_IFD, _FOCAL_MM, _FOCAL_35MM, _PLANE_X, _PLANE_UNIT, _WIDTH, _HEIGHT = (
    *(0x8769, 37386, 41989, 41486, 41488),
    *(40962, 40963),
)
_UNIT_MM = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}


@dataclass(frozen=True)
class ImageCamera:
    """The camera of an image, where it comes from, and the relative error of its focal length."""

    K: Float[np.ndarray, "3 3"]
    source: Camera
    focal_spread: float = 0.0


def camera_of_image(image: ImageSource, size_px: tuple[int, int], K: np.ndarray | None = None) -> ImageCamera:
    """Return the camera of an image of (height, width) `size_px`.

    It is K if that is given, or else that of the EXIF data of a file or a Pillow image, or else one of
    `FIELD_OF_VIEW_DEG` on the longer side, of which `LONGEST_SHAPE` shorter sides count at most. The optical
    axis of the last two goes through the image's centre.

    Raises HandsError for a K that is not a camera of such an image.
    """
    height, width = size_px
    if K is not None:
        return ImageCamera(camera_of(K, width, height), "given")
    focal_px = exif_focal_px(_exif(image), size_px)
    if focal_px is not None:
        return ImageCamera(centred_camera(focal_px, size_px), "exif")
    seen_px = min(max(size_px), LONGEST_SHAPE * min(size_px))
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


def exif_focal_px(exif: Mapping[int, Any], size_px: tuple[int, int]) -> float | None:
    """Return the focal length in pixels that EXIF data state, None if they state none that is possible.

    `FocalLengthIn35mmFilm` refers to the diagonal, so it holds for resized and rotated images. Without it,
    `FocalLength` and the resolution of the focal plane are used; they refer to the image as it was taken, so
    its longer side must be stated, too.
    """
    film, focal = _number(exif, _FOCAL_35MM), _number(exif, _FOCAL_MM)
    found = None
    if film:
        found = film / FILM_DIAGONAL_MM * math.hypot(*size_px)
    elif focal:
        unit_mm = _UNIT_MM.get(int(_number(exif, _PLANE_UNIT) or 2), 0.0)
        per_unit = _number(exif, _PLANE_X)
        taken = max(_number(exif, _WIDTH) or 0, _number(exif, _HEIGHT) or 0)
        if unit_mm and per_unit and taken:
            found = focal * per_unit / unit_mm * max(size_px) / taken
    low, high = (share * max(size_px) for share in LEGAL_FOCAL)
    return found if found is not None and low <= found <= high else None


def _exif(image: ImageSource) -> Mapping[int, Any]:
    """Return the EXIF data of a photograph; empty where there are none or where they are broken."""
    try:
        if isinstance(image, Image.Image):
            return image.getexif().get_ifd(_EXIF_IFD)
        if isinstance(image, str | Path):
            with open_image(image) as opened:
                return opened.getexif().get_ifd(_EXIF_IFD)
    except Exception:  # a photograph with broken EXIF data is still a photograph
        return {}
    return {}


def _number(exif: Mapping[int, Any], tag: int) -> float | None:
    """Return a positive number of EXIF data, None if it is absent or nonsense."""
    try:
        value = float(exif[tag])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    return value if math.isfinite(value) and value > 0 else None
