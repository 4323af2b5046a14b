"""Cameras that are all wrong by one factor: do the 3D joints, projected by K, lie at the 2D joints?

K of other images is wrong by a factor in its first two rows, a wrong focal length in fx and fy alone. The
factor is found from the sizes of the hands. It is evident if it brings the projections much nearer to the 2D
joints. Nothing is found if the 2D joints were themselves projected by the wrong K.
"""

from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from latent_hands.data.sample import project

MUCH_NEARER = 0.5
"""The largest error after the correction, as a share of the error before it."""
LEAST_ERROR = 0.01
"""Smaller errors, in sizes of the hand, are no evidence. RHD has 0.005, joints marked by hand have 0.05."""
LEAST_JOINTS = 4
LEAST_SHIFT_PX, MOST_SPREAD_PX = 0.3, 0.1
"""A shift is common to all joints if it is so large, and if half of the joints differ by less from it. RHD
has 0.002 and 0.03."""


class CameraFactor(NamedTuple):
    """The factor that corrects the cameras.

    part: "K" if it multiplies the first two rows of K, "focal" if it multiplies fx and fy alone.
    before, after: the median distance of a 2D joint to the projected 3D joint, in sizes of the hand.
    """

    part: Literal["K", "focal"]
    factor: float
    before: float
    after: float


def camera_factor(
    xyz_mm: Float[np.ndarray, "n 21 3"],
    K: Float[np.ndarray, "n 3 3"],
    uv_px: Float[np.ndarray, "n 21 2"],
    visible: Bool[np.ndarray, "n 21"],
) -> CameraFactor | None:
    """Return the factor by which cameras must be multiplied; None if none is evident.

    Joints that are not visible or not in front of the camera do not count.
    """
    projected = project(xyz_mm.astype(np.float64), K.astype(np.float64))
    usable = visible & (xyz_mm[..., 2] > 0)
    centre = K[:, None, :2, 2]
    factor = _size_ratio(projected, uv_px, usable)
    before = misfit(projected, uv_px, usable)
    after = {
        "K": misfit(factor * projected, uv_px, usable),
        "focal": misfit(centre + factor * (projected - centre), uv_px, usable),
    }
    part = "K" if after["K"] <= after["focal"] else "focal"
    if before < LEAST_ERROR or after[part] > MUCH_NEARER * before:
        return None
    return CameraFactor(part, factor, before, after[part])


def common_shift(
    projected: Float[np.ndarray, "n 21 2"],
    uv_px: Float[np.ndarray, "n 21 2"],
    visible: Bool[np.ndarray, "n 21"],
) -> Float[np.ndarray, "2"]:
    """Return the shift in pixels that all visible 2D joints have from projected 3D joints; (0, 0) if none.

    Pixels counted from 1 shift them by (1, 1), pixels measured from the image's corner by (0.5, 0.5).
    """
    usable = _usable(projected, uv_px, visible)
    if not usable.any():
        return np.zeros(2)
    shifts = (uv_px - projected)[usable]
    shift = np.median(shifts, axis=0)
    spread = np.median(np.abs(shifts - shift), axis=0)
    common = np.abs(shift).max() > LEAST_SHIFT_PX and spread.max() < MOST_SPREAD_PX
    return shift if common else np.zeros(2)


def misfit(
    projected: Float[np.ndarray, "n 21 2"],
    uv_px: Float[np.ndarray, "n 21 2"],
    visible: Bool[np.ndarray, "n 21"],
) -> float:
    """Return the median distance of visible 2D joints to projected 3D joints, in sizes of the hand.

    It is 0 if no hand has LEAST_JOINTS visible joints.
    """
    each = misfit_of_each(projected, uv_px, visible)
    return float(np.nanmedian(each)) if np.isfinite(each).any() else 0.0


def misfit_of_each(
    projected: Float[np.ndarray, "n 21 2"],
    uv_px: Float[np.ndarray, "n 21 2"],
    visible: Bool[np.ndarray, "n 21"],
) -> Float[np.ndarray, " n"]:
    """Return the `misfit` of each hand; NaN for hands with fewer than LEAST_JOINTS visible joints."""
    found = np.full(len(uv_px), np.nan)
    enough = _enough(projected, uv_px, visible)
    projected, uv_px = _visible(projected, uv_px, visible)
    if len(uv_px):
        distance = np.nanmedian(np.linalg.norm(projected - uv_px, axis=-1), axis=1)
        found[enough] = distance / np.maximum(hand_size_px(uv_px), 1e-9)
    return found


def _size_ratio(projected: np.ndarray, uv_px: np.ndarray, visible: np.ndarray) -> float:
    """Return the median size of a labelled hand over its projected size; 1 if there is no hand."""
    projected, uv_px = _visible(projected, uv_px, visible)
    ratio = hand_size_px(uv_px) / np.maximum(hand_size_px(projected), 1e-9)
    return float(np.median(ratio)) if len(ratio) else 1.0


def _visible(projected: np.ndarray, uv_px: np.ndarray, visible: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the points of hands with enough visible joints; those that are not visible are NaN."""
    enough = _enough(projected, uv_px, visible)
    hidden = ~_usable(projected, uv_px, visible)[enough][..., None]
    return np.where(hidden, np.nan, projected[enough]), np.where(hidden, np.nan, uv_px[enough])


def _usable(projected: np.ndarray, uv_px: np.ndarray, visible: np.ndarray) -> np.ndarray:
    return visible & np.isfinite(projected).all(axis=-1) & np.isfinite(uv_px).all(axis=-1)


def _enough(projected: np.ndarray, uv_px: np.ndarray, visible: np.ndarray) -> np.ndarray:
    return _usable(projected, uv_px, visible).sum(axis=1) >= LEAST_JOINTS


def hand_size_px(uv_px: Float[np.ndarray, "n 21 2"]) -> Float[np.ndarray, " n"]:
    """Return the root mean square distance of the joints to their mean: about a quarter of the hand's length.

    NaN are left out.
    """
    centred = uv_px - np.nanmean(uv_px, axis=1, keepdims=True)
    return np.sqrt(np.nanmean((centred**2).sum(axis=-1), axis=1))
