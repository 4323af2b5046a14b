"""The side of a hand by its bent fingers: they bend to the palm, left and right hands to opposite sides."""

import numpy as np
from jaxtyping import Bool, Float

from latent_hands.hand.skeleton import FINGERS, INDEX_MCP, LITTLE_MCP, MIDDLE_MCP

BENT = 0.3
"""Hands that bend less do not decide."""


def left_bend(xyz: Float[np.ndarray, "n 21 3"]) -> Float[np.ndarray, " n"]:
    """Return how far the four fingers bend towards the palm of a LEFT hand, in finger lengths, -1 to 1.

    Fingers bend to the palm and hardly backwards. So it is positive for left hands, negative for right hands,
    and near 0 for flat hands, which do not decide.
    """
    normal = np.cross(xyz[:, LITTLE_MCP] - xyz[:, INDEX_MCP], xyz[:, MIDDLE_MCP] - xyz[:, 0])
    normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-12)
    bends = []
    for chain in list(FINGERS.values())[1:]:
        points = xyz[:, chain]
        length = np.linalg.norm(np.diff(points, axis=1), axis=-1).sum(axis=1)
        bends.append(((points[:, -1] - points[:, 0]) * normal).sum(axis=-1) / np.maximum(length, 1e-9))
    return np.mean(bends, axis=0)


def against_side(
    xyz: Float[np.ndarray, "n 21 3"], left: Bool[np.ndarray, " n"]
) -> tuple[Bool[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    """Return which hands bend like hands of the other side, and which are bent enough to decide."""
    bend = left_bend(xyz) * np.where(left, 1, -1)
    return bend < -BENT, np.abs(bend) > BENT
