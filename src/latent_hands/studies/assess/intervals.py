"""Statistics over images with 95 % bootstrap intervals.

The bootstrap resamples whole blocks, because the images of a block are alike.
"""

from typing import Any

from jaxtyping import Float, Int64
from torch import Tensor

from latent_hands.evaluation import metrics

Blocks = Int64[Tensor, " n"]
"""The number of the block (group or grid) of each image."""


def weighted_mean(values: Float[Tensor, " n"], weights: Float[Tensor, "rows n"]) -> Float[Tensor, " rows"]:
    """Return the mean for each row of weights. NaN marks a missing value, which does not count."""
    values = values.double().cpu()
    measured = ~values.isnan()
    return weights[:, measured] @ values[measured] / weights[:, measured].sum(dim=1)


def correlation(
    x: Float[Tensor, " n"], y: Float[Tensor, " n"], weights: Float[Tensor, "rows n"]
) -> Float[Tensor, " rows"]:
    """Return Pearson's correlation for each row of weights."""
    x, y = x.double() - x.double().mean(), y.double() - y.double().mean()
    mean_x, mean_y = weighted_mean(x, weights), weighted_mean(y, weights)
    var_x = weighted_mean(x * x, weights) - mean_x**2
    var_y = weighted_mean(y * y, weights) - mean_y**2
    return (weighted_mean(x * y, weights) - mean_x * mean_y) / (var_x * var_y).sqrt()


def stated(name: str, rows: Float[Tensor, " rows"]) -> dict[str, Any]:
    """Return {name: statistic, name_interval: [low, high]}, with None for numbers that are not finite."""
    found = metrics.with_interval(name, rows)
    return {name: finite(found[name]), f"{name}_interval": [*map(finite, found[f"{name}_interval"])]}


def mean_of(name: str, values: Float[Tensor, " n"], blocks: Blocks) -> dict[str, Any]:
    """Return the mean over images and its interval, by `stated`."""
    return stated(name, weighted_mean(values, metrics.resampled_counts(blocks)))


def ratio_of(above: Float[Tensor, " n"], below: Float[Tensor, " n"], blocks: Blocks) -> dict[str, Any]:
    """Return the ratio of two means over the same images and its interval, by `stated`."""
    weights = metrics.resampled_counts(blocks)
    return stated("ratio", weighted_mean(above, weights) / weighted_mean(below, weights))


def finite(value: float) -> float | None:
    """Return a number, or None if it is not finite."""
    return value if abs(value) < float("inf") else None
