"""The mesh and the joint angles of one predicted hand."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int32

from latent_hands.animation.fitting import Fitted, fit_hands
from latent_hands.errors import HandsError, as_list
from latent_hands.hand.rig.articulation import ANGLES, Articulation
from latent_hands.hand.rig.model import HandModel
from latent_hands.hand.rig.skin import Skin
from latent_hands.predictor import Hand
from latent_hands.predictor.hand import checked_hand


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

    def __repr__(self) -> str:
        """Return one line: the numbers of vertices and faces, and the error."""
        size = f"{len(self.vertices_mm)} vertices, {len(self.faces)} faces"
        return f"HandMesh({size}, error {self.error_mm:.1f} mm)"


def hand_mesh(hand: Hand) -> HandMesh:
    """Return the mesh of a predicted hand: the CC0 hand of the package, fitted to the joints.

    The joints of the mesh differ from the prediction, because predicted proportions need not be those of a
    hand: `error_mm` is their mean distance. Left and right hands have meshes of their own.

    Raises HandsError for a joint convention without a table (docs/joint_conventions.md).

    >>> lh.hand_mesh(hand).vertices_mm.shape
    (6841, 3)
    """
    fitted, skin = fit_hands([hand]), Skin.load()
    left = hand.handedness == "left"
    posed = HandModel.load().pose(fitted.shape, Articulation.from_flat(fitted.angles_deg[0]))
    vertices = skin.of_coarse @ posed.coarse * np.array([-1 if left else 1, 1, 1])
    placed = 1000 * (vertices @ fitted.rotations[0].T + fitted.places_m[0])
    faces = np.ascontiguousarray(skin.faces[:, ::-1] if left else skin.faces)
    return HandMesh(placed.astype(np.float32), faces, float(fitted.error_mm.mean()))


def with_angles(hands: Sequence[Hand]) -> list[Hand]:
    """Return the hands with their joint angles in degrees (`Hand.angles_deg`), which all files keep.

    Raises HandsError for a joint convention without a table (docs/joint_conventions.md).

    >>> lh.with_angles([hand])[0].angles_deg.shape
    (22,)
    """
    if isinstance(hands, Hand):
        raise HandsError("with_angles needs a list of hands: give [hand]")
    hands = as_list(hands, "hands", "a list of hands, as find returns them")
    return [replace(hand, angles_deg=_angles(fit_hands([hand]))) for hand in hands]


def joint_angles(hand: Hand) -> dict[str, float]:
    """Return the joint angles of a hand in degrees, by name.

    The 22 angles are 0 for a flat hand with straight fingers and a thumb at rest. Flexion is positive towards
    the palm, abduction towards the little finger. docs/joint_angles.md has the names and the range of each.

    Raises HandsError for a joint convention without a table (docs/joint_conventions.md).

    >>> "index_pip_flexion" in lh.joint_angles(hand)
    True
    """
    angles = checked_hand(hand).angles_deg
    if angles is None:
        angles = _angles(fit_hands([hand]))
    return dict(zip(ANGLES, angles.tolist(), strict=True))


def _angles(fitted: Fitted) -> Float32[np.ndarray, "22"]:
    return fitted.angles_deg[0, : len(ANGLES)].astype(np.float32)
