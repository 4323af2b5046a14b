"""A scene's hand before the camera: posed, rotated, moved, and tested whether it fits into the image.

The hand model is a right hand in metres. It is converted to left form (x mirrored), rotated about its palm by
R (rows: X @ R), mirrored back for a right hand, and moved to the scene's palm. So R has the same meaning for
both sides. The camera frame is x right, y down, z forward.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Float32

from latent_hands.hand.boxes import SCENE_BONES
from latent_hands.hand.conventions import FRAMING, keypoints
from latent_hands.hand.rig.articulation import Articulation, neutral
from latent_hands.hand.rig.collision import segment_distance
from latent_hands.hand.rig.model import HandModel, PosedHand
from latent_hands.hand.rig.poses import sample_articulation, with_wrist
from latent_hands.hand.skeleton import LITTLE_MCP, MIDDLE_MCP, WRIST
from latent_hands.rendering.grasp import closed_around
from latent_hands.rendering.scene import MIRROR, Scene, left_form, sample_view, shape_of

NEAREST_M = 0.12
"""Least depth of a joint."""
ARM_M = 0.07
"""Thickness of an arm, and least distance of its axis from the lens."""
FOREARM_M, FOREARM_RADIUS_M = (0.03, 0.25), 0.033
"""Beginning and end of the forearm, from the wrist, and its radius, for the test of what it hides."""
MOST_HIDDEN = 5
"""At most this many of the 20 finger joints lie behind the forearm."""
WIDEST = 3.0
"""The last wrists that are drawn for a viewpoint have this many times the usual spread."""
BEHIND_BONES = 0.9
"""A point within this distance from the palm's pixel, in middle bones, counts as behind the hand."""
ATTEMPTS, WRISTS = 50, 16
"""Viewpoints that are drawn for an image, and wrists for each of them."""
SPILL = 0.08
"""Greatest distance of a joint outside the image, in image sides."""


@dataclass(frozen=True)
class PlacedHand:
    """A posed hand in the camera frame.

    Args:
        articulation: Its pose.
        rotation: Its rotation, left form.
        vertices_m: Vertices of the fine surface.
        xyz_m, uv_px: Joints in the convention FRAMING, which decide whether the hand fits.
        label_m, label_px: Joints in the scene's convention.
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
    """Draw a pose (unless one is given) and a viewpoint for which the scene's hand fits into the image.

    A drawn pose closes around the object that the scene's hand holds.
    A viewpoint with joints outside the image is drawn again. If only the arm does not fit, the wrist is drawn
    again, with a growing spread. A viewpoint for which no wrist fits is drawn again: then the forearm is
    between camera and hand. After ATTEMPTS viewpoints the result is the hand of `tag_hand`.
    """
    if articulation is None:
        articulation, thing = sample_articulation(rng), scene.look.thing
        if thing is not None and thing.held:
            articulation = closed_around(thing, scene.identity, articulation)
    for _ in range(ATTEMPTS):
        rotation = sample_view(rng)
        hand = place_hand(scene, articulation, rotation)
        if not joints_fit(scene, hand):
            continue
        for spread in np.linspace(1, WIDEST, WRISTS):
            if arm_fits(scene, hand):
                return hand
            wrist = with_wrist(articulation, rng, spread).wrist
            hand = place_hand(scene, dataclasses.replace(articulation, wrist=wrist), rotation)
    return tag_hand(scene)


def tag_hand(scene: Scene) -> PlacedHand:
    """Return the hand of the scene's tag image: neutral pose, palm towards the camera, fingers up.

    In left form this is the canonical frame.
    """
    return place_hand(scene, neutral(), upright(scene.identity, neutral()))


def place_hand(scene: Scene, articulation: Articulation, rotation: Float[np.ndarray, "3 3"]) -> PlacedHand:
    """Pose the scene's hand, rotate it about its palm (left form, X @ rotation) and move it to its place."""
    posed = HandModel.load().pose(shape_of(scene.identity), articulation)
    label = keypoints(posed.points, scene.convention)
    vertices, xyz, label = (
        _to_camera(points, posed, rotation, scene.side, scene.palm_m)
        for points in (posed.vertices, posed.keypoints, label)
    )
    arrays = vertices, xyz, _project(xyz, scene.K), label, _project(label, scene.K)
    return PlacedHand(articulation, rotation, *(array.astype(np.float32) for array in arrays))


def labels_of_factors(
    factors: dict[str, Any], K: Float[np.ndarray, "3 3"], convention: str
) -> tuple[Float32[np.ndarray, "21 3"], Float32[np.ndarray, "21 2"]]:
    """Return the labels (metres, pixels) of a hand in a convention, from its recorded factors.

    `factors` has "identity", "articulation", "rotation", "side" and "palm_m", as a line of
    factors_SPLIT.jsonl. The labels are those of `place_hand`. Raises KeyError, TypeError, ValueError or
    HandsError if a factor is missing or broken.
    """
    model, articulation = HandModel.load(), Articulation.from_json(factors["articulation"])
    posed = model.pose(model.identity(np.array(factors["identity"])), articulation)
    rotation, palm_m = np.array(factors["rotation"]), np.array(factors["palm_m"])
    label = keypoints(posed.points, convention)
    xyz = _to_camera(label, posed, rotation, factors["side"], palm_m)
    return xyz.astype(np.float32), _project(xyz, K).astype(np.float32)


def _to_camera(
    points: Float32[np.ndarray, "n 3"],
    posed: PosedHand,
    rotation: Float[np.ndarray, "3 3"],
    side: str,
    palm_m: Float[np.ndarray, "3"],
) -> Float[np.ndarray, "n 3"]:
    """Return points of the hand frame in the camera frame: rotated about the palm, and moved to its place."""
    palm = (posed.keypoints[WRIST] + posed.keypoints[MIDDLE_MCP]) / 2
    turn = MIRROR @ rotation @ (MIRROR if side == "right" else np.eye(3))
    return (points - palm) @ turn + palm_m


def upright(
    identity: Float[np.ndarray, "12"], articulation: Articulation, convention: str = FRAMING
) -> Float[np.ndarray, "3 3"]:
    """Return the rotation from left form into the canonical frame of a posed hand.

    It is the inverse of the viewpoint of `geometry.canonicalise`, in NumPy: rendering imports no torch.
    """
    joints = left_form(identity, articulation, convention)
    middle, little = joints[MIDDLE_MCP], joints[LITTLE_MCP]
    y = -middle / np.linalg.norm(middle)
    across = little - (little @ y) * y
    x = across / np.linalg.norm(across)
    return np.stack([x, y, np.cross(x, y)], axis=1)


def joints_fit(scene: Scene, hand: PlacedHand) -> bool:
    """Return whether all joints are inside the image, with a margin of SPILL, and none is too close."""
    spill_px = SPILL * scene.size_px
    inside = (hand.uv_px > -spill_px) & (hand.uv_px < scene.size_px - 1 + spill_px)
    return bool(inside.all() and hand.xyz_m[:, 2].min() > NEAREST_M)


def arm_fits(scene: Scene, hand: PlacedHand) -> bool:
    """Return whether the arm is far from the lens, hides few joints, and its end is not visible.

    The end is outside the image or behind the hand.
    """
    wrist, end = hand.xyz_m[WRIST], hand.vertices_m[HandModel.load().forearm.argmax()]
    along = end - wrist
    nearest = wrist + np.clip(-wrist @ along / (along @ along), 0, 1) * along
    if np.linalg.norm(nearest) < ARM_M or hidden_by_arm(hand) > MOST_HIDDEN:
        return False
    if end[2] <= 0:
        return True
    end_px = scene.K[:2] @ end / end[2]
    radius_px = scene.K[0, 0] * ARM_M / 2 / end[2]
    outside = np.abs(end_px - (scene.size_px - 1) / 2).max() > scene.size_px / 2 + radius_px
    cx, cy, side = scene.box
    return bool(outside or np.hypot(*(end_px - (cx, cy))) + radius_px < BEHIND_BONES / SCENE_BONES * side)


def hidden_by_arm(hand: PlacedHand) -> int:
    """Return how many of the 20 finger joints lie behind the forearm, which counts as a rod."""
    wrist, end = hand.xyz_m[WRIST], hand.vertices_m[HandModel.load().forearm.argmax()]
    along = (end - wrist) / np.linalg.norm(end - wrist)
    fingers = np.delete(hand.xyz_m, WRIST, 0)
    start, stop = (np.tile(wrist + length_m * along, (20, 1)) for length_m in FOREARM_M)
    return int((segment_distance(np.zeros((20, 3)), fingers, start, stop) < FOREARM_RADIUS_M).sum())


def _project(xyz_m: Float[np.ndarray, "n 3"], K: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "n 2"]:
    """Return the pixels of points in the camera frame."""
    uvw = xyz_m @ K.T
    return uvw[:, :2] / uvw[:, 2:]
