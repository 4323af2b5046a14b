"""2D joints that are doubtful in every layout: without a place, or of a hand that is labelled twice."""

import logging
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Float32

from latent_hands.data.sample import Sample
from latent_hands.errors import counted

MOST_AT_ONE_PLACE = 5
"""More joints of a hand at exactly one place are not labelled; joints of one finger may be."""
NEAR, MOST_HANDS = 0.1, 100
"""The largest median distance of joints of a hand that was labelled twice, in sizes of the hand; the largest
number of hands of an image that are compared."""
_LOG = logging.getLogger(__name__)


def nowhere(uv_px: Float[np.ndarray, "21 2"], labelled: Bool[np.ndarray, "21"]) -> Bool[np.ndarray, "21"]:
    """Return which labelled joints have no place: (0, 0), another u = v < 0, or one that over 5 share."""
    uv_px = np.where(labelled[:, None], uv_px, np.nan)
    together = (uv_px[:, None] == uv_px).all(axis=-1).sum(axis=1)
    filler = (uv_px[:, 0] == uv_px[:, 1]) & (uv_px[:, 0] <= 0)
    return np.asarray(labelled & (filler | (together > MOST_AT_ONE_PLACE)))


def announce_doubles(samples: Sequence[Sample], path: Path) -> None:
    """Announce pairs of hands of one image whose 2D joints are nearly the same. `path` is the label file."""
    by_image = dict[Path, list[Float32[np.ndarray, "21 2"]]]()
    for sample in samples:
        if sample.uv_px is not None:
            by_image.setdefault(sample.image, []).append(sample.uv_px)
    pairs = (pair for hands in by_image.values() for pair in combinations(hands[:MOST_HANDS], 2))
    if doubles := sum(_same(first, second) for first, second in pairs):
        text = "%s: %s of one image, with nearly the same joints; a hand may be labelled twice"
        _LOG.warning(text, path, counted(doubles, "pair") + " of hands")


def _same(first: Float32[np.ndarray, "21 2"], second: Float32[np.ndarray, "21 2"]) -> bool:
    with np.errstate(all="ignore"):  # numbers may be huge
        size = np.ptp(first, axis=0).max()
        return bool(np.median(np.linalg.norm(first - second, axis=1)) < NEAR * size)
