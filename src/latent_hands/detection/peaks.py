"""From maps to boxes: peaks of the hands' centres, and suppression of boxes that show the same hand."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import max_pool2d

from latent_hands.detection.network import STRIDE, Maps

MOST_PEAKS = 64
"""Peaks of an image that are considered, the highest first."""
SIZE_LIMITS = (-3.0, 6.0)
"""Limits of the logarithms of a box's sides in cells."""
SAME_IOU, SAME_SHARE = 0.45, 0.8
"""Two boxes show one hand if they share this much of their union, or this much of the smaller one."""


def boxes_of(maps: Maps) -> Float[Tensor, "batch 4 h w"]:
    """Return the box (x, y, width, height) that each cell predicts, in pixels of the network's image."""
    height, width = maps.place.shape[-2:]
    across = torch.arange(width, device=maps.place.device) + 0.5
    down = torch.arange(height, device=maps.place.device) + 0.5
    cells = torch.stack(torch.meshgrid(across, down, indexing="xy"))
    size = maps.size.clamp(*SIZE_LIMITS).exp()
    return STRIDE * torch.cat([cells + maps.place - size / 2, size], dim=1)


def peaks(maps: Maps, threshold: float) -> list[Float[Tensor, "n 6"]]:
    """Return the hands of each image as rows (x, y, width, height, logit of a hand, logit of a right hand).

    A peak is a cell that no neighbour exceeds, with at least `threshold` as the logit of a hand. A hand has
    one side, so boxes suppress each other across sides. Rows are sorted, the highest logit first.
    """
    logit, boxes = maps.hand, boxes_of(maps)
    highest = (max_pool2d(logit[:, None], 3, 1, 1)[:, 0] == logit) & (logit >= threshold)
    rows = torch.cat([boxes, logit[:, None], maps.right[:, None]], dim=1).movedim(1, -1)
    return [distinct(rows[i][highest[i]]) for i in range(len(rows))]


def distinct(rows: Float[Tensor, "n 6"]) -> Float[Tensor, "m 6"]:
    """Return the rows, sorted by the logit in column 4, without boxes of a hand that a higher row shows."""
    rows = rows[rows[:, 4].argsort(descending=True, stable=True)][:MOST_PEAKS]
    same, kept = same_hand(rows[:, :4]), []
    for i in range(len(rows)):
        if not any(bool(same[i, j]) for j in kept):
            kept.append(i)
    return rows[kept]


def same_hand(boxes: Float[Tensor, "n 4"]) -> Bool[Tensor, "n n"]:
    """Return which pairs of boxes overlap so much that they show one hand."""
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    sides = torch.minimum(high[:, None], high) - torch.maximum(low[:, None], low)
    shared = sides.clamp(min=0).prod(dim=-1)
    area = boxes[:, 2:].prod(dim=-1)
    union = area[:, None] + area - shared
    return (shared >= SAME_IOU * union) | (shared >= SAME_SHARE * torch.minimum(area[:, None], area))
