"""The targets of the network, and the loss.

The centre of each hand is a peak of 1 in a map of Gaussians (CenterNet, Zhou et al. 2019). Boxes are learnt
at all cells near the centre, weighted by the Gaussian (TTFNet, Liu et al. 2020). A hand whose side is unknown
trains the sum of both sides, P(left) + P(right), alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid, smooth_l1_loss

from latent_hands.detection.network import STRIDE, Maps
from latent_hands.detection.peaks import boxes_of
from latent_hands.hand.boxes import Box
from latent_hands.hand.handedness import OTHER_HAND

SPREAD = 0.09
"""Standard deviation of a Gaussian over the side of its box."""
LEAST_SPREAD = 0.6
"""The smallest standard deviation, in cells."""
NEAR = 0.3
"""Boxes and sides are learnt where the Gaussian is above this value."""
SIDE_WEIGHT, OVERLAP_WEIGHT, BOX_WEIGHT = 1.0, 2.0, 1.0


class Target(NamedTuple):
    """One hand of a training image: its box in pixels, its side, and whether it must not be learnt."""

    box: Box
    side: str | None = None
    ignored: bool = False


def mirrored(hand: Target, width_px: int) -> Target:
    """Return the hand in the mirror image of an image."""
    x, y, width, height = hand.box
    side = OTHER_HAND.get(hand.side or "")
    return Target((width_px - x - width, y, width, height), side, hand.ignored)


@dataclass(frozen=True)
class Targets:
    """The targets of a batch, one value a cell.

    Attributes:
        heat: The Gaussians, 1 at the centre of each hand.
        counted: 1, or 0 where a hand is ignored.
        box: The box (x, y, width, height) of the nearest hand in pixels.
        near: Weight of the boxes. It sums to 1 for each hand.
        right: 1 for a right hand, 0 for a left one.
        sided: Weight of the sides: `near`, or 0 where the side is unknown.
    """

    heat: Float[Tensor, "batch h w"]
    counted: Float[Tensor, "batch h w"]
    box: Float[Tensor, "batch 4 h w"]
    near: Float[Tensor, "batch h w"]
    right: Float[Tensor, "batch h w"]
    sided: Float[Tensor, "batch h w"]


def draw_targets(images: Sequence[Sequence[Target]], size_px: tuple[int, int]) -> Targets:
    """Return the targets of images with (height, width) `size_px`.

    The centre of a hand outside the image moves to the nearest cell inside. Where hands overlap, a cell
    belongs to the hand whose Gaussian is larger there.
    """
    drawn = [_draw(hands, size_px) for hands in images]
    return Targets(*(torch.stack(each) for each in zip(*drawn, strict=True)))


def _draw(hands: Sequence[Target], size_px: tuple[int, int]) -> tuple[Tensor, ...]:
    h, w = (side // STRIDE for side in size_px)
    heat, counted = torch.zeros(h, w), torch.ones(h, w)
    box, near, right, sided = torch.zeros(4, h, w), *torch.zeros(3, h, w)
    across, down = torch.arange(w) + 0.5, torch.arange(h) + 0.5
    for hand in hands:
        x, y, width, height = (number / STRIDE for number in hand.box)
        if hand.ignored:
            inside = ((down - y - height / 2).abs() < height / 2)[:, None] & (
                (across - x - width / 2).abs() < width / 2
            )
            counted[inside & (heat < 1)] = 0
            continue
        column = min(max(int(x + width / 2), 0), w - 1)
        row = min(max(int(y + height / 2), 0), h - 1)
        along_x = torch.exp(-0.5 * ((across - column - 0.5) / max(SPREAD * width, LEAST_SPREAD)).square())
        along_y = torch.exp(-0.5 * ((down - row - 0.5) / max(SPREAD * height, LEAST_SPREAD)).square())
        gaussian = along_y[:, None] * along_x
        own = (gaussian > NEAR) & (gaussian > heat)
        heat = torch.maximum(heat, gaussian)
        counted[row, column] = 1
        weight = gaussian[own] / gaussian[own].sum().clamp(min=1e-6)
        near[own], right[own] = weight, float(hand.side == "right")
        sided[own] = weight * (hand.side is not None)
        box[:, own] = torch.tensor(hand.box)[:, None]
    return heat, counted, box, near, right, sided


class Losses(NamedTuple):
    """The summands of the loss."""

    centre: Tensor
    side: Tensor
    overlap: Tensor
    box: Tensor

    def total(self) -> Tensor:
        """Return the weighted sum."""
        return self.centre + SIDE_WEIGHT * self.side + OVERLAP_WEIGHT * self.overlap + BOX_WEIGHT * self.box


def loss(maps: Maps, targets: Targets) -> Losses:
    """Return the loss of a batch; each summand is a mean over hands.

    * centre: the focal loss of P(left) + P(right);
    * side: the cross-entropy of the side, given that there is a hand;
    * overlap: 1 - GIoU of the boxes (Rezatofighi et al. 2019);
    * box: smooth L1 of the boxes' centres, in their sides, and of the logarithms of their sides.
    """
    hands = targets.near.sum().clamp(min=1)
    sides = binary_cross_entropy_with_logits(maps.right, targets.right, reduction="none")
    predicted = boxes_of(maps)
    overlap = 1 - generalised_iou(predicted, targets.box)
    return Losses(
        (focal(maps.hand, targets.heat) * targets.counted).sum() / hands,
        (sides * targets.sided).sum() / targets.sided.sum().clamp(min=1),
        (overlap * targets.near).sum() / hands,
        (_differences(predicted, targets.box) * targets.near).sum() / hands,
    )


def focal(logit: Float[Tensor, "*maps"], heat: Float[Tensor, "*maps"]) -> Float[Tensor, "*maps"]:
    """Return CenterNet's focal loss of each cell. It is 0 for probability 1 at peaks and 0 elsewhere."""
    p = logit.sigmoid()
    at_peak = -(1 - p).square() * logsigmoid(logit)
    elsewhere = -((1 - heat) ** 4) * p.square() * logsigmoid(-logit)
    return torch.where(heat == 1, at_peak, elsewhere)


def generalised_iou(
    a: Float[Tensor, "batch 4 h w"], b: Float[Tensor, "batch 4 h w"]
) -> Float[Tensor, "batch h w"]:
    """Return intersection over union, minus the share of the common hull outside both: from -1 to 1."""
    (a_low, a_size), (b_low, b_size) = a.split(2, dim=1), b.split(2, dim=1)
    a_high, b_high = a_low + a_size, b_low + b_size
    shared = (torch.minimum(a_high, b_high) - torch.maximum(a_low, b_low)).clamp(min=0).prod(dim=1)
    hull = (torch.maximum(a_high, b_high) - torch.minimum(a_low, b_low)).prod(dim=1).clamp(min=1e-6)
    union = (a_size.prod(dim=1) + b_size.prod(dim=1) - shared).clamp(min=1e-6)
    return shared / union - (hull - union) / hull


def _differences(predicted: Tensor, true: Tensor) -> Tensor:
    (low, size), (true_low, true_size) = predicted.split(2, dim=1), true.split(2, dim=1)
    true_size = true_size.clamp(min=1)
    place = (low + size / 2 - true_low - true_size / 2) / true_size
    ratio = size.log() - true_size.log()
    differences = torch.cat([place, ratio], dim=1)
    return smooth_l1_loss(differences, torch.zeros_like(differences), reduction="none", beta=0.1).sum(dim=1)


def to_device(targets: Targets, device: torch.device) -> Targets:
    """Return the targets on a device."""
    return Targets(*(getattr(targets, field.name).to(device) for field in fields(targets)))
