"""The side of a hand by its bent fingers: they bend to the palm, left and right hands to opposite sides.

Knuckles (MCP) bend backwards, too, by up to 45 degrees, and straight fingers then look like those of the
other side. PIP and DIP hardly do. So a hand tells its side only if its fingers are curled, and to the side on
which their tips are.
"""

import numpy as np

from latent_hands.hand.skeleton import FINGERS, INDEX_MCP, LITTLE_MCP, MIDDLE_MCP
from latent_hands.shapes import Bool, Float, Int

CURLED = 0.3
"""Hands that are curled less do not tell their side. Of 40,000 hands of right sides, none exceeds 0.13 to the
back of the hand, and none 0.25 if its joints are wrong by 3 mm."""
_CHAINS = np.array(list(FINGERS.values())[1:])


def left_bend(xyz: Float[np.ndarray, "n 21 3"]) -> Float[np.ndarray, " n"]:
    """Return how far the tips are on the palm's side of a LEFT hand, in finger lengths, -1 to 1.

    It is the mean of the four fingers, and the negative for the mirror image.
    """
    normal = np.cross(xyz[:, LITTLE_MCP] - xyz[:, INDEX_MCP], xyz[:, MIDDLE_MCP] - xyz[:, 0])
    points = xyz[:, _CHAINS]
    length = np.linalg.norm(np.diff(points, axis=2), axis=-1).sum(axis=2)
    reach = ((points[:, :, -1] - points[:, :, 0]) * _unit(normal)[:, None]).sum(axis=-1)
    return (reach / np.maximum(length, 1e-9)).mean(axis=1)


def left_curl(xyz: Float[np.ndarray, "n 21 3"]) -> Float[np.ndarray, " n"]:
    """Return how far PIP and DIP curl to the palm of a LEFT hand, as a mean sine of the four fingers.

    It is the sine of the angle from the first phalanx to the line from PIP to tip, about the axis from the
    little to the index finger, and the negative for the mirror image. Three joints far apart bear more noise
    of labels than neighbours do.
    """
    across = _unit(xyz[:, LITTLE_MCP] - xyz[:, INDEX_MCP])[:, None]
    base, pip, tip = (xyz[:, _CHAINS[:, i]] for i in (0, 1, 3))
    return (np.cross(_unit(pip - base), _unit(tip - pip)) * across).sum(axis=-1).mean(axis=1)


def side_by_fingers(xyz: Float[np.ndarray, "n 21 3"]) -> Int[np.ndarray, " n"]:
    """Return 1 for hands that bend like left hands, -1 for right hands, and 0 for hands that do not tell."""
    curl, bend = left_curl(xyz), left_bend(xyz)
    tells = (np.abs(curl) > CURLED) & (curl * bend > 0)
    return np.where(tells, np.sign(curl), 0).astype(int)


def against_side(
    xyz: Float[np.ndarray, "n 21 3"], left: Bool[np.ndarray, " n"]
) -> tuple[Bool[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    """Return which hands bend like hands of the other side, and which tell their side at all."""
    side = side_by_fingers(xyz)
    return side == np.where(left, -1, 1), side != 0


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
