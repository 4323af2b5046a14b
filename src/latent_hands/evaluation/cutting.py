"""Parts of labelled images whose border cuts through a hand."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import UInt8

from latent_hands.data.sample import Sample
from latent_hands.hand.boxes import box_of_joints
from latent_hands.predictor.checks import Rgb

LEAST_PX = 40
"""The smallest side of a part."""
CUTS = (0.3, 0.7)
"""Where the border cuts the box of the hand, in sides of the box."""


def cut_through(
    rgb: Rgb, hands: Sequence[Sample], rng: np.random.Generator
) -> tuple[UInt8[np.ndarray, "part_height part_width 3"], list[Sample]]:
    """Return a part of an image whose border cuts through one of its hands, and the hands of the part.

    The hand and the border are random. The labels (`uv_px`, `K`) are moved, and are kept for joints outside.
    """
    known = [hand for hand in hands if hand.uv_px is not None]
    chosen = known[rng.integers(len(known))]
    assert chosen.uv_px is not None
    axis, first = int(rng.integers(2)), bool(rng.integers(2))
    box, length = box_of_joints(chosen.uv_px), rgb.shape[1 - axis]
    at = box[axis] + rng.uniform(*CUTS) * box[2 + axis]
    at = int(np.clip(at, LEAST_PX, max(length - LEAST_PX, LEAST_PX)))
    part = rgb[:, :at] if axis == 0 else rgb[:at]
    corner = np.zeros(2, np.float32)
    if not first:
        part, corner[axis] = (rgb[:, at:] if axis == 0 else rgb[at:]), at
    return np.ascontiguousarray(part), [_moved(hand, corner) for hand in known]


def _moved(hand: Sample, corner: np.ndarray) -> Sample:
    """Return a hand in the part of its image that begins at a corner (x, y)."""
    assert hand.uv_px is not None
    K = hand.K
    if K is not None:
        K = K.copy()
        K[:2, 2] -= corner
    return replace(hand, uv_px=hand.uv_px - corner, K=K)
