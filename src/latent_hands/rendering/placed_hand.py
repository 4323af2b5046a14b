"""A scene's hand in its place: posed, turned, before the camera, and whether the image can show it so.

Frames. The hand model is a right hand in metres. It is first brought to LEFT form (x mirrored), turned about
its palm by a rotation R (rows: X @ R), mirrored back if the scene's hand is a right one, and moved to the
scene's palm in the camera frame (x right, y down, z forward). So R has the same meaning for both sides.
"""

import dataclasses
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float32

from latent_hands.hand.conventions import RHD, keypoints
from latent_hands.hand.geometry import canonicalise
from latent_hands.hand.rig.articulation import Articulation, neutral
from latent_hands.hand.rig.model import HandModel
from latent_hands.hand.rig.poses import WRIST_LIMITS_DEG, sample_articulation
from latent_hands.hand.skeleton import MIDDLE_MCP, WRIST
from latent_hands.rendering.scene import MIRROR, SCENE_BONES, Scene, left_form, sample_view

NEAREST_M = 0.12
ARM_M = 0.07
"""Thickness of an arm, and how far from the lens its axis stays."""
BEHIND_BONES = 0.9
"""What lies within this distance of the palm's pixel, in middle bones, counts as behind the hand."""
ATTEMPTS = 50
SPILL = 0.08
"""Joints may lie outside the image by this share of its side."""


@dataclass(frozen=True)
class PlacedHand:
    """A posed hand in the camera frame, with the pose and the left-form rotation that put it there.

    xyz_m, uv_px: the joints that frame the image, in RHD's convention. label_m, label_px: in the scene's.
    """

    articulation: Articulation
    rotation: Float[np.ndarray, "3 3"]
    vertices_m: Float32[np.ndarray, "v 3"]
    xyz_m: Float32[np.ndarray, "21 3"]
    uv_px: Float32[np.ndarray, "21 2"]
    label_m: Float32[np.ndarray, "21 3"]
    label_px: Float32[np.ndarray, "21 2"]


def sample_hand(
    scene: Scene, rng: np.random.Generator, articulation: Articulation | None = None
) -> PlacedHand:
    """A random pose (or this one) and a random viewpoint of the scene's hand that the image can show.

    A view that puts joints out of the image is drawn again. Where only the arm is in the way, or its end in
    sight, the wrist is bent another way: labels do not change with it, so the viewpoints stay uniform.
    """
    articulation = articulation or sample_articulation(rng)
    for _ in range(ATTEMPTS):
        rotation = sample_view(rng)
        hand = place_hand(scene, articulation, rotation)
        if not joints_fit(scene, hand):
            continue
        for _ in range(ATTEMPTS):
            if arm_fits(scene, hand):
                return hand
            wrist = rng.uniform(*WRIST_LIMITS_DEG.T)
            hand = place_hand(scene, dataclasses.replace(articulation, wrist=wrist), rotation)
    return tag_hand(scene)


def tag_hand(scene: Scene) -> PlacedHand:
    """The hand of the scene's tag image: neutral pose, palm towards the camera, fingers up.

    In left form that is the canonical frame itself.
    """
    return place_hand(scene, neutral(), upright(scene.identity, neutral()))


def place_hand(scene: Scene, articulation: Articulation, rotation: Float[np.ndarray, "3 3"]) -> PlacedHand:
    """Pose the scene's hand, turn it about its palm (left form, X @ rotation) and put it at the scene's."""
    model = HandModel.load()
    posed = model.pose(model.identity(scene.identity), articulation)
    label = keypoints(posed.points, scene.convention)
    palm = (posed.keypoints[WRIST] + posed.keypoints[MIDDLE_MCP]) / 2
    turn = MIRROR @ rotation @ (MIRROR if scene.side == "right" else np.eye(3))
    vertices, xyz, label = (
        (points - palm) @ turn + scene.palm_m for points in (posed.vertices, posed.keypoints, label)
    )
    arrays = vertices, xyz, _project(xyz, scene.K), label, _project(label, scene.K)
    return PlacedHand(articulation, rotation, *(array.astype(np.float32) for array in arrays))


def upright(
    identity: Float[np.ndarray, "12"], articulation: Articulation, convention: str = RHD
) -> Float[np.ndarray, "3 3"]:
    """The rotation of left form into the posed hand's canonical frame: the inverse of its viewpoint."""
    _, viewpoint = canonicalise(torch.from_numpy(left_form(identity, articulation, convention)))
    return viewpoint.numpy().T


def joints_fit(scene: Scene, hand: PlacedHand) -> bool:
    """Whether all joints are (nearly) in the image and none is too close."""
    spill_px = SPILL * scene.size_px
    inside = (hand.uv_px > -spill_px) & (hand.uv_px < scene.size_px - 1 + spill_px)
    return bool(inside.all() and hand.xyz_m[:, 2].min() > NEAREST_M)


def arm_fits(scene: Scene, hand: PlacedHand) -> bool:
    """Whether the arm leaves the lens free, and its end is out of the image or behind the hand."""
    wrist, end = hand.xyz_m[WRIST], hand.vertices_m[HandModel.load().forearm.argmax()]
    along = end - wrist
    nearest = wrist + np.clip(-wrist @ along / (along @ along), 0, 1) * along
    if np.linalg.norm(nearest) < ARM_M:
        return False
    if end[2] <= 0:
        return True
    end_px = scene.K[:2] @ end / end[2]
    radius_px = scene.K[0, 0] * ARM_M / 2 / end[2]
    outside = np.abs(end_px - (scene.size_px - 1) / 2).max() > scene.size_px / 2 + radius_px
    cx, cy, side = scene.box
    return bool(outside or np.hypot(*(end_px - (cx, cy))) + radius_px < BEHIND_BONES / SCENE_BONES * side)


def _project(xyz_m: Float[np.ndarray, "n 3"], K: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "n 2"]:
    """Pixels of points in the camera frame."""
    uvw = xyz_m @ K.T
    return uvw[:, :2] / uvw[:, 2:]
