"""Photo: an image, which hand it shows and where; and the crop that a network sees."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64, UInt8
from PIL import Image
from torch import Tensor

from latent_hands.data.image_files import cut_square
from latent_hands.data.palm import crop_square, palm_xyz_mm, scene_square
from latent_hands.data.sample import Sample, pixels, read_rgb
from latent_hands.errors import HandsError
from latent_hands.hand import camera, geometry
from latent_hands.predictor.hand import Side, side

Box = tuple[float, float, float, float]
ImageSource = str | Path | Image.Image | np.ndarray
BONES_MM = (15, 80)
"""Middle MCP-PIP bones are longer than the first, of newborns too, and shorter than the second."""
LEAST_FOCAL = 20
"""A focal length is at least this part of the image's larger side: a view of 169 degrees."""


@dataclass(frozen=True, eq=False)
class Photo:
    """An image of one hand.

    Attributes:
        rgb: the image.
        handedness: "left" or "right".
        box_px: (x, y, width, height) from the image's upper left corner; the square around it is looked at.
        K: the image's camera, if known.
        bone_mm: the length of the middle MCP-PIP bone, if known.
    """

    rgb: UInt8[np.ndarray, "height width 3"]
    handedness: Side
    box_px: Box
    K: Float[np.ndarray, "3 3"] | None = None
    bone_mm: float | None = None

    @classmethod
    def open(
        cls,
        image: ImageSource,
        handedness: str = "left",
        box_px: Sequence[float] | None = None,
        K: np.ndarray | None = None,
        bone_mm: float | None = None,
    ) -> "Photo":
        """From a file, a Pillow image or bytes (height, width, 3); without a box, all of it is looked at.

        Raises HandsError for a broken file, another shape or type, an unknown handedness, a box that misses
        the image, a matrix that is no camera of it in pixels, and a bone that is not of 15 to 80 mm.
        """
        rgb = pixels_of(image)
        height, width = rgb.shape[:2]
        box = (0.0, 0.0, float(width), float(height)) if box_px is None else box_of(box_px, width, height)
        K = None if K is None else camera_of(K, width, height)
        return cls(rgb, side(handedness), box, K, None if bone_mm is None else bone_of(bone_mm))

    @property
    def centre_px(self) -> tuple[float, float]:
        """The middle of the box, pixel centres at integers."""
        x, y, width, height = self.box_px
        return x + (width - 1) / 2, y + (height - 1) / 2

    @property
    def side_px(self) -> float:
        """The side of the square around the box."""
        return max(self.box_px[2:])

    def mirrored(self) -> "Photo":
        """The mirror image, of the other hand."""
        (x, y, width, height), total = self.box_px, self.rgb.shape[1]
        K = self.K
        if K is not None:
            K = np.diag(np.array([-1, 1, 1], np.float32)) @ K @ np.diag(np.array([-1, 1, 1], np.float32))
            K[0, 2] += total - 1
        other: Side = "left" if self.handedness == "right" else "right"
        rgb = np.ascontiguousarray(self.rgb[:, ::-1])
        return replace(self, rgb=rgb, handedness=other, box_px=(total - x - width, y, width, height), K=K)

    def as_left(self) -> "Photo":
        """Of a right hand the mirror image, of a left one itself."""
        return self.mirrored() if self.handedness == "right" else self

    def window(self, out_px: int, margin: float) -> UInt8[Tensor, "3 {out_px} {out_px}"]:
        """The square around the box, `margin` times as wide, resampled; mid-grey beyond the image."""
        return cut_square(self.rgb, self.centre_px, self.side_px * margin, out_px, flip=False)

    def window_camera(self, out_px: int, margin: float) -> Float[Tensor, "3 3"] | None:
        """The camera of that window, if the image's is known."""
        if self.K is None:
            return None
        W = camera.warp_matrix(torch.tensor(self.centre_px), self.side_px * margin, out_px)
        return camera.warp_camera(torch.from_numpy(self.K), W)


def photo_of(sample: Sample, crop: str = "box") -> Photo:
    """A data set's image with what its labels give: side, bone, camera, and the crop that is evaluated on.

    `crop="scene"` is the crop that no pose moves (`scene_square`), as far as it can be told.
    """
    rgb, xyz_mm = read_rgb(sample.image), palm_xyz_mm(sample)
    bone_mm = None if xyz_mm is None else float(geometry.normalise(xyz_mm)[1])
    box = _box(sample, crop, rgb.shape[:2])
    return replace(Photo.open(rgb, sample.side or "left", box, sample.K), bone_mm=bone_mm)


def tag_of(sample: Sample, crop: str = "scene") -> Photo:
    """A sample's tag image, cut as the sample itself is. Raises HandsError if it has none."""
    if sample.tag is None:
        raise HandsError(f"{sample.image} has no tag image; legal: rendered data, and STB")
    rgb = read_rgb(sample.tag)
    return Photo.open(rgb, sample.side or "left", _box(sample, crop, rgb.shape[:2]))


def _box(sample: Sample, crop: str, size_px: tuple[int, int]) -> Box | None:
    square = scene_square(sample) if crop == "scene" else None
    square = square or crop_square(sample, size_px) or sample.window
    if square is None:
        return None
    cx, cy, side_px = square
    return cx + 0.5 - side_px / 2, cy + 0.5 - side_px / 2, side_px, side_px


def pixels_of(image: object) -> UInt8[np.ndarray, "height width 3"]:
    """The bytes of a file, a Pillow image or an array; HandsError for anything else."""
    if isinstance(image, str | Path):
        return read_rgb(image)
    rgb = pixels(image) if isinstance(image, Image.Image) else image
    if not isinstance(rgb, np.ndarray):
        told = type(image).__name__
        raise HandsError(f"an image must be a file, a Pillow image or an array, one at a time, not a {told}")
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3 or 0 in rgb.shape:
        raise HandsError(f"an image must be uint8 (height, width, 3), not {rgb.dtype} {rgb.shape}")
    return rgb


def box_of(numbers: object, width: int, height: int) -> Box:
    """A box (x, y, width, height) in an image of that size; HandsError for anything else."""
    box = _numbers(numbers)
    if box.shape != (4,) or not np.isfinite(box).all() or min(box[2:]) <= 0:
        raise HandsError(f"box is {numbers}; legal: x, y, width, height in pixels, width and height above 0")
    x, y, w, h = box.tolist()
    if x >= width or y >= height or x + w <= 0 or y + h <= 0:
        raise HandsError(f"box {(x, y, w, h)} misses the image of {width}x{height} pixels")
    return x, y, w, h


def camera_of(K: object, width: int, height: int) -> Float32[np.ndarray, "3 3"]:
    """The camera of an image of that size; HandsError for anything else, such as a normalised one."""
    matrix = _numbers(K)
    legal = "(3, 3) [[fx, s, cx], [0, fy, cy], [0, 0, 1]] in pixels"
    if matrix.shape != (3, 3) or not np.isfinite(matrix).all():
        raise HandsError(f"K is {K}; legal: {legal}")
    focal_px = matrix[0, 0], matrix[1, 1]
    if min(focal_px) <= 0 or matrix[1, 0] != 0 or matrix[2].tolist() != [0, 0, 1]:
        raise HandsError(f"K is {matrix.tolist()}; legal: {legal}, fx and fy above 0")
    if min(focal_px) < (least_px := max(width, height) / LEAST_FOCAL):
        raise HandsError(
            f"K has the focal lengths {focal_px[0]:g} and {focal_px[1]:g} in an image of {width}x{height} "
            f"pixels; legal: pixels, at least {least_px:g} (a normalised K times the image's size)"
        )
    return matrix.astype(np.float32)


def bone_of(bone_mm: object) -> float:
    """A bone's length; HandsError for anything that no hand's middle MCP-PIP bone has in millimetres."""
    length = _numbers(bone_mm)
    low, high = BONES_MM
    if length.shape != () or not low <= length <= high:
        raise HandsError(f"bone_mm is {bone_mm}; legal: {low} to {high}, in millimetres (adults: 35 to 50)")
    return float(length)


def _numbers(value: object) -> Float64[np.ndarray, "..."]:
    """An array of numbers, empty if the value is none."""
    try:
        return np.asarray(value, np.float64)
    except (TypeError, ValueError):
        return np.empty(0)
