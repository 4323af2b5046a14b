"""Principal points in the wrong place: K is for images of another size, padding or crop.

The principal point of a camera is near the middle of its images.
"""

import numpy as np
from jaxtyping import Float

_SAME_RATIO, _OTHER_RATIO, _CENTRED, _MIDDLE = 1.15, 1.2, 0.3, 0.1
_DOUBTFUL = (1.06, 1.03)
"""Smaller factors of the principal points are those of real cameras: STB has 1.00 and 1.04."""
_ALIKE = 0.02
"""Principal points of one camera differ by less; so do factors in x and y of images that were resized."""


def centres(
    uv_px: Float[np.ndarray, "n 21 2"], visible: np.ndarray, size_px: Float[np.ndarray, "n 2"]
) -> Float[np.ndarray, "n 2"]:
    """Return the mean place of each hand's visible joints, in halves of the image: (1, 1) is its centre."""
    visible = visible & np.isfinite(uv_px).all(axis=-1)
    total = np.where(visible[..., None], uv_px, 0).sum(axis=1)
    number = np.where(visible.any(axis=1), visible.sum(axis=1), np.nan)
    with np.errstate(invalid="ignore"):
        return total / number[:, None] / (size_px / 2)


def common_scale(hands: Float[np.ndarray, "n 2"], principal: Float[np.ndarray, "n 2"]) -> float | None:
    """Return the factor by which principal points, or centred hands, are off in x and y; None if none.

    `hands` are their `centres`, `principal` the principal points in the same unit.
    """
    finite = hands[np.isfinite(hands).all(axis=1)]
    if not len(finite):
        return None
    scale = _principal_scale(hands, principal, _OTHER_RATIO, _SAME_RATIO)
    if scale is not None:
        return scale
    middle = np.median(finite, axis=0)
    if np.abs(np.median(principal, axis=0) - 1).max() < _MIDDLE:
        return None  # K is that of whole images
    low, high = np.percentile(finite, [25, 75], axis=0) / middle
    return _one_ratio(middle, _OTHER_RATIO, _SAME_RATIO) if (high - low < _CENTRED).all() else None


def doubtful_scale(hands: Float[np.ndarray, "n 2"], principal: Float[np.ndarray, "n 2"]) -> float | None:
    """Return a smaller `common_scale`, which real cameras seldom have; None if there is none."""
    return _principal_scale(hands, principal, *_DOUBTFUL)


def _one_camera(principal: Float[np.ndarray, "n 2"]) -> bool:
    spread = np.ptp(np.percentile(principal, [10, 90], axis=0), axis=0)
    return bool((spread < _ALIKE).all())


def _principal_scale(
    hands: Float[np.ndarray, "n 2"], principal: Float[np.ndarray, "n 2"], other: float, same: float
) -> float | None:
    """Return the factor of the principal points if the hands have it, too; None if it is near 1.

    Points of one camera with the same factor in x and y need no hands.
    """
    finite, ratio = hands[np.isfinite(hands).all(axis=1)], np.median(principal, axis=0)
    scale = _one_ratio(ratio, other, same)
    if scale is not None and _one_camera(principal) and _one_ratio(ratio, other, 1 + _ALIKE) is not None:
        return scale
    if scale is None or not len(finite):
        return None
    middle = np.median(finite, axis=0)
    return scale if np.linalg.norm(middle / scale - 1) < np.linalg.norm(middle - 1) else None


def _one_ratio(ratio: Float[np.ndarray, "2"], other: float, same: float) -> float | None:
    """Return the factor that x and y have in common; None if they differ by `same`, or by `other` from 1."""
    x, y = float(ratio[0]), float(ratio[1])
    if min(x, y) <= 0 or max(x, y) / min(x, y) > same:
        return None
    scale = (x * y) ** 0.5
    return scale if max(scale, 1 / scale) > other else None
