"""The shortest way from one rotation to another, in equal steps."""

import torch
from jaxtyping import Float
from torch import Tensor

from latent_hands.errors import HandsError, check_whole

MOST_STEPS = 1000
"""Largest number of steps of a walk; all are decoded at once."""


def walk_weights(steps: int) -> Float[Tensor, " steps"]:
    """Return the shares of a walk, from 0 to 1 in equal steps.

    Raises HandsError unless `steps` is between 2 and 1000.
    """
    check_whole(steps=steps)
    if not 2 <= steps <= MOST_STEPS:
        raise HandsError(f"steps is {steps}, but a walk must have between 2 and {MOST_STEPS} steps")
    return torch.linspace(0, 1, steps)


def rotations_between(
    start: Float[Tensor, "3 3"], end: Float[Tensor, "3 3"], steps: int
) -> Float[Tensor, "{steps} 3 3"]:
    """Return the geodesic of SO(3) from `start` to `end`: R(t) = start exp(t log(start^T end)).

    The angle between neighbours is the same for all steps. It is the angle between the ends, at most 180
    degrees, over `steps - 1`. At 180 degrees there are two shortest ways, and one of them is returned.
    Raises HandsError unless `steps` is between 2 and 1000.
    """
    import roma  # takes more than a second, and estimates do without it

    weight = walk_weights(steps).to(start)
    rotvec = roma.rotmat_to_rotvec(start.mT @ end)
    return start @ roma.rotvec_to_rotmat(weight[:, None] * rotvec)
