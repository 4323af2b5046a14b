"""Axes and camera: do the 3D joints, seen by K, fall on the 2D joints, and these into the image?

Where they do not, other readings of the same numbers are tried: axes swapped or turned round, a camera of
another resolution, a camera of another crop.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from latent_hands.data.sample import project
from latent_hands.doctor.conventions import against_side
from latent_hands.doctor.labels import Labels, Verdict, figures

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
"""How points were labelled: where x, y and z of the 3D joints stand, and their signs."""
_TOLERANCE = 0.08
"""In sizes of the hand in the image. RHD's reprojection is exact to 0.005, hand-marked joints to 0.05."""
_LEAST_POINTS = 4
_PROJECTED_PX = 1e-3


@dataclass(frozen=True)
class Fit:
    """One reading of axes, and what must be done to the projection until it meets the 2D joints.

    scale: one factor for all images, that K must be multiplied by; 1 if none was fitted. moved_px: how far
    the projection was moved, if each was moved freely. error: median distance after that, in hand sizes;
    error_px: in pixels.
    """

    axes: str
    scale: float
    moved_px: float
    error: float
    error_px: float


def find_camera(labels: Labels) -> tuple[list[Verdict], Labels]:
    """Verdicts on axes and camera, and the labels with both set right as far as labels can tell."""
    if labels.uv_px is None or labels.K is None:
        return [Verdict("camera", "not labelled", "there is no K, or no 2D joint")], labels
    fits = fit_readings(labels)
    if not fits:
        return [
            Verdict("camera", "unknown", "no image has four visible joints in front of the camera")
        ], labels
    told = _as_read(fits)
    good = [fit for fit in fits if fit.error < _TOLERANCE]
    if not good:
        wrong = f"{told}; no swap of axes and no other camera mends it"
        return [Verdict("camera", "does not reproject", told, wrong)], labels
    fit = _best(good, first=SWAPPED_2D if _sides_agree(labels) else SWAPPED)
    verdicts = [Verdict("axes", fit.axes, told, _wrong_axes(fit, told))]
    verdicts.append(Verdict("camera", _camera_name(fit), told, _wrong_camera(fit, told, labels)))
    return verdicts, _righted(labels, fit)


def fit_readings(labels: Labels) -> list[Fit]:
    """Every reading of the axes: first as it is, then with K scaled, then with each projection moved, too."""
    assert labels.uv_px is not None
    fits = []
    for rounds in (_as_it_is, _scaled, _moved):
        for axes in _AXES:
            uv_px, projected, front = _usable(labels, axes)
            if len(uv_px) and front > 0.9:
                fits.append(rounds(axes, projected, uv_px))
    return fits


def with_axes(xyz: Float[np.ndarray, "*n 3"], axes: str) -> Float[np.ndarray, "*n 3"]:
    """Points that were labelled with such axes, in ours."""
    places, signs = _AXES[axes]
    return xyz[..., list(places)] * np.array(signs)


def reprojection_px(labels: Labels) -> Float[np.ndarray, "n 21"]:
    """Distance of each visible joint from where K shows it; NaN for the others."""
    assert labels.uv_px is not None
    assert labels.K is not None
    projected = project(labels.xyz_mm, labels.K)
    with np.errstate(invalid="ignore"):
        distance = np.linalg.norm(projected - labels.uv_px, axis=-1)
    return np.where(labels.visible, distance, np.nan)


def hand_size_px(uv_px: Float[np.ndarray, "n 21 2"]) -> Float[np.ndarray, " n"]:
    """How far joints lie from their mean, which is about a quarter of the hand's length; NaN is left out."""
    centred = uv_px - np.nanmean(uv_px, axis=1, keepdims=True)
    return np.sqrt(np.nanmean((centred**2).sum(axis=-1), axis=1))


def _usable(labels: Labels, axes: str) -> tuple[np.ndarray, np.ndarray, float]:
    """2D joints and projected 3D joints of hands with enough, NaN where unseen; the share in front."""
    assert labels.uv_px is not None
    assert labels.K is not None
    xyz = with_axes(labels.xyz_mm, axes)
    projected = project(xyz, labels.K)
    seen = labels.visible & np.isfinite(projected).all(axis=-1) & np.isfinite(labels.uv_px).all(axis=-1)
    enough = seen.sum(axis=1) >= _LEAST_POINTS
    uv_px = labels.uv_px[..., ::-1] if axes == SWAPPED_2D else labels.uv_px
    hidden = ~seen[enough][..., None]
    front = float((xyz[enough][seen[enough]][:, 2] > 0).mean()) if enough.any() else 0.0
    return np.where(hidden, np.nan, uv_px[enough]), np.where(hidden, np.nan, projected[enough]), front


def _as_it_is(axes: str, projected: np.ndarray, uv_px: np.ndarray) -> Fit:
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
    """The best of those that need least: no change of K before a scale before a move; `first` if even."""

    def cost(fit: Fit) -> tuple[int, float, bool]:
        return 2 if fit.moved_px else int(fit.scale != 1), round(fit.error, 3), fit.axes != first

    return min(good, key=cost)


def _as_read(fits: list[Fit]) -> str:
    """How well the labels agree as they are."""
    plain = fits[0]
    if plain.axes != AS_LABELLED:
        return "the 3D joints lie behind the camera"
    if plain.error_px < _PROJECTED_PX:
        return "the 2D joints are the 3D joints seen by K"
    return f"3D joints seen by K miss the visible 2D joints by {figures(plain.error_px)} px (median)"


def _sides_agree(labels: Labels) -> bool:
    """Whether hands are of the sides they are said to be; a swap of 3D axes makes the others of them."""
    if labels.left is None:
        return False
    against, bent = against_side(labels)
    return bool(bent.any() and against.sum() < bent.sum() / 2)


def _wrong_axes(fit: Fit, told: str) -> str:
    return (
        ""
        if fit.axes == AS_LABELLED
        else f"{fit.axes}: {told}, and with that set right by {figures(fit.error_px)} px"
    )


def _camera_name(fit: Fit) -> str:
    if fit.moved_px:
        return "K of another crop"
    return "K of this image" if fit.scale == 1 else "K of another resolution"


def _wrong_camera(fit: Fit, told: str, labels: Labels) -> str:
    if fit.scale == 1 and not fit.moved_px:
        return ""
    assert labels.K is not None
    focal = float(np.median(labels.K[:, 0, 0]))
    if not fit.moved_px:
        width, height = np.median(labels.size_px, axis=0)
        wrong = f"K belongs to images of {width / fit.scale:.0f}x{height / fit.scale:.0f} px, these have "
        wrong += (
            f"{width:.0f}x{height:.0f}: {told}, and by {figures(fit.error_px)} px with the first two rows "
        )
        return wrong + f"of K times {fit.scale:.3g} (focal length {focal:.0f} -> {focal * fit.scale:.0f} px)"
    wrong = f"K belongs to another crop: {told}, and by {figures(fit.error_px)} px after each projection is "
    return wrong + f"magnified {fit.scale:.3g} times and moved by {fit.moved_px:.0f} px (median)"


def _righted(labels: Labels, fit: Fit) -> Labels:
    if fit.axes == SWAPPED_2D and labels.uv_px is not None:
        labels = replace(labels, uv_px=labels.uv_px[..., ::-1])
    else:
        labels = replace(labels, xyz_mm=with_axes(labels.xyz_mm, fit.axes))
    assert labels.K is not None
    return replace(labels, K=labels.K * np.array([fit.scale, fit.scale, 1.0])[:, None])
