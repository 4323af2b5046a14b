"""One fingertip moved to a point, by the joints of its own finger alone."""

import torch
from jaxtyping import Float
from torch import Tensor

from latent_hands.hand.rig.inverse import angles_of, shares_of
from latent_hands.hand.rig.kinematics import Skeleton
from latent_hands.hand.skeleton import FINGERS

STEPS = 5
"""A dragged fingertip moves a few millimetres at a time, so the search starts near its end."""
_DIFFERENCE = 1e-4
_REST_MM = 1.0
"""The cost of an angle that goes through its whole range; it chooses among the ways to reach a point."""
_SHARES = {"index": (0, 4), "middle": (4, 8), "ring": (8, 12), "little": (12, 16), "thumb": (16, 21)}
"""The first share (`inverse.angles_of`) of the joints of each finger, and the one after the last."""


def reach(
    skeleton: Skeleton,
    angles_deg: Float[Tensor, "24"],
    finger: str,
    target_mm: Float[Tensor, "3"],
    steps: int = STEPS,
) -> Float[Tensor, "24"]:
    """Return the articulation whose fingertip is nearest to a point, starting from `angles_deg`.

    `finger` is a name of `skeleton.FINGERS`. `target_mm` is in the hand frame of a RIGHT hand. All angles
    stay within their limits. Other fingers and the palm do not move. A point out of reach is approached. The
    method is that of `inverse`: damped Gauss-Newton steps in the shares of the finger.
    """
    first, last = _SHARES[finger]
    tip = FINGERS[finger][-1]
    shares = start = shares_of(angles_deg[None])
    differences = _DIFFERENCE * torch.eye(22, dtype=torch.float64)[first:last]
    damping = 0.1

    def tips_mm(each: Float[Tensor, "n 22"]) -> Float[Tensor, "n 3"]:
        return skeleton.keypoints_mm(angles_of(each))[:, tip]

    def cost_of(point: Float[Tensor, "3"], each: Float[Tensor, "1 22"]) -> float:
        return float((point - target_mm).square().sum() + _REST_MM**2 * (each - start).square().sum())

    points = tips_mm(torch.cat([shares, shares + differences]))
    cost = cost_of(points[0], shares)
    for _ in range(steps):
        slopes = (points[1:] - points[0]).T / _DIFFERENCE
        own = shares[0, first:last]
        gradient = slopes.T @ (points[0] - target_mm) + _REST_MM**2 * (own - start[0, first:last])
        free = ~((own <= 0) & (gradient > 0) | (own >= 1) & (gradient < 0))
        slopes = slopes * free
        curvature = slopes.T @ slopes
        curvature = curvature + torch.diag(damping * curvature.diagonal() + _REST_MM**2)
        trial = shares.clone()
        trial[0, first:last] = (own - torch.linalg.solve(curvature, gradient * free)).clip(0, 1)
        new = tips_mm(torch.cat([trial, trial + differences]))
        if (new_cost := cost_of(new[0], trial)) < cost:
            shares, points, cost, damping = trial, new, new_cost, damping / 5
        else:
            damping *= 4
    moved = angles_deg.double().clone()
    own = [*range(first, last)]
    moved[own] = angles_of(shares)[0, own]
    return moved
