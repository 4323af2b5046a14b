"""What images say about labels: whether joints lie in them, and on things of one colour, as skin is."""

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
"""Axes between which bent fingers do not decide: each of the last two makes a left hand of a right one."""
_LEAST_INSIDE = 8
_FAR = 1e3  # worse than any mix of colours
_CLEAR = 2.0  # standard deviations of a coin that is thrown for every image
_SAME_RATIO, _OTHER_RATIO, _CENTRED, _MIDDLE = 1.15, 1.2, 0.3, 0.1


def unlikeness(image: UInt8[np.ndarray, "height width 3"], sample: Sample) -> Float[np.ndarray, " readings"]:
    """For each of READINGS, how unlike the colours at the projected joints are, 0 .. 255; much if they miss.

    Skin has one colour and background many: over many images the true reading is the least unlike.
    """
    if sample.xyz_mm is None or sample.K is None:
        return np.full(len(READINGS), _FAR)
    smooth = np.asarray(Image.fromarray(image).filter(ImageFilter.BoxBlur(1)))
    xyz, K = sample.xyz_mm.astype(np.float64), sample.K.astype(np.float64)
    return np.array([_unlike(smooth, project(with_axes(xyz, axes), K)) for axes in READINGS])


def likeliest(unlike: Float[np.ndarray, "n readings"]) -> str | None:
    """The reading under which most images have joints of one colour; None if it may be chance."""
    decided = unlike[np.ptp(unlike, axis=1) > 0]
    if not len(decided):
        return None
    votes = np.bincount(decided.argmin(axis=1), minlength=len(READINGS))
    second, first = np.sort(votes)[-2:]
    return READINGS[votes.argmax()] if first - second > _CLEAR * np.sqrt(first + second) else None


def find_frame(labels: Labels) -> tuple[Verdict, Labels]:
    """Whether joints lie in their images, and if not, whether K and 2D joints are of another resolution."""
    assert labels.uv_px is not None
    assert labels.K is not None
    share = inside(labels)
    centres, principal = _centres(labels), labels.K[:, :2, 2] / (labels.size_px / 2)
    told = f"{np.nanmean(share):.0%} of the visible joints lie in their images"
    scale = _common_scale(centres, principal)
    if scale is not None:
        width, height = np.median(labels.size_px, axis=0)
        x, y = np.median(labels.K[:, :2, 2], axis=0)
        u, v = np.nanmedian(centres, axis=0) * [width / 2, height / 2]
        wrong = f"K belongs to images of {width * scale:.0f}x{height * scale:.0f} px, these have "
        wrong += f"{width:.0f}x{height:.0f}: its principal point is ({x:.0f}, {y:.0f}), hands lie about "
        wrong += f"({u:.0f}, {v:.0f}), {told}; multiply the first two rows of K by {1 / scale:.3g}"
        K = labels.K / np.array([scale, scale, 1.0])[:, None]
        right = replace(labels, K=K, uv_px=labels.uv_px / scale)
        return Verdict("camera", "K of another resolution", told, wrong), right
    wrong = "" if np.nanmean(share) > 0.5 else f"only {told}: 2D joints, K or images are of something else"
    return Verdict("frame", "joints lie in the images" if not wrong else "joints miss", told, wrong), labels


def inside(labels: Labels) -> Float[np.ndarray, " n"]:
    """The share of each hand's visible joints that lie in the image; 1 where none is visible."""
    assert labels.uv_px is not None
    with np.errstate(invalid="ignore"):
        within = ((labels.uv_px >= -0.5) & (labels.uv_px <= labels.size_px[:, None] - 0.5)).all(axis=-1)
    count = labels.visible.sum(axis=1)
    return np.where(count > 0, (within & labels.visible).sum(axis=1) / np.maximum(count, 1), 1.0)


def _unlike(image: np.ndarray, uv_px: np.ndarray) -> float:
    height, width = image.shape[:2]
    with np.errstate(invalid="ignore"):
        within = ((uv_px >= 0) & (uv_px <= (width - 1, height - 1))).all(axis=1)
    if within.sum() < _LEAST_INSIDE:
        return _FAR
    u, v = np.rint(uv_px[within]).astype(int).T
    colours = image[v, u].astype(float)
    return float(np.abs(colours - np.median(colours, axis=0)).mean())


def _centres(labels: Labels) -> Float[np.ndarray, "n 2"]:
    """Where each hand's visible joints lie on average, in halves of the image: (1, 1) is its middle."""
    assert labels.uv_px is not None
    seen = labels.visible & np.isfinite(labels.uv_px).all(axis=-1)
    total = np.where(seen[..., None], labels.uv_px, 0).sum(axis=1)
    with np.errstate(invalid="ignore"):
        return total / np.where(seen.any(axis=1), seen.sum(axis=1), np.nan)[:, None] / (labels.size_px / 2)


def _common_scale(centres: np.ndarray, principal: np.ndarray) -> float | None:
    """The factor by which principal points, or hands that stand in the middle, are off in x and y alike."""
    known = centres[np.isfinite(centres).all(axis=1)]
    if not len(known):
        return None
    hands = np.median(known, axis=0)
    scale = _one_ratio(np.median(principal, axis=0))
    if scale is not None and np.linalg.norm(hands / scale - 1) < np.linalg.norm(hands - 1):
        return scale
    if np.abs(np.median(principal, axis=0) - 1).max() < _MIDDLE:
        return None  # the camera of whole images
    low, high = np.percentile(known, [25, 75], axis=0) / hands
    return _one_ratio(hands) if (high - low < _CENTRED).all() else None


def _one_ratio(ratio: Sequence[float] | np.ndarray) -> float | None:
    x, y = float(ratio[0]), float(ratio[1])
    if min(x, y) <= 0 or max(x, y) / min(x, y) > _SAME_RATIO:
        return None
    scale = (x * y) ** 0.5
    return scale if max(scale, 1 / scale) > _OTHER_RATIO else None
