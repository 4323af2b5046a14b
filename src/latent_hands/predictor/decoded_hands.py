"""The camera of a decoded image, and where its hand is: the labels of synthesised images."""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from latent_hands.hand import camera
from latent_hands.hand.boxes import SCENE_BONES
from latent_hands.hand.camera import centred_camera
from latent_hands.hand.skeleton import MIDDLE_MCP
from latent_hands.paper.modality import Batch
from latent_hands.predictor.find import hand_of
from latent_hands.predictor.hand import ASSUMED_BONE_MM, Hand
from latent_hands.predictor.hand_crop import HandCrop
from latent_hands.predictor.hand_factors import with_canonical
from latent_hands.predictor.reading import Reading
from latent_hands.predictor.trained_graph import TrainedGraph

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


def decoded_hands(graph: TrainedGraph, decoded: Batch) -> list[Hand]:
    """Return the left hands of decoded modalities: "pose", and others that describe a hand.

    The hand is where the crop of the graph has it. Its joints in the image are decoded ("uv"), or projected
    by the camera, which is assumed, as the bone is.
    """
    blank = HandCrop.open(np.zeros((graph.crop_px, graph.crop_px, 3), np.uint8))
    poses = {name: value.cpu() for name, value in with_canonical(decoded, None).items()}
    each = [{name: value[i] for name, value in poses.items()} for i in range(len(poses["pose"]))]
    hands = [hand_of(graph, Reading(blank, outputs), None, None) for outputs in each]
    return hands if "uv" in poses else [_placed(hand, graph) for hand in hands]


def _placed(hand: Hand, graph: TrainedGraph) -> Hand:
    """Return a hand before the assumed camera of its crop."""
    pose, K = torch.from_numpy(hand.pose), camera_of_crop(graph.crop_px)
    palm = palm_of_crop(pose, graph.experiment.data.crop)
    return replace(
        hand,
        uv_px=camera.project(pose + palm, K).numpy(),
        palm_mm=ASSUMED_BONE_MM * palm.numpy(),
        frame="camera",
        K=K.numpy(),
        camera="assumed",
    )
