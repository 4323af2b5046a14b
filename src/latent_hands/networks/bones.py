"""A drawing of a hand's bones that a picture decoder can lay its features over."""

import torch
from jaxtyping import Float
from torch import Tensor

from latent_hands.hand.skeleton import BONES

CHANNELS = len(BONES) + 1
BONES_ACROSS = 7.2
"""Side of a scene's window in middle MCP-PIP bones, the palm in its middle."""
THICKNESS = 0.22
"""Standard deviation of a drawn bone's profile, in middle bones: about half a finger."""
FEWEST_PX = 0.6
"""Its least width on a coarse grid, in pixels: thinner ones would fall between them."""
FAINT = 0.1
"""Where fewer bones than this are seen the depth goes to zero, that of the palm."""


@torch.no_grad()
def draw_bones(pose: Float[Tensor, "batch 21 3"], px: int) -> Float[Tensor, "batch channels {px} {px}"]:
    """Each of the 20 bones as a soft line, and the mean depth of the bones at a pixel, seen from far away.

    `pose` is in bone lengths relative to the palm, camera frame. The drawing carries no gradient: pictures,
    whose likelihood weighs a hundred times as much, would bend the poses to their taste.
    """
    across = (2 * torch.arange(px, device=pose.device, dtype=pose.dtype) + 1) / px - 1
    parents, children = (pose[:, [bone[end] for bone in BONES]] * (2 / BONES_ACROSS) for end in (0, 1))
    x, y, z = (parents[..., i, None, None] for i in range(3))
    dx, dy, dz = ((children - parents)[..., i, None, None] for i in range(3))
    right, down = across - x, across[:, None] - y
    along = ((right * dx + down * dy) / (dx * dx + dy * dy).clamp(min=1e-8)).clamp_(0, 1)
    squared = (right - along * dx).square_().add_((down - along * dy).square_())
    width = max(THICKNESS * 2 / BONES_ACROSS, FEWEST_PX * 2 / px)
    line = squared.mul_(-0.5 / width**2).exp_()
    depth = (line * (z + along * dz)).sum(dim=1, keepdim=True) / (FAINT + line.sum(dim=1, keepdim=True))
    return torch.cat([line, depth], dim=1)
