"""Labels against images: do joints lie in the image, and on uniform colours, as skin is?"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageFilter

from latent_hands.data import Sample
from latent_hands.data.sample import project
from latent_hands.doctor.cameras import AS_LABELLED, MIRRORED, SWAPPED, with_axes
from latent_hands.doctor.labels import Labels, Verdict

READINGS = (AS_LABELLED, SWAPPED, MIRRORED)
"""Axes between which bent fingers cannot decide: the last two turn left hands into right hands."""
_LEAST_INSIDE = 8
_FAR = 1e3  # larger than any spread of colours
_CLEAR = 2.0  # standard deviations of a fair coin that is tossed once an image
_SAME_RATIO, _OTHER_RATIO, _CENTRED, _MIDDLE = 1.15, 1.2, 0.3, 0.1


def colour_spread(
    image: UInt8[np.ndarray, "height width 3"], sample: Sample
) -> Float[np.ndarray, " readings"]:
    """Return the spread of the colours at the projected joints, 0 to 255, for each of READINGS.

    It is the mean absolute difference from the median colour. It is 1000 if too few joints lie in the image.
    Skin has one colour and the background many, so over many images the true reading has the smallest spread.
    """
    if sample.xyz_mm is None or sample.K is None:
        return np.full(len(READINGS), _FAR)
    smooth = np.asarray(Image.fromarray(image).filter(ImageFilter.BoxBlur(1)))
    xyz, K = sample.xyz_mm.astype(np.float64), sample.K.astype(np.float64)
    return np.array([_spread(smooth, project(with_axes(xyz, axes), K)) for axes in READINGS])


def best_reading(spread: Float[np.ndarray, "n readings"]) -> str | None:
    """Return the reading with the smallest spread in most images; None if that may be chance."""
    decided = spread[np.ptp(spread, axis=1) > 0]
    if not len(decided):
        return None
    votes = np.bincount(decided.argmin(axis=1), minlength=len(READINGS))
    second, first = np.sort(votes)[-2:]
    return READINGS[votes.argmax()] if first - second > _CLEAR * np.sqrt(first + second) else None


def find_frame(labels: Labels) -> tuple[Verdict, Labels]:
    """Find whether joints lie in their images, and whether K and 2D joints are of another resolution."""
    assert labels.uv_px is not None
    assert labels.K is not None
    share = inside(labels)
    centres, principal = _centres(labels), labels.K[:, :2, 2] / (labels.size_px / 2)
    evidence = f"{np.nanmean(share):.0%} of the visible joints lie in their images"
    scale = _common_scale(centres, principal)
    if scale is not None:
        width, height = np.median(labels.size_px, axis=0)
        x, y = np.median(labels.K[:, :2, 2], axis=0)
        u, v = np.nanmedian(centres, axis=0) * [width / 2, height / 2]
        wrong = f"K belongs to images of {width * scale:.0f}x{height * scale:.0f} px, these have "
        wrong += f"{width:.0f}x{height:.0f} px: its principal point is ({x:.0f}, {y:.0f}), hands lie around "
        wrong += f"({u:.0f}, {v:.0f}), {evidence}; multiply the first two rows of K by {1 / scale:.3g}"
        K = labels.K / np.array([scale, scale, 1.0])[:, None]
        corrected = replace(labels, K=K, uv_px=labels.uv_px / scale)
        return Verdict("camera", "K of another resolution", evidence, wrong), corrected
    if np.nanmean(share) > 0.5:
        return Verdict("frame", "joints lie in the images", evidence), labels
    wrong = f"only {evidence}: 2D joints, K and images do not belong together"
    return Verdict("frame", "joints lie outside the images", evidence, wrong), labels


def inside(labels: Labels) -> Float[np.ndarray, " n"]:
    """Return the share of the visible joints of each hand that lie in the image; 1 if none is visible."""
    assert labels.uv_px is not None
    with np.errstate(invalid="ignore"):
        within = ((labels.uv_px >= -0.5) & (labels.uv_px <= labels.size_px[:, None] - 0.5)).all(axis=-1)
    count = labels.visible.sum(axis=1)
    return np.where(count > 0, (within & labels.visible).sum(axis=1) / np.maximum(count, 1), 1.0)


def _spread(image: np.ndarray, uv_px: np.ndarray) -> float:
    height, width = image.shape[:2]
    with np.errstate(invalid="ignore"):
        within = ((uv_px >= 0) & (uv_px <= (width - 1, height - 1))).all(axis=1)
    if within.sum() < _LEAST_INSIDE:
        return _FAR
    u, v = np.rint(uv_px[within]).astype(int).T
    colours = image[v, u].astype(float)
    return float(np.abs(colours - np.median(colours, axis=0)).mean())


def _centres(labels: Labels) -> Float[np.ndarray, "n 2"]:
    """Return the mean place of each hand's visible joints, in halves of the image: (1, 1) is its centre."""
    assert labels.uv_px is not None
    visible = labels.visible & np.isfinite(labels.uv_px).all(axis=-1)
    total = np.where(visible[..., None], labels.uv_px, 0).sum(axis=1)
    number = np.where(visible.any(axis=1), visible.sum(axis=1), np.nan)
    with np.errstate(invalid="ignore"):
        return total / number[:, None] / (labels.size_px / 2)


def _common_scale(centres: np.ndarray, principal: np.ndarray) -> float | None:
    """Return the factor by which principal points, or centred hands, are off in x and y; None if none."""
    finite = centres[np.isfinite(centres).all(axis=1)]
    if not len(finite):
        return None
    hands = np.median(finite, axis=0)
    scale = _one_ratio(np.median(principal, axis=0))
    if scale is not None and np.linalg.norm(hands / scale - 1) < np.linalg.norm(hands - 1):
        return scale
    if np.abs(np.median(principal, axis=0) - 1).max() < _MIDDLE:
        return None  # K is that of whole images
    low, high = np.percentile(finite, [25, 75], axis=0) / hands
    return _one_ratio(hands) if (high - low < _CENTRED).all() else None


def _one_ratio(ratio: Sequence[float] | np.ndarray) -> float | None:
    """Return the factor that x and y have in common; None if they differ or are near 1."""
    x, y = float(ratio[0]), float(ratio[1])
    if min(x, y) <= 0 or max(x, y) / min(x, y) > _SAME_RATIO:
        return None
    scale = (x * y) ** 0.5
    return scale if max(scale, 1 / scale) > _OTHER_RATIO else None
