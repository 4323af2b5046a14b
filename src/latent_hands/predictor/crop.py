"""Crops that show one hand, and readings of them: what models with and without torch share."""

from abc import ABC
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from latent_hands.hand.arrays import ray_rotation, wrist_form
from latent_hands.hand.boxes import ROOM, Box, box_of_joints, crop_of_joints
from latent_hands.hand.skeleton import MIDDLE_MCP
from latent_hands.predictor.hand import Handedness
from latent_hands.predictor.placing import disagreement
from latent_hands.shapes import Float, UInt8

SCALE_TOLERANCE, SHIFT_TOLERANCE = 0.1, 0.05
"""A crop is read again if it differs from that of its joints by more, relative to its side."""
MOST_CHANGE = 1.15
"""The largest change of a crop's side at one refinement, as a factor. It is chosen on Ge et al. (2019)."""


@dataclass(frozen=True, eq=False)
class Crop(ABC):
    """The square around a hand in an image, with what is known about the hand.

    Attributes:
        rgb: (height, width, 3) uint8, the image.
        handedness: "left" or "right".
        box_px: (x, y, width, height) from the image's upper left corner. The model reads the square around
            it.
        K: (3, 3) the image's camera, if known.
        bone_mm: length of the middle finger's bone between MCP and PIP, if known.
    """

    rgb: UInt8[np.ndarray, "height width 3"]
    handedness: Handedness
    box_px: Box
    K: Float[np.ndarray, "3 3"] | None = None
    bone_mm: float | None = None

    @property
    def centre_px(self) -> tuple[float, float]:
        """Centre of the box; pixel centres are at integers."""
        x, y, width, height = self.box_px
        return x + (width - 1) / 2, y + (height - 1) / 2

    @property
    def side_px(self) -> float:
        """Side of the square around the box."""
        return max(self.box_px[2:])

    @property
    def crop_box_px(self) -> Box:
        """The square around the box, as a box (x, y, side, side)."""
        (u, v), side = self.centre_px, self.side_px
        return u + (1 - side) / 2, v + (1 - side) / 2, side, side

    def along_ray(self, pose: Any) -> Float[np.ndarray, "21 3"]:
        """Rotate a pose from the camera frame into the frame of the ray through the box.

        Perspective distorts it least in that frame. Without a camera the pose is returned unchanged. `pose`
        is an array or a tensor (21, 3).
        """
        pose = np.asarray(pose)
        return pose if self.K is None else pose @ ray_rotation(self.K, self.centre_px)

    def joints_px(self, outputs: Mapping[str, Any]) -> Float[np.ndarray, "21 2"]:
        """Return the joints of a predicted hand in the image.

        They are the predicted "uv", whose unit is half the side of the crop, or else the "pose", placed by
        the crop (`place`). The values of `outputs` are arrays or tensors.
        """
        if "uv" in outputs:
            uv = np.asarray(outputs["uv"], np.float32)
            return np.array(self.centre_px, np.float32) + np.float32(self.side_px / 2) * uv
        return self.place(self.along_ray(outputs["pose"]))

    def place(self, pose: Any) -> Float[np.ndarray, "21 2"]:
        """Return the joints of a pose in the image, without perspective, so that the crop is its own crop.

        A crop is centred on the middle MCP. Half its side is the largest distance of a joint from that
        centre along either axis. So the pose's own largest distance gives the pixels of a bone length.
        """
        pose = np.asarray(pose, np.float32)
        offset = pose[:, :2] - pose[MIDDLE_MCP, :2]
        bone_px = np.float32(0.5 * self.side_px) / np.abs(offset).max()
        return np.array(self.centre_px, np.float32) + bone_px * offset


@dataclass(frozen=True, eq=False)
class CropReading(ABC):
    """The prediction of a model for a crop of an image, read as a hand of one side.

    Attributes:
        crop: the image with crop, handedness and camera.
        outputs: attributes of `rotations.Prediction` of this hand, as it is in the image: not mirrored. They
            are arrays or tensors.
    """

    crop: Crop
    outputs: Mapping[str, Any]

    @cached_property
    def uv_px(self) -> Float[np.ndarray, "21 2"]:
        """Joints in the image, in pixels."""
        return self.crop.joints_px(self.outputs)

    @cached_property
    def box_px(self) -> Box:
        """Box of the joints, with the wrist in place of the palm."""
        return box_of_joints(wrist_form(self.uv_px))

    @cached_property
    def disagreement(self) -> float:
        """Return the distance of pose and joints in the image, in bone lengths (`placing.disagreement`)."""
        return disagreement(self.crop.along_ray(self.outputs["pose"]), self.uv_px)

    @property
    def outside(self) -> float:
        """Return the share of the joints that lie outside the image."""
        height, width = self.crop.rgb.shape[:2]
        inside = (self.uv_px > -0.5) & (self.uv_px < np.array([width, height]) - 0.5)
        return float(1 - inside.all(axis=1).mean())

    @property
    def next_crop(self) -> Box:
        """The crop around the joints that this reading found, with `ROOM`, and `MOST_CHANGE` at most."""
        x, y, side, _ = crop_of_joints(self.uv_px, self.crop.rgb.shape[:2], ROOM)
        legal = min(max(side, self.crop.side_px / MOST_CHANGE), self.crop.side_px * MOST_CHANGE)
        return x + (side - legal) / 2, y + (side - legal) / 2, legal, legal

    @property
    def is_off(self) -> bool:
        """Return whether the crop differs so much from `next_crop` that the hand must be read again."""
        return is_off(self.crop.crop_box_px, self.next_crop)


def is_off(crop: Box, wanted: Box) -> bool:
    """Return whether a square crop differs from a wanted one by more than the tolerances."""
    (x, y, side, _), (u, v, wanted_side, _) = crop, wanted
    shift = max(abs(u + wanted_side / 2 - x - side / 2), abs(v + wanted_side / 2 - y - side / 2))
    return abs(wanted_side / side - 1) > SCALE_TOLERANCE or shift > SHIFT_TOLERANCE * side
