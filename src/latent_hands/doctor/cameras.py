"""Axes and camera: do the 3D joints, projected by K, lie at the 2D joints?

If they do not, other readings of the same numbers are tried: swapped or reversed axes, a camera of another
resolution, a camera of another crop.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from latent_hands.data.camera_factor import CameraFactor, camera_factor, hand_size_px
from latent_hands.data.sample import project
from latent_hands.doctor.labels import Labels, Verdict, against_side, figures

AS_LABELLED = "x right, y down, z forward"
SWAPPED = "x and y of the 3D joints are swapped"
SWAPPED_2D = "the 2D joints are (v, u), not (u, v)"
MIRRORED = "the 3D joints are mirrored: x points left"
_AXES = {
    AS_LABELLED: ((0, 1, 2), (1, 1, 1)),
    SWAPPED: ((1, 0, 2), (1, 1, 1)),
    MIRRORED: ((0, 1, 2), (-1, 1, 1)),
    "y of the 3D joints points up": ((0, 1, 2), (1, -1, 1)),
    "x of the 3D joints points left and y up": ((0, 1, 2), (-1, -1, 1)),
    "the 3D joints have OpenGL's axes: y points up and z back": ((0, 1, 2), (1, -1, -1)),
    SWAPPED_2D: ((0, 1, 2), (1, 1, 1)),
}
"""Reading -> the columns of the 3D joints that hold x, y and z, and their signs."""
_TOLERANCE = 0.08
"""The largest error, in sizes of the hand in the image. RHD has 0.005, joints marked by hand have 0.05."""
_LEAST_POINTS = 4
_PROJECTED_PX = 1e-3


@dataclass(frozen=True)
class Fit:
    """One reading of the axes, and the change of K with which the projections fit the 2D joints best.

    scale: the factor of K, one for all images; 1 if it was not fitted.
    moved_px: the median translation of a projection; 0 if translations were not fitted.
    error: the median distance after these changes, in sizes of the hand. error_px: the same in pixels.
    """

    axes: str
    scale: float
    moved_px: float
    error: float
    error_px: float


def find_camera(labels: Labels) -> tuple[list[Verdict], Labels]:
    """Find axes and camera. Return the verdicts, and the labels with both corrected if that is possible."""
    if labels.uv_px is None or labels.K is None:
        return [Verdict("camera", "not labelled", "K or the 2D joints are missing")], labels
    fits = fit_readings(labels)
    if not fits:
        evidence = "no image has four visible joints in front of the camera"
        return [Verdict("camera", "unknown", evidence)], labels
    evidence = _evidence(fits)
    factor = camera_factor(labels.xyz_mm, labels.K, labels.uv_px, labels.visible)
    if factor is not None and (factor.part == "focal" or factor.before < _TOLERANCE):
        return _by_a_factor(labels, factor, evidence)
    good = [fit for fit in fits if fit.error < _TOLERANCE]
    if not good:
        wrong = f"{evidence}; no other axes and no other camera explain it"
        return [Verdict("camera", "does not reproject", evidence, wrong)], labels
    fit = _best(good, first=SWAPPED_2D if _sides_agree(labels) else SWAPPED)
    verdicts = [
        Verdict("axes", fit.axes, evidence, _wrong_axes(fit, evidence)),
        Verdict("camera", _camera_name(fit), evidence, _wrong_camera(fit, evidence, labels)),
    ]
    return verdicts, _corrected(labels, fit)


def fit_readings(labels: Labels) -> list[Fit]:
    """Fit every reading of the axes: with K as it is, with K scaled, and with each projection moved, too."""
    assert labels.uv_px is not None
    fits = []
    for method in (_unchanged, _scaled, _moved):
        for axes in _AXES:
            uv_px, projected, front = _usable(labels, axes)
            if len(uv_px) and front > 0.9:
                fits.append(method(axes, projected, uv_px))
    return fits


def with_axes(xyz: Float[np.ndarray, "*n 3"], axes: str) -> Float[np.ndarray, "*n 3"]:
    """Convert points labelled with these axes to the camera frame: x right, y down, z forward."""
    places, signs = _AXES[axes]
    return xyz[..., list(places)] * np.array(signs)


def reprojection_px(labels: Labels) -> Float[np.ndarray, "n 21"]:
    """Return the distance of each visible 2D joint to the projection of its 3D joint; NaN if not visible."""
    assert labels.uv_px is not None
    assert labels.K is not None
    projected = project(labels.xyz_mm, labels.K)
    with np.errstate(invalid="ignore"):
        distance = np.linalg.norm(projected - labels.uv_px, axis=-1)
    return np.where(labels.visible, distance, np.nan)


def _usable(labels: Labels, axes: str) -> tuple[np.ndarray, np.ndarray, float]:
    """Return 2D and projected 3D joints, NaN if not visible, of hands with enough; and the share in front."""
    assert labels.uv_px is not None
    assert labels.K is not None
    xyz = with_axes(labels.xyz_mm, axes)
    projected = project(xyz, labels.K)
    visible = labels.visible & np.isfinite(projected).all(axis=-1) & np.isfinite(labels.uv_px).all(axis=-1)
    enough = visible.sum(axis=1) >= _LEAST_POINTS
    uv_px = labels.uv_px[..., ::-1] if axes == SWAPPED_2D else labels.uv_px
    hidden = ~visible[enough][..., None]
    front = float((xyz[enough][visible[enough]][:, 2] > 0).mean()) if enough.any() else 0.0
    return np.where(hidden, np.nan, uv_px[enough]), np.where(hidden, np.nan, projected[enough]), front


def _unchanged(axes: str, projected: np.ndarray, uv_px: np.ndarray) -> Fit:
    return Fit(axes, 1.0, 0.0, *_errors(projected, uv_px))


def _scaled(axes: str, projected: np.ndarray, uv_px: np.ndarray) -> Fit:
    scale = float(np.median(hand_size_px(uv_px) / np.maximum(hand_size_px(projected), 1e-9)))
    return Fit(axes, scale, 0.0, *_errors(scale * projected, uv_px))


def _moved(axes: str, projected: np.ndarray, uv_px: np.ndarray) -> Fit:
    scale = _scaled(axes, projected, uv_px).scale
    moved = np.nanmean(uv_px - scale * projected, axis=1, keepdims=True)
    distance = float(np.median(np.linalg.norm(moved, axis=-1)))
    return Fit(axes, scale, distance, *_errors(scale * projected + moved, uv_px))


def _errors(projected: np.ndarray, uv_px: np.ndarray) -> tuple[float, float]:
    each_px = np.nanmedian(np.linalg.norm(projected - uv_px, axis=-1), axis=1)
    return float(np.median(each_px / np.maximum(hand_size_px(uv_px), 1e-9))), float(np.median(each_px))


def _best(good: list[Fit], first: str) -> Fit:
    """Return the fit with the smallest change of K, then the smallest error; of equals, the axes `first`."""

    def cost(fit: Fit) -> tuple[int, float, bool]:
        return 2 if fit.moved_px else int(fit.scale != 1), round(fit.error, 3), fit.axes != first

    return min(good, key=cost)


def _evidence(fits: list[Fit]) -> str:
    """Return how well the labels agree as they are."""
    plain = fits[0]
    if plain.axes != AS_LABELLED:
        return "the 3D joints lie behind the camera"
    if plain.error_px < _PROJECTED_PX:
        return "the 2D joints are the projections of the 3D joints"
    return f"the projected 3D joints miss the visible 2D joints by {figures(plain.error_px)} px (median)"


def _sides_agree(labels: Labels) -> bool:
    """Return whether hands bend like the labelled sides; they would not with swapped 3D axes."""
    if labels.left is None:
        return False
    against, bent = against_side(labels)
    return bool(bent.any() and against.sum() < bent.sum() / 2)


def _wrong_axes(fit: Fit, evidence: str) -> str:
    if fit.axes == AS_LABELLED:
        return ""
    return f"{fit.axes}: {evidence}; after a correction they miss by {figures(fit.error_px)} px"


def _by_a_factor(labels: Labels, found: CameraFactor, evidence: str) -> tuple[list[Verdict], Labels]:
    """Return the verdict on cameras that are wrong by one factor, and the labels with corrected cameras."""
    assert labels.K is not None
    what = "the first two rows of K" if found.part == "K" else "fx and fy"
    wrong = f"{evidence}, {found.before:.2g} sizes of the hand; multiply {what} by {found.factor:.4g}: "
    wrong += f"they then miss by {found.after:.2g} sizes"
    K = labels.K.copy()
    K[:, :2, : 3 if found.part == "K" else 2] *= found.factor
    name = "K of another resolution" if found.part == "K" else "another focal length"
    verdicts = [Verdict("axes", AS_LABELLED, evidence), Verdict("camera", name, evidence, wrong)]
    return verdicts, replace(labels, K=K)


def _camera_name(fit: Fit) -> str:
    if fit.moved_px:
        return "K of another crop"
    return "K of this image" if fit.scale == 1 else "K of another resolution"


def _wrong_camera(fit: Fit, evidence: str, labels: Labels) -> str:
    if fit.scale == 1 and not fit.moved_px:
        return ""
    assert labels.K is not None
    focal = float(np.median(labels.K[:, 0, 0]))
    if not fit.moved_px:
        width, height = np.median(labels.size_px, axis=0)
        wrong = f"K belongs to images of {width / fit.scale:.0f}x{height / fit.scale:.0f} px, these have "
        wrong += f"{width:.0f}x{height:.0f} px: {evidence}; they miss by {figures(fit.error_px)} px with the "
        wrong += f"first two rows of K times {fit.scale:.3g} "
        return wrong + f"(focal length {focal:.0f} -> {focal * fit.scale:.0f} px)"
    wrong = f"K belongs to another crop: {evidence}; they miss by {figures(fit.error_px)} px after each "
    wrong += f"projection is magnified {fit.scale:.3g} times "
    return wrong + f"and moved by {fit.moved_px:.0f} px (median)"


def _corrected(labels: Labels, fit: Fit) -> Labels:
    if fit.axes == SWAPPED_2D and labels.uv_px is not None:
        labels = replace(labels, uv_px=labels.uv_px[..., ::-1])
    else:
        labels = replace(labels, xyz_mm=with_axes(labels.xyz_mm, fit.axes))
    assert labels.K is not None
    return replace(labels, K=labels.K * np.array([fit.scale, fit.scale, 1.0])[:, None])
