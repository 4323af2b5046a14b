"""Self-collision of an articulated hand, by capsules around the bones of the mean hand."""

from functools import cache

import numpy as np
from jaxtyping import Float, Int

from latent_hands.hand.rig.articulation import Articulation
from latent_hands.hand.rig.model import HandModel, Shape
from latent_hands.hand.rig.points import FINGER_BONES, THUMB_BONES

# Thumb and four fingers, base to tip, then the four metacarpals.
_BONES = np.concatenate([THUMB_BONES, FINGER_BONES.ravel(), FINGER_BONES[:, 0] - 1])
_SIZES = np.array([1.0, 1.0, 0.93, 0.82])
_RADII_MM = np.concatenate([[11.8, 9.4, 7.5], np.outer(_SIZES, [8.7, 7.9, 6.7]).ravel(), [9.0] * 4])
# The bones lie close to the back of the hand. So the capsules are moved this far towards the palm.
_PALMAR_MM = np.concatenate([[1.9, 2.4, 3.8], np.outer(_SIZES, [4.0, 4.1, 2.6]).ravel(), [3.3] * 4])
_TIP_INWARD_MM = np.array([6.6, 7.1, 8.0, 6.1, 5.2])


def penetration_mm(articulation: Articulation) -> float:
    """Return the depth of the deepest overlap of two parts of the mean hand, in millimetres.

    A negative depth is the smallest distance between two parts.
    """
    rotations, heads = HandModel.load().bones(_mean_shape(), articulation)
    ends = heads[_BONES, None] + np.einsum("bij,bej->bei", rotations[_BONES], _capsules())
    i, j, reach = _pairs()
    return float((reach - 1000 * segment_distance(*ends[i].swapaxes(0, 1), *ends[j].swapaxes(0, 1))).max())


def segment_distance(
    a: Float[np.ndarray, "n 3"],
    b: Float[np.ndarray, "n 3"],
    c: Float[np.ndarray, "n 3"],
    d: Float[np.ndarray, "n 3"],
) -> Float[np.ndarray, " n"]:
    """Return the distances between the segments ab and cd (Ericson 2004, section 5.1.9)."""
    u, v, r = b - a, d - c, a - c
    uu, vv, uv = (u * u).sum(1), (v * v).sum(1), (u * v).sum(1)
    ur, vr = (u * r).sum(1), (v * r).sum(1)
    s = np.clip((uv * vr - ur * vv) / np.maximum(uu * vv - uv * uv, 1e-12), 0, 1)
    t = np.clip((uv * s + vr) / vv, 0, 1)
    s = np.clip((uv * t - ur) / uu, 0, 1)
    return np.linalg.norm(r + s[:, None] * u - t[:, None] * v, axis=1)


@cache
def _mean_shape() -> Shape:
    return HandModel.load().identity(np.zeros(12))


@cache
def _capsules() -> Float[np.ndarray, "bones 2 3"]:
    """Return both ends of the axis of each capsule, relative to the head of its bone at rest, in metres."""
    shape, frames = _mean_shape(), HandModel.load().bone_frames[_BONES]
    span = (shape.tails - shape.heads)[_BONES]
    span[2:15:3] -= frames[2:15:3, :, 1] * _TIP_INWARD_MM[:, None] / 1000
    palmar = frames[:, :, 2] * _PALMAR_MM[:, None] / 1000
    return np.stack([palmar, span + palmar], 1)


@cache
def _pairs() -> tuple[Int[np.ndarray, " n"], Int[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Return the pairs of bones that must not overlap, and the sum of their radii in millimetres.

    Pairs that touch at rest are left out: bones of one finger, proximal phalanges of neighbours, the thumb's
    base and the palm, proximal phalanges and the palm.
    """
    finger = np.concatenate([np.arange(15) // 3, np.full(4, 5)])
    phalanx = np.concatenate([np.arange(15) % 3, np.full(4, -1)])
    i, j = np.triu_indices(len(_BONES), 1)
    palm = finger[j] == 5
    checked = (finger[i] != finger[j]) & ~(palm & ((phalanx[i] == 0) | ((finger[i] == 0) & (phalanx[i] < 2))))
    checked &= ~((phalanx[i] == 0) & (phalanx[j] == 0))
    return i[checked], j[checked], (_RADII_MM[i] + _RADII_MM[j])[checked]
