"""A drawing of a hand's bones that an image can be painted over."""

import torch
from jaxtyping import Float
from torch import Tensor

from latent_hands.hand.camera import SCENE_BONES
from latent_hands.hand.skeleton import BONES, MIDDLE_MCP, PALM

CHANNELS = len(BONES) + 3
THICKNESS = 0.22
"""Standard deviation of a drawn bone's profile, in middle bones: about half a finger."""
FEWEST_PX = 0.6
"""Its least width on a coarse grid, in pixels: thinner ones would fall between them."""
FAINT = 0.1
"""Where fewer bones than this are seen the depth goes to zero, that of the palm."""
ARM = 2.5
"""Length of the arm, in lengths from palm to wrist: it leaves the window."""


@torch.no_grad()
def draw_bones(pose: Float[Tensor, "batch 21 3"], px: int) -> Float[Tensor, "batch channels {px} {px}"]:
    """Each of the 20 bones, the half from palm to wrist and an arm as soft lines, and the mean depth of them
    at a pixel, seen from far away.

    `pose` is in bone lengths relative to the palm, camera frame. The palm is the middle of wrist and middle
    MCP, so the wrist is where the MCP is mirrored to; the arm is a guess, the wrist's flexion being unknown.
    The drawing carries no gradient: images, whose likelihood weighs a hundred times as much, would bend the
    poses to their taste. Channels come last in memory.
    """
    across = (2 * torch.arange(px, device=pose.device, dtype=pose.dtype) + 1) / px - 1
    right, down = across[:, None], across[:, None, None]
    palm, back = pose[:, PALM, None], (pose[:, PALM] - pose[:, MIDDLE_MCP])[:, None]
    heads = torch.cat([pose[:, [head for head, _ in BONES]], palm, palm + back], dim=1)
    tails = torch.cat([pose[:, [tail for _, tail in BONES]], palm + back, palm + (1 + ARM) * back], dim=1)
    x, y, z = ((heads * 2 / SCENE_BONES)[:, None, None, :, i] for i in range(3))
    dx, dy, dz = (((tails - heads) * 2 / SCENE_BONES)[:, None, None, :, i] for i in range(3))
    squared = (dx * dx + dy * dy).clamp(min=1e-8)
    along = ((right - x) * (dx / squared) + (down - y) * (dy / squared)).clamp_(0, 1)
    off = torch.addcmul(right - x, along, dx, value=-1).square_()
    off += torch.addcmul(down - y, along, dy, value=-1).square_()
    width = max(THICKNESS * 2 / SCENE_BONES, FEWEST_PX * 2 / px)
    line = off.mul_(-0.5 / width**2).exp_()
    depth = torch.addcmul(z, along, dz).mul_(line).sum(dim=3, keepdim=True)
    depth /= FAINT + line.sum(dim=3, keepdim=True)
    return torch.cat([line, depth], dim=3).permute(0, 3, 1, 2)
