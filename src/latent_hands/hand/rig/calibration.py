"""The proportions of a data set's hands, and where in the hand its labels have the joints."""

import torch
from jaxtyping import Float
from torch import Tensor

from latent_hands.hand.bones import bone_vectors
from latent_hands.hand.rig.inverse import PHALANGES, aligned, angles_of, fit, neutral_shares, residuals
from latent_hands.hand.rig.kinematics import CHANGES, Skeleton

HANDS, ROUNDS = 400, 5
RIDGE = 0.02
"""A change of the skeleton by a millimetre costs as much as this much of the mean squared error of hands."""


def calibrate(skeleton: Skeleton, xyz_mm: Float[Tensor, "n 21 3"]) -> Skeleton:
    """The skeleton in the proportions of a set's RIGHT hands, with its joints where their labels have them.

    First the bones of the fingers get the labels' median lengths; then poses and the numbers of
    `Skeleton.changed` are solved in turn on some of the hands. Changes that do not pay stay small.
    """
    hands = xyz_mm[:: -(-len(xyz_mm) // HANDS)].double()
    rest = skeleton.keypoints_mm(angles_of(neutral_shares()[None]))
    longer = (_median_lengths(hands) - _median_lengths(rest)).unflatten(0, (5, 3)).flip(1).flatten()
    start = change = torch.cat([longer.new_zeros(CHANGES - len(longer)), longer])
    for _ in range(ROUNDS):
        change = _improved(skeleton, change, start, hands)
    return skeleton.changed(change)


def _improved(skeleton: Skeleton, change: Tensor, start: Tensor, hands: Tensor) -> Tensor:
    """The change after one Gauss-Newton step, poses being fitted before and then kept."""
    angles = fit(skeleton.changed(change), hands)

    points = skeleton.changed(change).keypoints_mm(angles)
    residual, _ = residuals(points, hands)
    # Keypoints are linear in the changes: a difference is the derivative.
    units = torch.eye(CHANGES).to(points)
    further = [skeleton.changed(change + unit).keypoints_mm(angles) for unit in units]
    slopes = aligned(points, torch.stack(further, -1) - points[..., None])
    curvature = (slopes.mT @ slopes).mean(0) + RIDGE * units
    gradient = (slopes.mT @ residual.flatten(1)[..., None]).mean(0)[:, 0] + RIDGE * (change - start)
    return change - torch.linalg.solve(curvature, gradient)


def _median_lengths(points: Float[Tensor, "n 21 3"]) -> Float[Tensor, "15"]:
    """Of the fingers' bones, each finger's from its tip on."""
    return bone_vectors(points)[:, PHALANGES].norm(dim=-1).median(0).values
