"""Labels against images: do joints lie in the image, and on uniform colours, as skin is?"""

from dataclasses import replace

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageFilter

from latent_hands.data import Sample
from latent_hands.data.camera_factor import common_shift
from latent_hands.data.label_places import inside_share, shifted_by
from latent_hands.data.principal_points import (
    centres,
    common_scale,
    doubtful_scale,
)
from latent_hands.data.sample import project
from latent_hands.doctor.cameras import AS_LABELLED, MIRRORED, SWAPPED, with_axes
from latent_hands.doctor.labels import Labels, Verdict

READINGS = (AS_LABELLED, SWAPPED, MIRRORED)
"""Axes between which bent fingers cannot decide: the last two turn left hands into right hands."""
_LEAST_INSIDE = 8
_FAR = 1e3  # larger than any spread of colours
_CLEAR = 2.0  # standard deviations of a fair coin that is tossed once an image


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
    places = centres(labels.uv_px, labels.visible, labels.size_px)
    principal = labels.K[:, :2, 2] / (labels.size_px / 2)
    evidence = f"{np.nanmean(share):.0%} of the visible joints lie in their images"
    scale = common_scale(places, principal)
    if scale is not None:
        width, height = np.median(labels.size_px, axis=0)
        x, y = np.median(labels.K[:, :2, 2], axis=0)
        u, v = np.nanmedian(places, axis=0) * [width / 2, height / 2]
        wrong = f"K belongs to images of {width * scale:.0f}x{height * scale:.0f} px, these have "
        wrong += f"{width:.0f}x{height:.0f} px: its principal point is ({x:.0f}, {y:.0f}), hands lie around "
        wrong += f"({u:.0f}, {v:.0f}), {evidence}; multiply the first two rows of K by {1 / scale:.3g}"
        K = labels.K / np.array([scale, scale, 1.0])[:, None]
        corrected = replace(labels, K=K, uv_px=labels.uv_px / scale)
        return Verdict("camera", "K of another resolution", evidence, wrong), corrected
    if (scale := doubtful_scale(places, principal)) is not None:
        wrong = f"the principal points are {scale:.3g} times as far from the corner as the middle of the "
        wrong += "images: K and 2D joints may be for images of another size"
        return Verdict("camera", "K of another resolution", evidence, wrong), labels
    if (shift := common_shift(project(labels.xyz_mm, labels.K), labels.uv_px, labels.visible)).any():
        wrong = f"the 2D joints are {shifted_by(shift)}"
        return Verdict("frame", "2D joints are shifted", evidence, wrong), labels
    if np.nanmean(share) > 0.5:
        return Verdict("frame", "joints lie in the images", evidence), labels
    wrong = f"only {evidence}: 2D joints, K and images do not belong together"
    return Verdict("frame", "joints lie outside the images", evidence, wrong), labels


def inside(labels: Labels) -> Float[np.ndarray, " n"]:
    """Return the share of the visible joints of each hand that lie in the image; 1 if none is visible."""
    assert labels.uv_px is not None
    return inside_share(labels.uv_px, labels.visible, labels.size_px)


def _spread(image: np.ndarray, uv_px: np.ndarray) -> float:
    height, width = image.shape[:2]
    with np.errstate(invalid="ignore"):
        within = ((uv_px >= 0) & (uv_px <= (width - 1, height - 1))).all(axis=1)
    if within.sum() < _LEAST_INSIDE:
        return _FAR
    u, v = np.rint(uv_px[within]).astype(int).T
    colours = image[v, u].astype(float)
    return float(np.abs(colours - np.median(colours, axis=0)).mean())
