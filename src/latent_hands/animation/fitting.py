"""Fits of the mesh to predicted hands: one shape for all frames of a hand, and its pose in each."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from latent_hands.errors import HandsError
from latent_hands.hand.conventions import CONVENTIONS
from latent_hands.hand.geometry import mirror, nearest_rotation, to_palm, to_wrist
from latent_hands.hand.proportions import RIGID
from latent_hands.hand.rig.articulation import Articulation
from latent_hands.hand.rig.inverse import STEPS, fit
from latent_hands.hand.rig.kinematics import Skeleton
from latent_hands.hand.rig.model import HandModel, Shape
from latent_hands.hand.rig.points import PARENTS, own_joints
from latent_hands.hand.skeleton import FINGERS, WRIST
from latent_hands.predictor import Hand
from latent_hands.predictor.hand import checked_hand

ROUNDS, FURTHER_STEPS, SHAPE_STEPS = 4, 6, 6
"""The number of fits, the steps of inverse kinematics in each but the first, and those of the shape."""
LENGTHS = (*RIGID, *((WRIST, chain[0]) for chain in FINGERS.values()))
"""The pairs of joints whose distances decide the shape."""
RIDGE_MM = 1.0
"""The cost of changing the shape by a standard deviation of people, as millimetres of a distance."""


@dataclass(frozen=True, eq=False)
class Fitted:
    """The mesh fitted to n predictions of one hand.

    Attributes:
        shape: the hand at rest, in metres, as a right hand.
        angles_deg: the articulations, as `Articulation.flat`; the wrist is 0.
        rotations: R of world = R @ point + place, for points in the hand frame; x is negated for a left hand.
        places_m: the place, relative to the predicted palm.
        error_mm: the distance of each keypoint of the mesh from the predicted joint, palm first.
    """

    shape: Shape
    angles_deg: Float[np.ndarray, "n 24"]
    rotations: Float[np.ndarray, "n 3 3"]
    places_m: Float[np.ndarray, "n 3"]
    error_mm: Float[np.ndarray, "n 21"]


def fit_hands(hands: Sequence[Hand]) -> Fitted:
    """Fit the mesh to predictions of one hand, in one or more images.

    The distances that no pose changes, as medians over the predictions, give the shape: 12 principal
    components and a size. Inverse kinematics gives the angles, within the limits of the joints, and the
    nearest rigid motion the place. The joints of the mesh are not those of the predictions' convention. So
    the fit is repeated, each time with the joints moved by this difference on the fitted mesh.

    Raises HandsError as `checked_hand` does, without hands, for hands of both sides or of several joint
    conventions, and for an unknown convention.
    """
    kinds = {(hand.handedness, hand.convention) for hand in map(checked_hand, hands)}
    if len(kinds) != 1:
        raise HandsError(f"the predictions of one hand have one side and one joint convention, not {kinds}")
    [(handedness, convention)] = kinds
    CONVENTIONS.find(convention)
    given_mm = to_wrist(torch.from_numpy(np.stack([hand.xyz_mm for hand in hands])).double())
    right_mm = mirror(given_mm) if handedness == "left" else given_mm
    weights = torch.from_numpy(CONVENTIONS[convention].weights()).double()
    found = _round(right_mm, right_mm, weights, None, STEPS)
    for _ in range(ROUNDS - 1):
        found = _round(right_mm, found.own_mm, weights, found.angles, FURTHER_STEPS)
    error_mm = (to_palm(found.keypoints_mm) - to_palm(right_mm)).norm(dim=-1)
    flip = torch.diag(torch.tensor([-1.0 if handedness == "left" else 1.0, 1, 1])).double()
    rotations, places_mm = flip @ found.rotation @ flip, found.place_mm @ flip
    return Fitted(
        found.shape, found.angles.numpy(), rotations.numpy(), places_mm.numpy() / 1000, error_mm.numpy()
    )


class _Round(NamedTuple):
    """A fit of RIGHT hands: shape, angles and place, its keypoints, and the joints of the next fit."""

    shape: Shape
    angles: Float[Tensor, "n 24"]
    rotation: Float[Tensor, "n 3 3"]
    place_mm: Float[Tensor, "n 3"]
    keypoints_mm: Float[Tensor, "n 21 3"]
    own_mm: Float[Tensor, "n 21 3"]


def _round(xyz_mm: Tensor, own_mm: Tensor, weights: Tensor, angles: Tensor | None, steps: int) -> _Round:
    """Fit the mesh to its own joints `own_mm`, and align its keypoints, weights @ points, with `xyz_mm`."""
    shape = fit_shape(own_mm)
    angles = fit(Skeleton.of(shape, torch.eye(21)), own_mm, angles, steps)
    points_mm = torch.from_numpy(posed_points_mm(shape, angles.numpy()))
    keypoints_mm = weights @ points_mm
    rotation, place_mm = _aligned(keypoints_mm, xyz_mm)
    further_mm = xyz_mm - (keypoints_mm - points_mm[:, :21]) @ rotation.mT
    placed_mm = keypoints_mm @ rotation.mT + place_mm[:, None]
    return _Round(shape, angles, rotation, place_mm, placed_mm, further_mm)


def fit_shape(own_mm: Float[Tensor, "n 21 3"]) -> Shape:
    """Return the shape whose distances LENGTHS are nearest to the medians over hands, wrist form.

    The method is Gauss-Newton's. The unknowns are the coefficients of the shape and the logarithm of a size.
    """
    first, second = (list(ends) for ends in zip(*LENGTHS, strict=True))
    wanted_mm = (own_mm[:, first] - own_mm[:, second]).norm(dim=-1).median(0).values.numpy()
    model, changes = HandModel.load(), _joint_changes()
    x, ridge = np.zeros(len(changes) + 1), RIDGE_MM * np.eye(len(changes) + 1)[:-1]
    for step in range(SHAPE_STEPS):
        joints = 1000 * np.exp(x[-1]) * _rest_joints(x[:-1])
        bones = joints[first] - joints[second]
        lengths_mm = np.linalg.norm(bones, axis=-1)
        if step == 0:  # the mean hand of the right size
            x[-1] = np.log(wanted_mm.sum() / lengths_mm.sum())
            continue
        further = 1000 * np.exp(x[-1]) * (changes[:, first] - changes[:, second])
        slopes = np.einsum("li,kli->lk", bones / lengths_mm[:, None], further)
        slopes = np.concatenate([np.column_stack([slopes, lengths_mm]), ridge])
        x = x - np.linalg.lstsq(slopes, np.concatenate([lengths_mm - wanted_mm, ridge @ x]))[0]
    shape, size = model.identity(x[:-1]), np.float32(np.exp(x[-1]))
    return Shape(shape.coarse * size, shape.heads * size, shape.tails * size)


def _rest_joints(coefficients: Float[np.ndarray, "12"]) -> Float[np.ndarray, "21 3"]:
    """Return the joints at rest of the person with these coefficients, in metres."""
    model, count = HandModel.load(), 2 * len(PARENTS)
    points = model.mean[-count:] + np.tensordot(coefficients, model.components[:, -count:], 1)
    return own_joints(*np.split(points, 2))


@cache
def _joint_changes() -> Float[np.ndarray, "12 21 3"]:
    """Return how the joints at rest change by each coefficient of the shape."""
    return np.stack([_rest_joints(unit) for unit in np.eye(12)]) - _rest_joints(np.zeros(12))


def _aligned(
    points_mm: Float[Tensor, "n 21 3"], xyz_mm: Float[Tensor, "n 21 3"]
) -> tuple[Float[Tensor, "n 3 3"], Float[Tensor, "n 3"]]:
    """Return the rigid motions, for columns, that move points nearest to joints."""
    centre, middle = points_mm.mean(1, keepdim=True), xyz_mm.mean(1, keepdim=True)
    rotation = nearest_rotation((xyz_mm - middle).mT @ (points_mm - centre))
    return rotation, (middle - centre @ rotation.mT)[:, 0]


def posed_points_mm(shape: Shape, angles_deg: Float[np.ndarray, "n 24"]) -> Float[np.ndarray, "n 42 3"]:
    """Return the points of posed hands (`PosedHand.points`), in the hand frame, without posing the mesh."""
    model = HandModel.load()
    used = np.unique(model.palmar.indices)
    palmar, weights, rest = model.palmar[:, used], model.weights[used], shape.coarse[used]
    points = []
    for each in angles_deg:
        turns, heads = model.bones(shape, Articulation.from_flat(each))
        offsets = heads - np.einsum("bij,bj->bi", turns, shape.heads)
        tails = np.einsum("bij,bj->bi", turns, shape.tails) + offsets
        skin = np.einsum("vb,bij,vj->vi", weights, turns, rest) + weights @ offsets
        points.append(np.concatenate([own_joints(heads, tails), palmar @ skin]))
    return 1000 * np.stack(points).astype(float)
