"""Inverse kinematics: the articulations whose keypoints fit labelled ones best, for many hands at once.

Levenberg-Marquardt on the joint angles, as shares of the ranges that `hand.rig.poses` allows. The
scale is the ratio of the lengths of the fingers' bones, rotation and translation are solved in closed form:
none of them has a part in the result. Units are the skeleton's millimetres.
"""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from latent_hands.hand.bones import bone_vectors
from latent_hands.hand.geometry import nearest_rotation
from latent_hands.hand.rig.articulation import neutral
from latent_hands.hand.rig.kinematics import Skeleton
from latent_hands.hand.rig.poses import (
    ARCH_LIMITS_DEG,
    FINGER_LIMITS_DEG,
    THUMB_LIMITS_DEG,
    dip_limits,
    most_spread,
)

STEPS = 20
CHUNK = 1000
"""Hands that are solved at once; they do not depend on one another."""
REST_MM = 0.5
"""What the keypoints leave open stays at rest: an angle that goes through its whole range costs so much."""
PHALANGES = [bone for bone in range(20) if bone % 4 != 3]
"""The bones of the fingers among `BONES`: no pose changes their lengths."""


def fit(skeleton: Skeleton, xyz_mm: Float[Tensor, "n 21 3"]) -> Float[Tensor, "n 24"]:
    """The articulations (`Articulation.flat`, wrist 0) whose keypoints come nearest to those of RIGHT hands.

    Every angle is within its joint's limits; whether fingers meet is not looked at.
    """
    return torch.cat([angles_of(_solve(skeleton, hands)) for hands in xyz_mm.double().split(CHUNK)])


def errors_mm(
    skeleton: Skeleton, angles_deg: Float[Tensor, "n 24"], xyz_mm: Float[Tensor, "n 21 3"]
) -> Float[Tensor, "n 21"]:
    """How far each keypoint is from its label, in the labels' millimetres, after the best rigid motion."""
    residual, scale = residuals(skeleton.keypoints_mm(angles_deg), xyz_mm.double())
    return residual.norm(dim=-1) * scale[:, None]


def _solve(skeleton: Skeleton, xyz_mm: Float[Tensor, "n 21 3"]) -> Float[Tensor, "n 22"]:
    """The best shares of the ranges of all angles, each in 0 .. 1, by damped Gauss-Newton steps."""
    rest = neutral_shares()
    shares = rest.expand(len(xyz_mm), -1)
    damping = torch.full((len(xyz_mm), 1), 0.1, dtype=torch.float64)
    residual, cost = _cost(skeleton, shares, rest, xyz_mm)
    for _ in range(STEPS):
        slopes = _slopes(skeleton, shares)
        gradient = (slopes.mT @ residual.flatten(1)[..., None])[..., 0] + REST_MM**2 * (shares - rest)
        # An angle that is at its limit and would go beyond it is left out of the step.
        free = ~((shares <= 0) & (gradient > 0) | (shares >= 1) & (gradient < 0))
        slopes = slopes * free[:, None]
        curvature = slopes.mT @ slopes
        diagonal = curvature.diagonal(dim1=-2, dim2=-1) * damping + REST_MM**2
        step = torch.linalg.solve(curvature + diagonal.diag_embed(), gradient * free)
        trial = (shares - step).clip(0, 1)
        new_residual, new_cost = _cost(skeleton, trial, rest, xyz_mm)
        better = new_cost < cost
        shares = torch.where(better[:, None], trial, shares)
        residual = torch.where(better[:, None, None], new_residual, residual)
        cost = torch.where(better, new_cost, cost)
        damping = torch.where(better[:, None], damping / 5, damping * 4).clip(1e-6, 1e6)
    return shares


def angles_of(shares: Float[Tensor, "n 22"]) -> Float[Tensor, "n 24"]:
    """Articulations of shares (0 .. 1) of each angle's range; the wrist is 0."""
    fingers, rest = shares.split([16, 6], 1)
    mcp, spread, pip, dip = fingers.unflatten(1, (4, 4)).unbind(-1)
    (low, high), (least, most) = FINGER_LIMITS_DEG[0].tolist(), FINGER_LIMITS_DEG[2].tolist()
    mcp, pip = low + (high - low) * mcp, least + (most - least) * pip
    lowest, highest = dip_limits(pip)
    angles = [mcp, (2 * spread - 1) * most_spread(mcp), pip, lowest + (highest - lowest) * dip]
    low, high = torch.from_numpy(np.vstack([THUMB_LIMITS_DEG, ARCH_LIMITS_DEG])).T
    wrist = shares.new_zeros(len(shares), 2)
    return torch.cat([torch.stack(angles, -1).flatten(1), low + (high - low) * rest, wrist], 1)


def residuals(
    points_mm: Float[Tensor, "n 21 3"], xyz_mm: Float[Tensor, "n 21 3"]
) -> tuple[Float[Tensor, "n 21 3"], Float[Tensor, " n"]]:
    """Keypoints less the labels that were brought to them, and by how much the labels are larger."""
    scale = _length(xyz_mm) / _length(points_mm)
    points = points_mm - points_mm.mean(1, keepdim=True)
    labels = (xyz_mm - xyz_mm.mean(1, keepdim=True)) / scale[:, None, None]
    return points - labels @ nearest_rotation(labels.mT @ points), scale


def _length(points: Tensor) -> Tensor:
    return bone_vectors(points)[:, PHALANGES].norm(dim=-1).mean(1)


def _cost(skeleton: Skeleton, shares: Tensor, rest: Tensor, xyz_mm: Tensor) -> tuple[Tensor, Tensor]:
    residual, _ = residuals(skeleton.keypoints_mm(angles_of(shares)), xyz_mm)
    return residual, residual.square().sum((1, 2)) + REST_MM**2 * (shares - rest).square().sum(1)


def _slopes(skeleton: Skeleton, shares: Float[Tensor, "n 22"]) -> Float[Tensor, "n 63 22"]:
    """By how much aligned keypoints move with each share."""
    angles = angles_of(shares)
    by_angle = skeleton.jacobian(angles)
    # No hand's angles depend on another's shares, so the derivatives of their sum are those of each.
    by_share = torch.func.jacrev(lambda each: angles_of(each).sum(0))(shares).movedim(0, 1)
    return aligned(skeleton.keypoints_mm(angles), (by_angle.flatten(1, 2) @ by_share).unflatten(1, (21, 3)))


def aligned(points_mm: Float[Tensor, "n 21 3"], slopes: Float[Tensor, "n 21 3 m"]) -> Float[Tensor, "n 63 m"]:
    """What is left of motions of keypoints after the best translation and rotation are taken out."""
    centred = points_mm - points_mm.mean(1, keepdim=True)
    turns = torch.linalg.cross(torch.eye(3).to(centred)[None, None], centred[:, :, None]).mT
    basis, _ = torch.linalg.qr(turns.flatten(1, 2))
    slopes = (slopes - slopes.mean(1, keepdim=True)).flatten(1, 2)
    return slopes - basis @ (basis.mT @ slopes)


def neutral_shares() -> Float[Tensor, "22"]:
    """The relaxed hand, from which every search starts."""
    hand = neutral()
    mcp, abduction, pip, dip = hand.fingers.T
    low, high = FINGER_LIMITS_DEG[[0, 2]].T
    lowest, highest = dip_limits(pip)
    mcp_share, pip_share = ((hand.fingers[:, [0, 2]] - low) / (high - low)).T
    spread, dip_share = (abduction / most_spread(mcp) + 1) / 2, (dip - lowest) / (highest - lowest)
    low, high = np.vstack([THUMB_LIMITS_DEG, ARCH_LIMITS_DEG]).T
    others = (np.append(hand.thumb, hand.arch) - low) / (high - low)
    return torch.from_numpy(np.append(np.stack([mcp_share, spread, pip_share, dip_share], 1), others))
