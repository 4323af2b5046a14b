"""Anatomy: the proportions of a hand and the ranges of its joints, which no pose changes or leaves."""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize, relu

from latent_hands.hand.proportions import MEAN_LENGTHS, RIGID
from latent_hands.hand.rig.limits import FINGER_LIMITS_DEG
from latent_hands.hand.skeleton import FINGERS, INDEX_MCP, LITTLE_MCP

LOG_ROOM, LOG_SIGMA = 0.25, 0.1
"""Proportions are free within this natural logarithm of their ratio to the mean hand's; beyond, one sigma."""
ROOM_DEG, SIGMA_DEG = 15.0, 10.0
"""Angles are free this far beyond the limits of the renderer's joints, because data sets place joints
differently; beyond, one sigma."""


def flexion_deg(cpose: Float[Tensor, "*batch 21 3"]) -> Float[Tensor, "*batch 4 3"]:
    """Return the flexion of MCP, PIP and DIP of index to little finger, positive towards the palm.

    `cpose` are LEFT hands in PALM form, in any unit and frame. The angles are between -180 and 180 degrees.
    """
    across = normalize(cpose[..., LITTLE_MCP, :] - cpose[..., INDEX_MCP, :], dim=-1)
    angles = []
    for chain in list(FINGERS.values())[1:]:
        bones = normalize(cpose[..., (0, *chain), :].diff(dim=-2), dim=-1)
        before, after = bones[..., :-1, :], bones[..., 1:, :]
        sine = (torch.linalg.cross(before, after) * across[..., None, :]).sum(dim=-1)
        angles.append(torch.atan2(sine, (before * after).sum(dim=-1) + 1e-6))
    return torch.stack(angles, dim=-2) * (180 / math.pi)


def log_proportions(pose: Float[Tensor, "*batch 21 3"]) -> Float[Tensor, "*batch 20"]:
    """Return ln of each rigid distance over that of the mean hand, for hands of the same mean size."""
    first, second = (list(ends) for ends in zip(*RIGID, strict=True))
    lengths = (pose[..., first, :] - pose[..., second, :]).square().sum(dim=-1).clamp(min=1e-12).sqrt()
    ratio = (lengths / lengths.new_tensor(MEAN_LENGTHS)).log()
    return ratio - ratio.mean(dim=-1, keepdim=True)


def implausibility(cpose: Float[Tensor, "*batch 21 3"]) -> Float[Tensor, "*batch"]:
    """Return -ln of an anatomical prior, in nats: 0 for hands of usual proportions with joints in range.

    It is 1/2 sum ((|log proportion| - LOG_ROOM)+ / LOG_SIGMA)^2 and the same for the excess of the angles
    over their limits. `cpose` are LEFT hands in PALM form, in any unit and frame.
    """
    proportion = relu(log_proportions(cpose).abs() - LOG_ROOM) / LOG_SIGMA
    angle = flexion_deg(cpose)
    low, high = angle.new_tensor(FINGER_LIMITS_DEG[[0, 2, 3]]).unbind(dim=-1)
    excess = (relu(angle - high - ROOM_DEG) + relu(low - ROOM_DEG - angle)) / SIGMA_DEG
    return 0.5 * (proportion.square().sum(dim=-1) + excess.square().flatten(-2).sum(dim=-1))
