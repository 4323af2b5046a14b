"""Scores of smoothed hands over all sequences; compare_smoothing.py explains the numbers."""

from dataclasses import dataclass

import numpy as np
from smoothing_series import Sequence_, Series

MOST_LATENCY = 8


@dataclass(frozen=True)
class Score:
    """The numbers of one way of smoothing, over all sequences."""

    jitter_mm: float
    median_mm: float
    acceleration_mm: float
    jitter_uv: float
    moving_mm: float
    moving_uv: float
    latency: float
    found: float


def score(found: list[Series], truth: list[Sequence_]) -> Score:
    """Score the series of all sequences together."""
    steps, bends, steps_uv, errors, errors_uv, seen = [], [], [], [], [], []
    correlation = np.zeros(2 * MOST_LATENCY + 1)
    for each, true in zip(found, truth, strict=True):
        side = np.ptp(true.uv_px, axis=1).max(axis=1)[:, None]
        still, still_twice = true.still, true.still & np.append(False, true.still[:-1])
        step = np.diff(each.xyz_mm, axis=0, prepend=np.nan)
        steps.append((step[still] ** 2).sum(-1))
        bends.append((np.diff(step, axis=0, prepend=np.nan)[still_twice] ** 2).sum(-1))
        step_uv = np.diff(each.uv_px, axis=0, prepend=np.nan)
        steps_uv.append(((step_uv**2).sum(-1) / side**2)[still])
        errors.append(np.linalg.norm(each.xyz_mm - true.xyz_mm, axis=-1)[~still])
        errors_uv.append((np.linalg.norm(each.uv_px - true.uv_px, axis=-1) / side)[~still])
        seen.append(np.isfinite(each.xyz_mm[:, 0, 0]))
        correlation += correlations(np.nan_to_num(step[1:]), np.diff(true.xyz_mm, axis=0))
    mean = lambda x: float(np.nanmean(np.concatenate(x)))  # noqa: E731
    rms = lambda x: float(np.sqrt(mean(x)))  # noqa: E731
    return Score(
        rms(steps),
        float(np.median([rms([each]) for each in steps if np.isfinite(each).any()])),
        rms(bends),
        100 * rms(steps_uv),
        mean(errors),
        100 * mean(errors_uv),
        peak(correlation),
        mean(seen),
    )


def correlations(velocity: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Return the products of the velocities with the true ones, shifted by -8 .. 8 frames."""
    n = len(true)
    shifts = range(-MOST_LATENCY, MOST_LATENCY + 1)
    return np.array(
        [(velocity[max(s, 0) : n + min(s, 0)] * true[max(-s, 0) : n - max(s, 0)]).sum() for s in shifts]
    )


def peak(correlation: np.ndarray) -> float:
    """Return the place of the maximum, in frames, from the parabola through it and its neighbours."""
    k = int(np.clip(correlation.argmax(), 1, len(correlation) - 2))
    a, b, c = correlation[k - 1 : k + 2]
    return float(k - MOST_LATENCY + 0.5 * (a - c) / (a - 2 * b + c))


def compared(ways: dict[str, list[Series]]) -> dict[str, list[Series]]:
    """Return the series of all ways without the frames in which one of them has no hand."""
    seen = [
        np.logical_and.reduce([np.isfinite(x.xyz_mm) for x in same])
        for same in zip(*ways.values(), strict=True)
    ]
    blank = [np.where(each, 0.0, np.nan) for each in seen]
    return {
        name: [Series(x.xyz_mm + nan, x.uv_px + nan[..., :2]) for x, nan in zip(way, blank, strict=True)]
        for name, way in ways.items()
    }
