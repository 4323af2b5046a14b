"""Fit the constants of tracks and their measurements to sequences with ground truth, one at a time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from smoothing_scores import Score, score
from smoothing_series import Sequence_, hands_of, refiltered, series

from latent_hands.predictor import Model, measuring, tracks
from latent_hands.predictor.tracks import Step

FACTORS = (0.6, 1 / 0.6)
"""The factors by which a constant is changed; a change that helps is tried again."""
REPEATS = 2
LATENCY = 0.05
"""Frames by which the online filter may become later."""


@dataclass(frozen=True)
class Constants:
    """The constants of the process: speeds and noise shares of each part of the state, and times."""

    speed_latent: float
    speed_palm: float
    speed_size: float
    speed_rotation: float
    noise_latent: float
    noise_palm: float
    noise_size: float
    noise_rotation: float
    memory_s: float
    rest_speed: float
    rest_memory_s: float
    change_s: float

    @classmethod
    def now(cls) -> "Constants":
        """Return the constants of the package."""
        parts = {f"speed_{name}": value for name, value in tracks.SPEED.items()}
        parts |= {f"noise_{name}": value for name, value in measuring.NOISE_SHARE.items()}
        return cls(
            **parts,
            memory_s=tracks.MEMORY_S,
            rest_speed=tracks.REST_SPEED,
            rest_memory_s=tracks.REST_MEMORY_S,
            change_s=tracks.CHANGE_S,
        )

    def use(self) -> None:
        """Set the constants of the package."""
        values = [getattr(self, each.name) for each in fields(self)]
        tracks.SPEED = dict(zip(tracks.SPEED, values[:4], strict=True))
        measuring.NOISE_SHARE = dict(zip(measuring.NOISE_SHARE, values[4:8], strict=True))
        tracks.MEMORY_S, tracks.REST_SPEED, tracks.REST_MEMORY_S, tracks.CHANGE_S = values[8:]

    def times(self, name: str, factor: float) -> "Constants":
        """Return these constants with one of them multiplied; a noise share is at most 1."""
        value = getattr(self, name) * factor
        return replace(self, **{name: min(value, 1.0) if name.startswith("noise") else value})


def scores(model: Model, steps: Sequence[list[list[Step]]], truth: list[Sequence_]) -> tuple[Score, Score]:
    """Return the scores of the filter and of the smoother with the constants of the package."""
    again = [refiltered(each) for each in steps]
    online, offline = (
        score([series(hands_of(model, a, smooth), t) for a, t in zip(again, truth, strict=True)], truth)
        for smooth in ("online", "offline")
    )
    return online, offline


def fitted(
    model: Model,
    steps: Sequence[list[list[Step]]],
    truth: list[Sequence_],
    report: Callable[[str, Constants, tuple[Score, Score]], None],
) -> Constants:
    """Return constants of less jitter, and of errors and latency that are not larger than those of now.

    The jitter is the mean logarithm of mm and of the image, over all frames and the median sequence, online
    and offline.
    """
    best = Constants.now()
    limits = kept = scores(model, steps, truth)
    report("as it is", best, kept)
    for name in [each.name for each in fields(Constants)]:
        for factor in FACTORS:
            for _ in range(REPEATS):
                trial = best.times(name, factor)
                trial.use()
                found = scores(model, steps, truth) if trial != best else kept
                if _jitter(found) >= _jitter(kept) or not _legal(found, limits):
                    break
                best, kept = trial, found
                report(f"{name} x {factor:.2f}", best, kept)
    best.use()
    return best


def _jitter(found: tuple[Score, Score]) -> float:
    return float(np.mean([np.log([s.jitter_mm, s.median_mm, s.jitter_uv]) for s in found]))


def _legal(found: tuple[Score, Score], limits: tuple[Score, Score]) -> bool:
    """Return whether errors of moving hands and the latency are at most those of the limits."""
    errors = all(
        getattr(a, name) <= getattr(b, name)
        for a, b in zip(found, limits, strict=True)
        for name in ("moving_mm", "moving_uv")
    )
    return errors and found[0].latency <= limits[0].latency + LATENCY
