"""Errors of poses: EPE, PCK, AUC, Procrustes-aligned EPE, and their bootstrap intervals.

EPE is the end-point error, the distance of a joint from its ground truth. PCK is the percentage of correct
keypoints, those within a threshold. AUC is the area under the PCK curve.

The protocol is that of Zimmermann & Brox (2017): errors are averaged for each keypoint over the samples where
it is visible, then over the 21 keypoints. Invisible joints are never scored.

A statistic takes `counts`, how often each sample was drawn, and returns one value for each row of them. Ones
give the statistic itself; `bootstrap_counts` give its distribution, and `resampled_counts` both.
"""

from typing import Any

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

THRESHOLDS_MM = torch.linspace(0, 50, 20, dtype=torch.float64)
"""Thresholds of the PCK curve and of AUC 0-50."""
THRESHOLDS_20_50_MM = THRESHOLDS_MM[8:]
"""The 12 thresholds 21.05..50 mm over which the published "AUC 20-50" integrates."""
EXACT_20_50_MM = torch.linspace(20, 50, 20, dtype=torch.float64)
"""Thresholds 20..50 mm, over which an exact AUC 20-50 integrates."""


def joint_errors(
    prediction_mm: Float[Tensor, "n joints 3"], truth_mm: Float[Tensor, "n joints 3"]
) -> Float[Tensor, "n joints"]:
    """Return the Euclidean distances of joints in mm, in double precision and without centring."""
    return (prediction_mm.double() - truth_mm.double()).norm(dim=-1)


def epe_per_keypoint(
    errors_mm: Float[Tensor, "n joints"],
    visible: Bool[Tensor, "n joints"],
    counts: Float[Tensor, "*rows n"] | None = None,
) -> Float[Tensor, "*rows joints"]:
    """Return each keypoint's mean error over the samples where it is visible; NaN where it never is."""
    return _mean_where(errors_mm, visible, counts)


def epe(
    errors_mm: Float[Tensor, "n joints"],
    visible: Bool[Tensor, "n joints"],
    counts: Float[Tensor, "*rows n"] | None = None,
) -> Float[Tensor, "*rows"]:
    """Return the mean end-point error in mm: `epe_per_keypoint` averaged over keypoints."""
    return epe_per_keypoint(errors_mm, visible, counts).nanmean(dim=-1)


def median_epe(
    errors_mm: Float[Tensor, "n joints"],
    visible: Bool[Tensor, "n joints"],
    counts: Float[Tensor, "*rows n"] | None = None,
) -> Float[Tensor, "*rows"]:
    """Return the median end-point error in mm: each keypoint's median, averaged over keypoints."""
    counts = _ones(errors_mm) if counts is None else counts
    columns = zip(errors_mm.unbind(1), visible.unbind(1), strict=True)
    medians = [_median(column[where], counts[..., where]) for column, where in columns if where.any()]
    return torch.stack(medians, dim=-1).nanmean(dim=-1)


def pck(
    errors_mm: Float[Tensor, "n joints"],
    visible: Bool[Tensor, "n joints"],
    thresholds_mm: Float[Tensor, " t"] = THRESHOLDS_MM,
    counts: Float[Tensor, "*rows n"] | None = None,
) -> Float[Tensor, "*rows t"]:
    """Return the share 0..1 of visible errors within each threshold, averaged over keypoints."""
    hits = (errors_mm[..., None] <= thresholds_mm.to(errors_mm)).to(errors_mm.dtype)
    where = visible[..., None].expand_as(hits)
    shares = _mean_where(hits.flatten(1), where.flatten(1), counts)
    return shares.unflatten(-1, hits.shape[1:]).nanmean(dim=-2)


def auc(pck: Float[Tensor, "*rows t"], thresholds_mm: Float[Tensor, " t"]) -> Float[Tensor, "*rows"]:
    """Return the area 0..1 under a PCK curve: the trapezoid rule over the width of its thresholds."""
    thresholds_mm = thresholds_mm.to(pck)
    return torch.trapezoid(pck, thresholds_mm, dim=-1) / (thresholds_mm[-1] - thresholds_mm[0])


def alignable(visible: Bool[Tensor, "n 21"]) -> Bool[Tensor, "n 21"]:
    """Return the visible joints of hands with three or more; fewer do not determine an alignment."""
    return visible & (visible.sum(dim=1, keepdim=True) >= 3)


def procrustes_align(
    prediction_mm: Float[Tensor, "n 21 3"],
    truth_mm: Float[Tensor, "n 21 3"],
    visible: Bool[Tensor, "n 21"],
) -> Float[Tensor, "n 21 3"]:
    """Move, rotate and scale predictions onto the ground truth, by least squares over the visible joints.

    Hands that are not `alignable` are aligned on all joints; scores leave them out.
    """
    import roma  # takes more than a second, and estimates do without it

    chosen = alignable(visible)
    chosen = (chosen | ~chosen.any(dim=1, keepdim=True)).double()
    source, target = prediction_mm.double(), truth_mm.double()
    umeyama: Any = roma.rigid_points_registration(source, target, weights=chosen, compute_scaling=True)
    R, t, s = umeyama
    return s[:, None, None] * source @ R.mT + t[:, None]


def mean_over_samples(
    values: Float[Tensor, " n"], counts: Float[Tensor, "*rows n"] | None = None
) -> Float[Tensor, "*rows"]:
    """Return the mean of one value a sample."""
    everywhere = torch.ones(len(values), 1, dtype=torch.bool, device=values.device)
    return _mean_where(values[:, None], everywhere, counts).squeeze(-1)


def bootstrap_counts(samples: int, resamples: int = 1000) -> Float[Tensor, "resamples samples"]:
    """Return how often each sample is drawn if `samples` are drawn with replacement, with a fixed seed."""
    drawn = torch.randint(samples, (resamples, samples), generator=torch.Generator().manual_seed(0))
    counts = torch.zeros(resamples, samples, dtype=torch.float64)
    return counts.scatter_add_(1, drawn, torch.ones((), dtype=torch.float64).expand_as(counts))


def blocks_of(block: Int64[Tensor, " n"] | None, count: int) -> Int64[Tensor, " n"]:
    """Return the blocks of `count` samples; a block each if they are unknown or all the same."""
    return torch.arange(count) if block is None or len(block.unique()) < 2 else block


def resampled_counts(blocks: Int64[Tensor, " n"], resamples: int = 1000) -> Float[Tensor, "rows n"]:
    """Return how often each sample counts: once in the first row, then as often as its block is drawn."""
    _, block = blocks.cpu().unique(return_inverse=True)
    drawn = bootstrap_counts(int(block.max()) + 1, resamples)[:, block]
    return torch.cat([torch.ones_like(drawn[:1]), drawn])


def with_interval(name: str, values: Float[Tensor, " rows"]) -> dict[str, Any]:
    """Return {name: statistic, name_interval: [low, high]} for the rows of `resampled_counts`."""
    return {name: values[0].item(), f"{name}_interval": list(interval_95(values[1:]))}


def interval_95(values: Float[Tensor, " resamples"]) -> tuple[float, float]:
    """Return the central 95 % of a statistic over its resamples (percentile bootstrap)."""
    low, high = values.nanquantile(torch.tensor([0.025, 0.975], dtype=values.dtype)).tolist()
    return low, high


def _ones(rows: Tensor) -> Tensor:
    return torch.ones(len(rows), dtype=rows.dtype, device=rows.device)


def _mean_where(values: Tensor, visible: Tensor, counts: Tensor | None) -> Tensor:
    """Return the columns' means over their visible entries, each sample counted as often as it was drawn."""
    counts = _ones(values) if counts is None else counts.to(values)
    return (counts @ values.where(visible, 0)) / (counts @ visible.to(values))


def _median(values: Tensor, counts: Tensor) -> Tensor:
    """Return the median of values counted `counts` times; between two middle values it is their mean."""
    values, order = values.sort()
    total = counts[..., order].cumsum(dim=-1).contiguous()
    half = total[..., -1:] / 2
    low = torch.searchsorted(total, half)
    high = torch.searchsorted(total, half, right=True)
    middle = (values[low.clamp(max=len(values) - 1)] + values[high.clamp(max=len(values) - 1)]) / 2
    return middle.where(half > 0, torch.nan).squeeze(-1)
