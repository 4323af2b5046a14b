"""Means over images with 95 % bootstrap intervals that resample whole blocks, whose images are alike."""

from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from latent_hands.evaluation import metrics

Blocks = Int64[Tensor, " n"]
"""The block (of the benchmark) that each image belongs to."""


def block_weights(blocks: Blocks) -> Float[Tensor, "rows n"]:
    """How often each image counts: ones in the first row, then a bootstrap over blocks in the others."""
    drawn = metrics.block_counts(blocks)
    return torch.cat([torch.ones_like(drawn[:1]), drawn])


def weighted_mean(values: Float[Tensor, " n"], weights: Float[Tensor, "rows n"]) -> Float[Tensor, " rows"]:
    """The mean for each row of weights; a value that is NaN, there being nothing to measure, is left out."""
    values = values.double().cpu()
    there = ~values.isnan()
    return weights[:, there] @ values[there] / weights[:, there].sum(dim=1)


def stated(name: str, rows: Float[Tensor, " rows"]) -> dict[str, Any]:
    """A statistic by its name, and its interval under `name_interval`; None where it is not finite."""
    value, *interval = rows[0].item(), *metrics.interval_95(rows[1:])
    return {name: _finite(value), f"{name}_interval": [_finite(bound) for bound in interval]}


def mean_of(name: str, values: Float[Tensor, " n"], blocks: Blocks) -> dict[str, Any]:
    """The mean over images, stated."""
    return stated(name, weighted_mean(values, block_weights(blocks)))


def ratio_of(above: Float[Tensor, " n"], below: Float[Tensor, " n"], blocks: Blocks) -> dict[str, Any]:
    """The ratio of two means over the same images, stated as "ratio"."""
    weights = block_weights(blocks)
    return stated("ratio", weighted_mean(above, weights) / weighted_mean(below, weights))


def _finite(value: float) -> float | None:
    return value if abs(value) < float("inf") else None
