"""The keypoints of a COCO annotation, and whether they lie in its box."""

from typing import Any

import numpy as np
from jaxtyping import Float64

from latent_hands.data.formats.numerals import array_of
from latent_hands.hand.boxes import Box

RIM, LEAST_SHARE, LEAST = 0.6, 0.8, 3
"""Joints within 0.6 of width and height of the box's centre lie in it; the least median share of them; the
least number of hands that tell it."""


def keypoints_of(value: Any) -> Float64[np.ndarray, "..."]:
    """Return u, v and flag of each keypoint, in the form of the file. Flags may be true and false.

    Raises ValueError and TypeError for values that are not numbers.
    """
    if isinstance(value, list):
        value = [
            int(each) if place % 3 == 2 and isinstance(each, bool) else each
            for place, each in enumerate(value)
        ]
    return array_of(value)


def shares_in_box(box: Box, keypoints: Any) -> list[float]:
    """Return a list of the share of labelled keypoints in a box with a rim; it is empty without any."""
    if not isinstance(keypoints, list) or not keypoints or len(keypoints) % 3:
        return []
    u, v, flags = keypoints_of(keypoints).reshape(-1, 3).T
    x, y, width, height = box
    within = (np.abs(u - x - width / 2) < RIM * width) & (np.abs(v - y - height / 2) < RIM * height)
    return [float(within[flags > 0].mean())] if (flags > 0).any() else []


def contradict(shares: list[float]) -> bool:
    """Return whether most keypoints of several hands lie outside of their boxes, given `shares_in_box`."""
    return len(shares) >= LEAST and bool(np.median(shares) < LEAST_SHARE)
