"""The joints and angles of a clip as arrays, for robot hands and for programs of one's own."""

import io
from pathlib import Path

import numpy as np
from jaxtyping import Float

from latent_hands.animation.clip import Clip
from latent_hands.animation.times import shown
from latent_hands.errors import HandsError, as_path
from latent_hands.files import write_bytes
from latent_hands.hand.handedness import Handedness
from latent_hands.hand.rig.articulation import ANGLES
from latent_hands.hand.skeleton import reorder

_INDEX_MCP, _MIDDLE_MCP = 5, 9  # of the order mediapipe
OPERATOR_TO_MANO = {
    "right": np.array([[0.0, 0, -1], [-1, 0, 0], [0, 1, 0]]),
    "left": np.array([[0.0, 0, -1], [1, 0, 0], [0, -1, 0]]),
}
"""OPERATOR2MANO of dex-retargeting: from the frame of the palm to the wrist's frame of MANO."""


def write_joints(path: str | Path, clip: Clip) -> Path:
    """Write the joints of h hands at the t frames of a clip as .npz.

    * names, handedness (h): the name and the side of each hand. seconds (t): the times of the frames.
    * present (h, t): whether the hand is there. Elsewhere, its pose is interpolated or held.
    * joints_m (h, t, 21, 3): joints of the mesh in the order mediapipe, in the camera frame, metres.
    * mano_m (h, t, 21, 3): the same relative to the wrist, in the axes that dex-retargeting reads.
    * wrist_rotations (h, t, 3, 3): R of joints_m = wrist + mano_m @ R.T.
    * angles_deg (h, t, 22), angle_names (22): the joint angles (`articulation.ANGLES`).

    Raises HandsError for an ending other than .npz.
    """
    path = as_path(path, "path")
    if path.suffix != ".npz":
        raise HandsError(f"{path} does not end in .npz")
    hands = [hand.at(clip.seconds) for hand in clip.hands]
    joints_m = np.stack([reorder(hand.joints_m(), "rhd", "mediapipe") for hand in hands])
    rotations = np.stack(
        [wrist_rotations(j, hand.handedness) for j, hand in zip(joints_m, hands, strict=True)]
    )
    arrays = {
        "names": np.array([hand.name for hand in hands], np.str_),
        "handedness": np.array([hand.handedness for hand in hands], np.str_),
        "seconds": clip.seconds,
        "present": np.stack([shown(hand.seconds, clip.duration, clip.seconds) for hand in clip.hands]),
        "joints_m": joints_m,
        "mano_m": (joints_m - joints_m[:, :, :1]) @ rotations,
        "wrist_rotations": rotations,
        "angles_deg": np.stack([hand.angles_deg[:, : len(ANGLES)] for hand in hands]),
        "angle_names": np.array(ANGLES, np.str_),
    }
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return write_bytes(path, buffer.getvalue())


def wrist_rotations(
    joints_m: Float[np.ndarray, "t 21 3"], handedness: Handedness
) -> Float[np.ndarray, "t 3 3"]:
    """Return the axes (columns) of the wrist's frame that dex-retargeting computes from joints in this order.

    The frame of the palm has x from the middle knuckle to the wrist, and z in the plane of the palm, towards
    the index finger. It is then turned to the axes of MANO.
    """
    wrist, index, middle = (joints_m[:, joint] for joint in (0, _INDEX_MCP, _MIDDLE_MCP))
    x = _unit(wrist - middle)
    across = index - middle
    z = _unit(across - (across * x).sum(-1, keepdims=True) * x)
    return np.stack([x, np.cross(z, x), z], -1) @ OPERATOR_TO_MANO[handedness]


def _unit(vectors: Float[np.ndarray, "t 3"]) -> Float[np.ndarray, "t 3"]:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
