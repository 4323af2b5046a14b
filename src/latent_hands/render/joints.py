"""Bones of the hand model and the keypoints read from them, in a named joint convention."""

from typing import Literal

import numpy as np
from jaxtyping import Float32

Convention = Literal["rhd", "anatomical"]

# 0 forearm, 1 hand, 2-4 thumb, then index, middle, ring and little: metacarpal and three phalanges each.
PARENTS = np.array([1, 1, 1, 2, 3, 1, 5, 6, 7, 1, 9, 10, 11, 1, 13, 14, 15, 1, 17, 18, 19])
THUMB_BONES = np.array([2, 3, 4])
FINGER_BONES = np.array([[6, 7, 8], [10, 11, 12], [14, 15, 16], [18, 19, 20]])
LEVELS = (
    np.array([0, 2, 5, 9, 13, 17]),
    np.array([3, 6, 10, 14, 18]),
    np.array([4, 7, 11, 15, 19]),
    np.array([8, 12, 16, 20]),
)
# Bones of the five fingers, thumb first, tip before base: RHD's order of keypoints.
_CHAINS = np.concatenate([THUMB_BONES[None], FINGER_BONES])[:, ::-1]
# The tails of the last bones lie on the skin or before it; fingertips lie this far inside, thumb to little.
TIP_INWARD_M = np.array([[0.002], [0.0035], [0.005], [0.003], [0.003]], np.float32)

# How a convention moves the model's own joints: (keypoint, the one it moves towards, share of the way).
# "rhd" brings the MEAN lengths of the twenty bones, in units of the middle MCP-PIP bone, to those of RHD's
# labels (least squares with a penalty on the millimetres moved): there wrist and MCPs lie deeper in the
# hand. It was calibrated on bone lengths alone, never on what any network predicts for any picture.
SHIFTS: dict[Convention, tuple[tuple[int, int, float], ...]] = {
    "anatomical": (),
    "rhd": (
        (0, 12, 0.035),
        *((4, 0, 0.065), (3, 2, 0.121), (2, 1, 0.078)),
        *((8, 0, 0.067), (7, 8, 0.080), (6, 5, 0.125)),
        *((12, 0, 0.033), (11, 12, 0.050), (10, 11, 0.159)),
        *((16, 0, 0.052), (15, 16, 0.134), (14, 15, 0.167)),
        *((20, 0, 0.095), (19, 18, 0.281), (18, 17, 0.230)),
    ),
}


def keypoints(
    heads: Float32[np.ndarray, "bones 3"], tails: Float32[np.ndarray, "bones 3"], convention: Convention
) -> Float32[np.ndarray, "21 3"]:
    """Keypoints in RHD order (wrist, then five fingers from tip to base) of posed bones.

    convention: "anatomical", the joints about which the mesh bends; "rhd", moved as the labels of the
    Rendered Hand Pose Dataset are (see SHIFTS).
    """
    tips = tails[_CHAINS[:, 0]]
    last = tips - heads[_CHAINS[:, 0]]
    tips = tips - TIP_INWARD_M * last / np.linalg.norm(last, axis=1, keepdims=True)
    fingers = np.concatenate([tips[:, None], heads[_CHAINS]], 1)
    return _CONVENTIONS[convention] @ np.concatenate([heads[1:2], fingers.reshape(20, 3)])


def _linear_map(shifts: tuple[tuple[int, int, float], ...]) -> Float32[np.ndarray, "21 21"]:
    """The convention's keypoints as weighted means of the model's own."""
    weights = np.eye(21, dtype=np.float32)
    for joint, towards, share in shifts:
        weights[joint, joint] -= share
        weights[joint, towards] += share
    return weights


_CONVENTIONS = {name: _linear_map(shifts) for name, shifts in SHIFTS.items()}
