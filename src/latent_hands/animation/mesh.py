"""The mesh and the joint angles of one predicted hand."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int32

from latent_hands.animation.fitting import Fitted, fit_hands
from latent_hands.hand.rig.articulation import ANGLES, Articulation
from latent_hands.hand.rig.model import HandModel
from latent_hands.hand.rig.skin import Skin
from latent_hands.predictor import Hand


class HandMesh(NamedTuple):
    """A closed mesh of a hand with a short piece of its arm.

    Attributes:
        vertices_mm: the vertices in millimetres, relative to the palm and in the frame of `Hand.xyz_mm`. Add
            `Hand.palm_mm` for the camera frame.
        faces: triangles of vertex numbers, counter-clockwise seen from outside; the same for all hands of
            one side.
        error_mm: the mean distance of the joints of the mesh from the predicted joints.
    """

    vertices_mm: Float32[np.ndarray, "6841 3"]
    faces: Int32[np.ndarray, "13678 3"]
    error_mm: float


def hand_mesh(hand: Hand) -> HandMesh:
    """Return the mesh of a predicted hand: the CC0 hand of the package, fitted to the joints.

    Shape, angles and place are those of `latent_hands.animation.fit_hands`. The joints of the mesh do not
    coincide with the prediction, whose proportions no hand needs to have: `error_mm` is the mean distance.

    Raises HandsError for a joint convention without a table.
    """
    fitted, skin = fit_hands([hand]), Skin.load()
    left = hand.handedness == "left"
    posed = HandModel.load().pose(fitted.shape, Articulation.from_flat(fitted.angles_deg[0]))
    vertices = skin.of_coarse @ posed.coarse * np.array([-1 if left else 1, 1, 1])
    placed = 1000 * (vertices @ fitted.rotations[0].T + fitted.places_m[0])
    faces = np.ascontiguousarray(skin.faces[:, ::-1] if left else skin.faces)
    return HandMesh(placed.astype(np.float32), faces, float(fitted.error_mm.mean()))


def with_angles(hands: Sequence[Hand]) -> list[Hand]:
    """Return hands with their joint angles (`Hand.angles_deg`); each hand is fitted alone.

    Raises HandsError for a joint convention without a table.
    """
    return [replace(hand, angles_deg=_angles(fit_hands([hand]))) for hand in hands]


def joint_angles(hand: Hand) -> dict[str, float]:
    """Return the joint angles of a hand in degrees, by name.

    All are 0 for a flat hand with straight fingers and a thumb at rest. Flexion is positive towards the palm,
    abduction towards the little finger. docs/animation.md has the range of each.

    Raises HandsError for a joint convention without a table.
    """
    angles = hand.angles_deg
    if angles is None:
        angles = _angles(fit_hands([hand]))
    return dict(zip(ANGLES, angles.tolist(), strict=True))


def _angles(fitted: Fitted) -> Float32[np.ndarray, "22"]:
    return fitted.angles_deg[0, : len(ANGLES)].astype(np.float32)
