"""From maps to boxes: peaks of the hands' centres, and suppression of boxes that show the same hand."""

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torch.nn.functional import max_pool2d

from latent_hands.detection.detection import SAME_IOU, SAME_SHARE
from latent_hands.detection.network import STRIDE, Maps

MOST_PEAKS = 64
"""Peaks of an image that are considered, the highest first."""
LEAST_LOGIT = -3.0
"""Smallest logit of a peak."""
SUPPORT_IOU = 0.5
"""Cells support a peak if their boxes overlap its box this much."""
SIZE_LIMITS = (-3.0, 6.0)
"""Limits of the logarithms of a box's sides in cells."""


def boxes_of(maps: Maps) -> Float[Tensor, "batch 4 h w"]:
    """Return the box (x, y, width, height) that each cell predicts, in pixels of the network's image."""
    height, width = maps.place.shape[-2:]
    across = torch.arange(width, device=maps.place.device) + 0.5
    down = torch.arange(height, device=maps.place.device) + 0.5
    cells = torch.stack(torch.meshgrid(across, down, indexing="xy"))
    size = maps.size.clamp(*SIZE_LIMITS).exp()
    return STRIDE * torch.cat([cells + maps.place - size / 2, size], dim=1)


def candidates(maps: Maps) -> list[Float[Tensor, "n 8"]]:
    """Return the candidates of each image: cells that no neighbour exceeds, the most probable first.

    A row is x, y, width, height, the logit of a right hand, and three features of a hand:
    the logit of the peak, ln of its support, and ln of the box's side in pixels.
    The support is the sum of the probabilities of all cells that predict nearly the same box: the centre of
    a hand is uncertain, and its cells agree on the box.
    """
    logit, boxes = maps.hand, boxes_of(maps)
    highest = (max_pool2d(logit[:, None], 3, 1, 1)[:, 0] == logit) & (logit >= LEAST_LOGIT)
    found = []
    for i in range(len(logit)):
        peak, chosen = logit[i][highest[i]].topk(min(MOST_PEAKS, int(highest[i].sum())))
        box = boxes[i][:, highest[i]].T[chosen]
        agree = overlaps(box, boxes[i].flatten(1).T) > SUPPORT_IOU
        support = (agree * logit[i].sigmoid().flatten()).sum(dim=1).clamp(min=1e-3)
        side = maps.right[i][highest[i]][chosen]
        size = box[:, 2:].prod(dim=1).sqrt()
        found.append(torch.cat([box, torch.stack([side, peak, support.log(), size.log()], dim=1)], dim=1))
    return found


def distinct(boxes: Float[Tensor, "n 4"], scores: Float[Tensor, " n"]) -> Int64[Tensor, " m"]:
    """Return the boxes, the highest score first, without boxes of a hand that a higher one shows.

    A hand has one side, so boxes suppress each other across sides.
    """
    order = scores.argsort(descending=True, stable=True)
    same, kept = same_hand(boxes[order]), []
    for i in range(len(order)):
        if not any(bool(same[i, j]) for j in kept):
            kept.append(i)
    return order[kept]


def overlaps(a: Float[Tensor, "n 4"], b: Float[Tensor, "m 4"]) -> Float[Tensor, "n m"]:
    """Return the intersection over union of each pair of boxes."""
    shared, area_a, area_b = _areas(a, b)
    return shared / (area_a[:, None] + area_b - shared).clamp(min=1e-6)


def same_hand(boxes: Float[Tensor, "n 4"]) -> Bool[Tensor, "n n"]:
    """Return which pairs of boxes overlap so much that they show one hand."""
    shared, area, _ = _areas(boxes, boxes)
    smaller = torch.minimum(area[:, None], area)
    return (overlaps(boxes, boxes) >= SAME_IOU) | (shared >= SAME_SHARE * smaller)


def _areas(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the areas that pairs of boxes share, and the areas of the boxes."""
    low = torch.maximum(a[:, None, :2], b[:, :2])
    high = torch.minimum((a[:, :2] + a[:, 2:])[:, None], b[:, :2] + b[:, 2:])
    return (high - low).clamp(min=0).prod(dim=-1), a[:, 2:].prod(dim=-1), b[:, 2:].prod(dim=-1)
