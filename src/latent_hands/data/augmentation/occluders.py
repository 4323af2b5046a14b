"""Occluders: ellipses, bars and polygons in front of the hand, plain, shaded or cut from other images."""

import math
from dataclasses import dataclass, replace
from itertools import chain

import torch
from jaxtyping import Bool, Float
from torch import Tensor

MOST_HIDDEN = 0.5
"""Limit of the share of joints that are hidden by occluders or lie outside the crop."""

_SIDES = 5  # sides of a polygon


@dataclass(frozen=True)
class Shapes:
    """Convex shapes, the same number for each image, in crop pixels.

    `lines` (a, b, c) stand for s = a u + b v + c. A pixel lies in a shape if all its s are at most 1. In an
    ellipse, the squares of the first two must also sum to at most 1. `half_px` is the smallest half width.
    """

    lines: Float[Tensor, "batch shapes sides 3"]
    is_ellipse: Bool[Tensor, "batch shapes"]
    half_px: Float[Tensor, "batch shapes"]

    def depth_px(
        self, u: Float[Tensor, "#batch #shapes #h #w"], v: Float[Tensor, "#batch #shapes #h #w"]
    ) -> Float[Tensor, "batch shapes _h _w"]:
        """Return how deep pixels (u, v) lie in each shape, negative outside. It is exact at the edge, 0."""
        lines = (line.unbind(dim=2) for line in self.lines[..., None, None].unbind(dim=2))
        sides = (a * u + (b * v + c) for a, b, c in lines)
        first, second = next(sides), next(sides)
        gauge = first.square().add_(second.square()).sqrt_().mul_(self.is_ellipse[..., None, None])
        for side in chain((first, second), sides):
            torch.maximum(gauge, side, out=gauge)  # in place: new planes would cost more than the maximum
        return gauge.sub_(1).mul_(-self.half_px[..., None, None])


def occlude(
    images: Float[Tensor, "batch 3 px px"],
    others: Float[Tensor, "batch 3 px px"],
    uv_px: Float[Tensor, "batch 21 2"],
    number: tuple[int, int],
    size: tuple[float, float],
    generator: torch.Generator,
) -> Float[Tensor, "batch 3 px px"]:
    """Return the crops with shapes pasted in front of the hands.

    `number` is the range of the number of shapes, `size` that of their size as a share of the crop's side.
    `uv_px` are the joints in the crop. All shapes of an image have one of three textures with equal
    probability: a colour, a gradient of two colours, or the image in `others`. A shape that would hide too
    many joints (`MOST_HIDDEN`) is left out, with all shapes after it.
    """
    crop_px = images.shape[-1]
    shapes = keep_visible(draw_shapes(len(images), crop_px, number, size, generator), uv_px, crop_px)
    axis = torch.arange(crop_px, device=images.device, dtype=images.dtype)
    depth_px = shapes.depth_px(axis[None, None, None], axis[None, None, :, None])
    cover = (depth_px.amax(dim=1, keepdim=True) + 0.5).clamp_(0, 1)
    return torch.lerp(images, _textures(others, generator), cover)


def draw_shapes(
    count: int,
    crop_px: int,
    number: tuple[int, int],
    size: tuple[float, float],
    generator: torch.Generator,
) -> Shapes:
    """Draw shapes anywhere in `count` crops. Ellipses, bars and polygons have equal probability."""
    device, most = generator.device, number[1]
    draw = torch.rand(count, most, 6 + _SIDES, generator=generator, device=device)
    long_px = crop_px / 2 * (size[0] + (size[1] - size[0]) * draw[..., 0])
    short_px = long_px * (0.4 + 0.6 * draw[..., 1])
    kind = (3 * draw[..., 2]).long()  # ellipse, bar, polygon
    centre_px = (crop_px - 1) * draw[..., 3:5]
    turn = 2 * math.pi * draw[..., 5, None]
    side = torch.arange(_SIDES, device=device)
    uneven = 2 * math.pi / _SIDES * (side + 0.6 * (draw[..., 6:] - 0.5))
    right_angles = math.pi / 2 * side  # the first two are the axes of an ellipse
    across = math.pi * side + math.pi / 2
    kinds = torch.stack([right_angles.expand_as(uneven), across.expand_as(uneven), uneven])
    towards = kinds.gather(0, kind[None, ..., None].expand(1, -1, -1, _SIDES))[0]
    x, y = towards.cos() / long_px[..., None], towards.sin() / short_px[..., None]
    a, b = x * turn.cos() - y * turn.sin(), x * turn.sin() + y * turn.cos()
    c = -(a * centre_px[..., :1] + b * centre_px[..., 1:])
    low, high = number
    wanted = low + ((high - low + 1) * torch.rand(count, 1, generator=generator, device=device)).long()
    shapes = Shapes(torch.stack([a, b, c], dim=-1), kind == 0, short_px)
    return _keep(shapes, torch.arange(most, device=device) < wanted)


def keep_visible(shapes: Shapes, uv_px: Float[Tensor, "batch 21 2"], crop_px: int) -> Shapes:
    """Return the shapes before the first one that would hide too many joints."""
    u, v = uv_px[:, None, None].unbind(dim=-1)
    beyond = ((uv_px < 0) | (uv_px > crop_px - 1)).any(dim=-1)
    covered = (shapes.depth_px(u, v) > -0.5).squeeze(2).cumsum(dim=1) > 0
    share = (covered | beyond[:, None]).float().mean(dim=-1)
    return _keep(shapes, share <= MOST_HIDDEN)


def _keep(shapes: Shapes, kept: Bool[Tensor, "batch shapes"]) -> Shapes:
    """Replace the other shapes by shapes without any pixel."""
    nowhere = shapes.lines.new_tensor([0, 0, 1e6])
    return replace(shapes, lines=shapes.lines.where(kept[..., None, None], nowhere))


def _textures(others: Tensor, generator: torch.Generator) -> Tensor:
    """Return the texture of each image's occluders, as large as the crop."""
    count, px, device = len(others), others.shape[-1], others.device
    draw = torch.rand(count, 8, generator=generator, device=device)
    kind, angle = (3 * draw[:, 0]).long(), 2 * math.pi * draw[:, 1, None, None]
    one, other = (2 * draw[:, 2:] - 1)[..., None, None].chunk(2, dim=1)
    axis = torch.linspace(-0.5, 0.5, px, device=device)
    ramp = (angle.cos() * axis + angle.sin() * axis[:, None] + 0.5).clamp_(0, 1)
    textures = torch.lerp(one, other, (ramp * (kind == 1)[:, None, None])[:, None])
    borrowed = (kind == 2).nonzero()[:, 0]
    textures[borrowed] = others[borrowed]
    return textures
