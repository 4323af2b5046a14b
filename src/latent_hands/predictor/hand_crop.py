"""HandCrop: a hand in an image, and the square around it that a network reads."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from latent_hands.data.formats.image import read_rgb
from latent_hands.data.image_files import cut_square
from latent_hands.data.labelled_images import read_labelled
from latent_hands.data.palm import crop_square, palm_xyz_mm, scene_square
from latent_hands.data.sample import Sample
from latent_hands.errors import HandsError
from latent_hands.hand import camera, geometry
from latent_hands.hand.boxes import Box
from latent_hands.hand.handedness import OTHER_HAND, check_handedness
from latent_hands.pixels import from_bytes
from latent_hands.predictor.checks import ImageSource, bone_of, box_of, camera_of, pixels_of
from latent_hands.predictor.crop import Crop

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class HandCrop(Crop):
    """A hand in an image: its box, and what is known about it. `Model.crop_of` and `HandCrop.open` make one.

    `Model.estimate` and the methods of synthesis read the square around its box as it is, without any search.

    Attributes:
        rgb: (height, width, 3) uint8, the image.
        handedness: "left" or "right".
        box_px: (x, y, width, height) in pixels from the image's upper left corner.
        K: (3, 3) the image's camera in pixels; None if it is not known.
        bone_mm: length of the middle finger's bone between MCP (knuckle) and PIP; None if it is not known.
    """

    def __repr__(self) -> str:
        """Return one line: the size of the image, the side and the box."""
        height, width = self.rgb.shape[:2]
        box = ", ".join(f"{number:.0f}" for number in self.box_px)
        return f"HandCrop({width}x{height} px, {self.handedness}, box_px=({box}))"

    @classmethod
    def open(
        cls,
        image: ImageSource,
        handedness: str = "left",
        box_px: Sequence[float] | None = None,
        K: np.ndarray | None = None,
        bone_mm: float | None = None,
    ) -> "HandCrop":
        """Open an image, and state where its hand is.

        Args:
            image: a file, a Pillow image, a uint8 array (height, width, 3) in RGB order, or a uint8 tensor of
                torch (3, height, width).
            handedness: the side of the hand, "left" or "right".
            box_px: (x, y, width, height) in pixels from the upper left corner; by default the whole image.
            K: the camera (3, 3) in pixels.
            bone_mm: length of the middle finger's bone between MCP (knuckle) and PIP.

        Raises HandsError for a broken file, for another shape or type, for an unknown handedness, for a box
        outside the image, for a matrix that is not the image's camera in pixels, and for a bone outside 15 to
        80 mm.
        """
        rgb = pixels_of(image)
        rgb = rgb.copy() if rgb is image else rgb  # a loop may use one buffer for all images
        height, width = rgb.shape[:2]
        box = (0.0, 0.0, float(width), float(height)) if box_px is None else box_of(box_px, width, height)
        K = None if K is None else camera_of(K, width, height)
        bone = None if bone_mm is None else bone_of(bone_mm)
        return cls(rgb, check_handedness(handedness), box, K, bone)

    def mirrored(self) -> "HandCrop":
        """Return the mirror image, which is of the other hand."""
        (x, y, width, height), total = self.box_px, self.rgb.shape[1]
        K = self.K
        if K is not None:
            K = np.diag(np.array([-1, 1, 1], np.float32)) @ K @ np.diag(np.array([-1, 1, 1], np.float32))
            K[0, 2] += total - 1
        rgb, box = np.ascontiguousarray(self.rgb[:, ::-1]), (total - x - width, y, width, height)
        return replace(self, rgb=rgb, handedness=OTHER_HAND[self.handedness], box_px=box, K=K)

    def as_left(self) -> "HandCrop":
        """Return the crop of a left hand: itself, or the mirror image if the hand is a right one."""
        return self.mirrored() if self.handedness == "right" else self

    def window(self, out_px: int, margin: float) -> UInt8[Tensor, "3 {out_px} {out_px}"]:
        """Return the square around the box, `margin` times as wide; it is mid-grey outside the image."""
        return cut_square(self.rgb, self.centre_px, self.side_px * margin, out_px, flip=False)

    def window_camera(self, out_px: int, margin: float) -> Float[Tensor, "3 3"] | None:
        """Return the camera of that window, or None if the image's camera is unknown."""
        if self.K is None:
            return None
        W = camera.warp_matrix(torch.tensor(self.centre_px), self.side_px * margin, out_px)
        return camera.warp_camera(torch.from_numpy(self.K), W)

    def to_tensor(self, crop_px: int) -> Float[Tensor, "1 3 {crop_px} {crop_px}"]:
        """Return the square around the box as a network's input, a batch of one in [-1, 1]."""
        return from_bytes(self.window(crop_px, 1.0)[None])


def crop_of_sample(sample: Sample, crop: str = "box") -> HandCrop:
    """Return a sample's image with handedness, bone length, camera and box from its labels.

    `crop="scene"` takes the square that does not depend on the pose (`palm.scene_square`) if it is known.
    """
    rgb, xyz_mm = read_labelled(sample), palm_xyz_mm(sample)
    bone_mm = None if xyz_mm is None else float(geometry.normalise(xyz_mm)[1])
    box = _box(sample, crop, rgb.shape[:2])
    return replace(HandCrop.open(rgb, _side(sample), box, sample.K), bone_mm=bone_mm)


def tag_of(sample: Sample, crop: str = "scene") -> HandCrop:
    """Return a sample's tag image with the box of the sample itself. Raises HandsError if it has none."""
    if sample.tag is None:
        raise HandsError(f"{sample.image} has no tag image; rendered data and STB have tag images")
    rgb = read_rgb(sample.tag)
    return HandCrop.open(rgb, _side(sample), _box(sample, crop, rgb.shape[:2]))


def _side(sample: Sample) -> str:
    """Return the side of a sample, "left" if none is labelled: a warning says so, once for each sample."""
    if sample.handedness is None:
        _announce_side(sample.where)
    return sample.handedness or "left"


@lru_cache(1000)
def _announce_side(where: str) -> None:
    _LOG.warning('%s has no "handedness" and is read as a left hand: state the side of right hands', where)


def _box(sample: Sample, crop: str, size_px: tuple[int, int]) -> Box | None:
    square = scene_square(sample) if crop == "scene" else None
    square = square or crop_square(sample, size_px) or sample.scene_box
    if square is None:
        return None
    cx, cy, side_px = square
    return cx + 0.5 - side_px / 2, cy + 0.5 - side_px / 2, side_px, side_px
