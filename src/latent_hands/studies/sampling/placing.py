"""The camera of a synthesised image, and the place of its hand."""

import torch
from jaxtyping import Float
from torch import Tensor

from latent_hands.hand.boxes import SCENE_BONES
from latent_hands.hand.camera import centred_camera
from latent_hands.hand.skeleton import MIDDLE_MCP

DISTANCE_BONES = 15.0
"""Distance of the palm from the camera in a scene's crop, in middle MCP-PIP bones: 0.6 m for 40 mm."""
FOCAL = DISTANCE_BONES / SCENE_BONES
"""Focal length in sides of the image."""


def camera_of_crop(crop_px: int) -> Float[Tensor, "3 3"]:
    """Return the assumed camera of an image that is a crop: its optical axis goes through the centre."""
    return centred_camera(FOCAL * crop_px, (crop_px, crop_px))


def palm_of_crop(pose: Float[Tensor, "21 3"], crop: str) -> Float[Tensor, "3"]:
    """Return where the palm is in the camera frame, in bone lengths, by the rule that cuts crops.

    A crop "scene" has the palm at its centre, and is SCENE_BONES wide at the palm. A crop "box" has the
    middle MCP at its centre, and half its side is the largest distance of a joint from it along either axis.
    `pose` is relative to the palm, in bone lengths.
    """
    if crop == "scene":
        return torch.tensor([0.0, 0.0, DISTANCE_BONES])
    reach = (pose[:, :2] - pose[MIDDLE_MCP, :2]).abs().max()
    depth = 2 * reach * FOCAL
    return torch.stack([-pose[MIDDLE_MCP, 0], -pose[MIDDLE_MCP, 1], depth])
