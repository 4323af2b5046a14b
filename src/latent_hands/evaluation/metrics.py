"""Errors of poses: EPE, PCK, AUC, Procrustes-aligned EPE, and their bootstrap intervals.

The protocol is that of Zimmermann & Brox (2017): errors are averaged per keypoint over the samples in which
it is visible, then over the 21 keypoints; invisible joints are never scored. A statistic takes `weights` of
samples, (..., n), and returns one value for each row: ones give its value, `bootstrap_weights` its spread.
"""

from typing import Any

import roma
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

THRESHOLDS_MM = torch.linspace(0, 50, 20, dtype=torch.float64)
"""Thresholds of the PCK curve and of AUC 0-50."""
THRESHOLDS_20_50_MM = THRESHOLDS_MM[8:]
"""21.05..50 mm: the 12 thresholds over which the published "AUC 20-50" integrates."""
EXACT_20_50_MM = torch.linspace(20, 50, 20, dtype=torch.float64)
"""20..50 mm, for the AUC 20-50 that its name promises."""


def joint_errors(
    prediction_mm: Float[Tensor, "n joints 3"], truth_mm: Float[Tensor, "n joints 3"]
) -> Float[Tensor, "n joints"]:
    """Euclidean distances of joints, in mm, double precision; no re-centring."""
    return (prediction_mm.double() - truth_mm.double()).norm(dim=-1)


def epe_per_keypoint(
    errors_mm: Float[Tensor, "n joints"],
    visible: Bool[Tensor, "n joints"],
    weights: Float[Tensor, "*rows n"] | None = None,
) -> Float[Tensor, "*rows joints"]:
    """EPE_k: the mean error of keypoint k over the samples where it is visible; NaN where it never is."""
    return _mean_where(errors_mm, visible, weights)


def epe(
    errors_mm: Float[Tensor, "n joints"],
    visible: Bool[Tensor, "n joints"],
    weights: Float[Tensor, "*rows n"] | None = None,
) -> Float[Tensor, "*rows"]:
    """Mean end-point error in mm: the average of EPE_k over the keypoints that are visible at all."""
    return epe_per_keypoint(errors_mm, visible, weights).nanmean(dim=-1)


def median_epe(
    errors_mm: Float[Tensor, "n joints"],
    visible: Bool[Tensor, "n joints"],
    weights: Float[Tensor, "*rows n"] | None = None,
) -> Float[Tensor, "*rows"]:
    """Median end-point error in mm: the median of keypoint k where it is visible, averaged over keypoints."""
    weights = _ones(errors_mm) if weights is None else weights
    columns = zip(errors_mm.unbind(1), visible.unbind(1), strict=True)
    medians = [_median(column[seen], weights[..., seen]) for column, seen in columns if seen.any()]
    return torch.stack(medians, dim=-1).nanmean(dim=-1)


def pck(
    errors_mm: Float[Tensor, "n joints"],
    visible: Bool[Tensor, "n joints"],
    thresholds_mm: Float[Tensor, " t"] = THRESHOLDS_MM,
    weights: Float[Tensor, "*rows n"] | None = None,
) -> Float[Tensor, "*rows t"]:
    """The share 0..1 of visible errors within each threshold, per keypoint, averaged over keypoints."""
    hits = (errors_mm[..., None] <= thresholds_mm.to(errors_mm)).to(errors_mm.dtype)
    seen = visible[..., None].expand_as(hits)
    return (
        _mean_where(hits.flatten(1), seen.flatten(1), weights).unflatten(-1, hits.shape[1:]).nanmean(dim=-2)
    )


def auc(pck: Float[Tensor, "*rows t"], thresholds_mm: Float[Tensor, " t"]) -> Float[Tensor, "*rows"]:
    """The area 0..1 under a PCK curve, by the trapezoid rule, over the width of its thresholds."""
    thresholds_mm = thresholds_mm.to(pck)
    return torch.trapezoid(pck, thresholds_mm, dim=-1) / (thresholds_mm[-1] - thresholds_mm[0])


def alignable(visible: Bool[Tensor, "n 21"]) -> Bool[Tensor, "n 21"]:
    """The visible joints of hands with three of them or more: fewer leave an alignment undetermined."""
    return visible & (visible.sum(dim=1, keepdim=True) >= 3)


def procrustes_align(
    prediction_mm: Float[Tensor, "n 21 3"],
    truth_mm: Float[Tensor, "n 21 3"],
    visible: Bool[Tensor, "n 21"],
) -> Float[Tensor, "n 21 3"]:
    """Predictions moved, turned and scaled onto the truth, by least squares over the VISIBLE joints.

    Hands that are not `alignable` are laid over all joints instead; scores leave them out.
    """
    seen = alignable(visible)
    seen = (seen | ~seen.any(dim=1, keepdim=True)).double()
    source, target = prediction_mm.double(), truth_mm.double()
    umeyama: Any = roma.rigid_points_registration(source, target, weights=seen, compute_scaling=True)
    R, t, s = umeyama
    return s[:, None, None] * source @ R.mT + t[:, None]


def mean_over_samples(
    values: Float[Tensor, " n"], weights: Float[Tensor, "*rows n"] | None = None
) -> Float[Tensor, "*rows"]:
    """The mean of one value a sample."""
    everywhere = torch.ones(len(values), 1, dtype=torch.bool, device=values.device)
    return _mean_where(values[:, None], everywhere, weights).squeeze(-1)


def bootstrap_weights(
    samples: int, resamples: int = 1000, seed: int = 0
) -> Float[Tensor, "resamples samples"]:
    """How often each sample is drawn, when as many as there are are drawn with replacement."""
    drawn = torch.randint(samples, (resamples, samples), generator=torch.Generator().manual_seed(seed))
    counts = torch.zeros(resamples, samples, dtype=torch.float64)
    return counts.scatter_add_(1, drawn, torch.ones((), dtype=torch.float64).expand_as(counts))


def block_weights(blocks: Int64[Tensor, " n"], resamples: int = 1000) -> Float[Tensor, "resamples n"]:
    """`bootstrap_weights` of whole blocks: samples of one number are drawn together, for they are alike."""
    _, block = blocks.cpu().unique(return_inverse=True)
    return bootstrap_weights(int(block.max()) + 1, resamples)[:, block]


def interval_95(values: Float[Tensor, " resamples"]) -> tuple[float, float]:
    """The central 95 % of a statistic over its resamples (percentile bootstrap)."""
    low, high = values.nanquantile(torch.tensor([0.025, 0.975], dtype=values.dtype)).tolist()
    return low, high


def _ones(rows: Tensor) -> Tensor:
    return torch.ones(len(rows), dtype=rows.dtype, device=rows.device)


def _mean_where(values: Tensor, visible: Tensor, weights: Tensor | None) -> Tensor:
    """Weighted means of the columns over their visible entries."""
    weights = _ones(values) if weights is None else weights.to(values)
    return (weights @ values.where(visible, 0)) / (weights @ visible.to(values))


def _median(values: Tensor, weights: Tensor) -> Tensor:
    """The middle of the values, each counted `weights` times: halfway between the two middle ones."""
    values, order = values.sort()
    total = weights[..., order].cumsum(dim=-1).contiguous()
    half = total[..., -1:] / 2
    low = torch.searchsorted(total, half)
    high = torch.searchsorted(total, half, right=True)
    middle = (values[low.clamp(max=len(values) - 1)] + values[high.clamp(max=len(values) - 1)]) / 2
    return middle.where(half > 0, torch.nan).squeeze(-1)
