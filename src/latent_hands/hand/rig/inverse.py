"""Inverse kinematics: the articulations, and the proportions, whose keypoints fit labelled hands best.

`fit` finds the joint angles of many hands at once by the Levenberg-Marquardt method. The unknowns are shares,
0 to 1, of the ranges that `hand.rig.limits` allows. Size, rotation and translation do not affect the result:
the labels are first scaled to the skeleton's finger bones and aligned with it in closed form. `calibrate`
also finds the proportions of the skeleton. Keypoints are in the millimetres of the skeleton.
"""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from latent_hands.hand.bones import bone_vectors
from latent_hands.hand.geometry import nearest_rotation
from latent_hands.hand.rig.articulation import neutral
from latent_hands.hand.rig.kinematics import CHANGES, Skeleton
from latent_hands.hand.rig.limits import (
    ARCH_LIMITS_DEG,
    FINGER_LIMITS_DEG,
    THUMB_LIMITS_DEG,
    dip_limits,
    most_spread,
)

CHUNK = 1000
"""The number of hands that are solved at once; the hands are independent of each other."""
STEPS = 20
"""The number of steps of a search that starts at the relaxed hand."""
_DIFFERENCE = 1e-6
_REST_MM = 0.5
"""The cost of an angle that goes through its whole range; it keeps undetermined angles at rest."""
_CALIBRATION_HANDS, _ROUNDS = 400, 5
_RIDGE = 0.02
"""The cost of changing the skeleton by a millimetre, relative to the mean squared error of the hands."""
_PHALANGES = [bone for bone in range(20) if bone % 4 != 3]
"""The bones of the fingers, as indices of `skeleton.BONES`; no pose changes their lengths."""


def fit(
    skeleton: Skeleton,
    xyz_mm: Float[Tensor, "n 21 3"],
    start: Float[Tensor, "n 24"] | None = None,
    steps: int = STEPS,
) -> Float[Tensor, "n 24"]:
    """Return the articulations whose keypoints are nearest to those of RIGHT hands.

    `xyz_mm` are labelled hands in the root and joint convention of `skeleton`, in any frame and size. Each
    articulation is a vector as in `Articulation.flat`, with its wrist at 0. Every angle is within the limits
    of its joint. Fingers may enter one another; see `poses.freed`.

    `start` are articulations where the search starts, by default the relaxed hand. From a near start, four to
    six `steps` are enough.
    """
    first = neutral_shares().expand(len(xyz_mm), -1) if start is None else shares_of(start)
    parts = zip(xyz_mm.double().split(CHUNK), first.split(CHUNK), strict=True)
    return torch.cat([angles_of(_solve(skeleton, hands, shares, steps)) for hands, shares in parts])


def errors_mm(
    skeleton: Skeleton, angles_deg: Float[Tensor, "n 24"], xyz_mm: Float[Tensor, "n 21 3"]
) -> Float[Tensor, "n 21"]:
    """Return the distance of each keypoint to its label after alignment, in the labels' millimetres."""
    residual, scale = _residuals(skeleton.keypoints_mm(angles_deg), xyz_mm.double())
    return residual.norm(dim=-1) * scale[:, None]


def calibrate(skeleton: Skeleton, xyz_mm: Float[Tensor, "n 21 3"]) -> Skeleton:
    """Return the skeleton with the proportions of labelled RIGHT hands and its joints at their labels.

    First the finger bones get the median lengths of the labels. Then poses and the parameters of
    `Skeleton.changed` are solved alternately on at most 400 of the hands. A ridge penalty keeps changes small
    that do not reduce the error.
    """
    hands = xyz_mm[:: -(-len(xyz_mm) // _CALIBRATION_HANDS)].double()
    rest = skeleton.keypoints_mm(angles_of(neutral_shares()[None]))
    longer = (_median_lengths(hands) - _median_lengths(rest)).unflatten(0, (5, 3)).flip(1).flatten()
    start = change = torch.cat([longer.new_zeros(CHANGES - len(longer)), longer])
    for _ in range(_ROUNDS):
        change = _improved(skeleton, change, start, hands)
    return skeleton.changed(change)


def angles_of(shares: Float[Tensor, "n 22"]) -> Float[Tensor, "n 24"]:
    """Convert shares, 0 to 1, of the range of each angle to articulations; the wrist is 0."""
    fingers, rest = shares.split([16, 6], 1)
    mcp, spread, pip, dip = fingers.unflatten(1, (4, 4)).unbind(-1)
    (low, high), (least, most) = FINGER_LIMITS_DEG[0].tolist(), FINGER_LIMITS_DEG[2].tolist()
    mcp, pip = low + (high - low) * mcp, least + (most - least) * pip
    lowest, highest = dip_limits(pip)
    angles = [mcp, (2 * spread - 1) * most_spread(mcp), pip, lowest + (highest - lowest) * dip]
    low, high = torch.from_numpy(np.vstack([THUMB_LIMITS_DEG, ARCH_LIMITS_DEG])).T
    wrist = shares.new_zeros(len(shares), 2)
    return torch.cat([torch.stack(angles, -1).flatten(1), low + (high - low) * rest, wrist], 1)


def shares_of(angles_deg: Float[Tensor, "n 24"]) -> Float[Tensor, "n 22"]:
    """Convert articulations to shares, 0 to 1, of the range of each angle: the inverse of `angles_of`.

    Angles beyond their limits are clipped. A finger that is too flexed to be spread has the share 0.5.
    """
    fingers, rest, _ = angles_deg.double().split([16, 6, 2], 1)
    mcp, abduction, pip, dip = fingers.unflatten(1, (4, 4)).unbind(-1)
    (low, high), (least, most) = FINGER_LIMITS_DEG[0].tolist(), FINGER_LIMITS_DEG[2].tolist()
    lowest, highest = dip_limits(pip)
    spread = (abduction / most_spread(mcp).clip(1e-9, None) + 1) / 2
    shares = [(mcp - low) / (high - low), spread, (pip - least) / (most - least)]
    shares += [(dip - lowest) / (highest - lowest)]
    low, high = torch.from_numpy(np.vstack([THUMB_LIMITS_DEG, ARCH_LIMITS_DEG])).T
    return torch.cat([torch.stack(shares, -1).flatten(1), (rest - low) / (high - low)], 1).clip(0, 1)


def neutral_shares() -> Float[Tensor, "22"]:
    """Return the shares of the relaxed hand, where every search starts by default."""
    return shares_of(torch.from_numpy(neutral().flat())[None])[0]


def _solve(
    skeleton: Skeleton, xyz_mm: Float[Tensor, "n 21 3"], start: Float[Tensor, "n 22"], steps: int
) -> Float[Tensor, "n 22"]:
    """Return the best shares by damped Gauss-Newton steps; each hand has its own damping."""
    rest, shares = neutral_shares(), start
    damping = torch.full((len(xyz_mm), 1), 0.1, dtype=torch.float64)
    residual, cost = _cost(skeleton, shares, rest, xyz_mm)
    for _ in range(steps):
        slopes = _slopes(skeleton, shares)
        gradient = (slopes.mT @ residual.flatten(1)[..., None])[..., 0] + _REST_MM**2 * (shares - rest)
        # The step leaves out angles that are at their limits and would go beyond.
        free = ~((shares <= 0) & (gradient > 0) | (shares >= 1) & (gradient < 0))
        slopes = slopes * free[:, None]
        curvature = slopes.mT @ slopes
        diagonal = curvature.diagonal(dim1=-2, dim2=-1) * damping + _REST_MM**2
        step = torch.linalg.solve(curvature + diagonal.diag_embed(), gradient * free)
        trial = (shares - step).clip(0, 1)
        new_residual, new_cost = _cost(skeleton, trial, rest, xyz_mm)
        better = new_cost < cost
        shares = torch.where(better[:, None], trial, shares)
        residual = torch.where(better[:, None, None], new_residual, residual)
        cost = torch.where(better, new_cost, cost)
        damping = torch.where(better[:, None], damping / 5, damping * 4).clip(1e-6, 1e6)
    return shares


def _cost(skeleton: Skeleton, shares: Tensor, rest: Tensor, xyz_mm: Tensor) -> tuple[Tensor, Tensor]:
    residual, _ = _residuals(skeleton.keypoints_mm(angles_of(shares)), xyz_mm)
    return residual, residual.square().sum((1, 2)) + _REST_MM**2 * (shares - rest).square().sum(1)


def _slopes(skeleton: Skeleton, shares: Float[Tensor, "n 22"]) -> Float[Tensor, "n 63 22"]:
    """Return the derivatives of the aligned keypoints by the shares."""
    angles = angles_of(shares)
    by_angle = skeleton.jacobian(angles)
    by_share = _by_share(shares, angles)
    return _aligned(skeleton.keypoints_mm(angles), (by_angle.flatten(1, 2) @ by_share).unflatten(1, (21, 3)))


def _by_share(shares: Float[Tensor, "n 22"], angles: Float[Tensor, "n 24"]) -> Float[Tensor, "n 24 22"]:
    """Return the derivatives of the articulations by the shares.

    Articulations are linear in each single share, except at a few kinks, so differences are derivatives.
    """
    changed = shares[:, None] + _DIFFERENCE * torch.eye(22).to(shares)
    further = angles_of(changed.flatten(0, 1)).unflatten(0, (len(shares), 22))
    return ((further - angles[:, None]) / _DIFFERENCE).mT


def _improved(skeleton: Skeleton, change: Tensor, start: Tensor, hands: Tensor) -> Tensor:
    """Fit the poses, then return the change of the skeleton after a Gauss-Newton step with fixed poses."""
    angles = fit(skeleton.changed(change), hands)

    points = skeleton.changed(change).keypoints_mm(angles)
    residual, _ = _residuals(points, hands)
    # Keypoints are linear in the change, so a difference is the derivative.
    units = torch.eye(CHANGES).to(points)
    further = [skeleton.changed(change + unit).keypoints_mm(angles) for unit in units]
    slopes = _aligned(points, torch.stack(further, -1) - points[..., None])
    curvature = (slopes.mT @ slopes).mean(0) + _RIDGE * units
    gradient = (slopes.mT @ residual.flatten(1)[..., None]).mean(0)[:, 0] + _RIDGE * (change - start)
    return change - torch.linalg.solve(curvature, gradient)


def _residuals(
    points_mm: Float[Tensor, "n 21 3"], xyz_mm: Float[Tensor, "n 21 3"]
) -> tuple[Float[Tensor, "n 21 3"], Float[Tensor, " n"]]:
    """Return keypoints - labels after aligning the labels, and the scale: label size / keypoint size."""
    scale = _mean_length(xyz_mm) / _mean_length(points_mm)
    points = points_mm - points_mm.mean(1, keepdim=True)
    labels = (xyz_mm - xyz_mm.mean(1, keepdim=True)) / scale[:, None, None]
    return points - labels @ nearest_rotation(labels.mT @ points), scale


def _aligned(
    points_mm: Float[Tensor, "n 21 3"], slopes: Float[Tensor, "n 21 3 m"]
) -> Float[Tensor, "n 63 m"]:
    """Return motions of keypoints without their components of translation and rotation."""
    centred = points_mm - points_mm.mean(1, keepdim=True)
    turns = torch.linalg.cross(torch.eye(3).to(centred)[None, None], centred[:, :, None]).mT
    basis, _ = torch.linalg.qr(turns.flatten(1, 2))
    slopes = (slopes - slopes.mean(1, keepdim=True)).flatten(1, 2)
    return slopes - basis @ (basis.mT @ slopes)


def _mean_length(points: Float[Tensor, "n 21 3"]) -> Float[Tensor, " n"]:
    return bone_vectors(points)[:, _PHALANGES].norm(dim=-1).mean(1)


def _median_lengths(points: Float[Tensor, "n 21 3"]) -> Float[Tensor, "15"]:
    """Return the median lengths of the finger bones, each finger from its tip on."""
    return bone_vectors(points)[:, _PHALANGES].norm(dim=-1).median(0).values
