"""Single hands that differ from all others of their set, and from hands; conventions are right already."""

from collections.abc import Iterator

import numpy as np

from latent_hands.doctor import anatomy
from latent_hands.doctor.cameras import hand_size_px, reprojection_px
from latent_hands.doctor.conventions import BONE_MM, against_side
from latent_hands.doctor.images import inside
from latent_hands.doctor.labels import Labels
from latent_hands.hand.skeleton import JOINTS

BONE_RATIO = 1.8
"""A bone may be so many times as long or short as the set's, beside the hand's own size."""
_FINGERS = ("index", "middle", "ring", "little")
_REPROJECTION_PX, _REPROJECTION_SHARE = 3.0, 0.25


def find_outliers(labels: Labels, camera: bool) -> Iterator[tuple[str, str]]:
    """(name, what is wrong) of each; `camera` says whether K, 3D and 2D agree for the set as a whole."""
    for rows in (_sizes(labels), _bones(labels), _bends(labels), _sides(labels)):
        yield from rows
    if camera:
        yield from _reprojection(labels)
        yield from _position(labels)


def _sizes(labels: Labels) -> Iterator[tuple[str, str]]:
    bones = anatomy.middle_bone(labels.xyz_mm)
    if not BONE_MM[0] <= np.median(bones) <= BONE_MM[1]:
        return  # the unit is unknown
    for i in np.flatnonzero((bones < BONE_MM[0]) | (bones > BONE_MM[1])):
        yield labels.names[i], f"middle bone {bones[i]:.3g} mm; legal: {BONE_MM[0]:g} .. {BONE_MM[1]:g}"


def _bones(labels: Labels) -> Iterator[tuple[str, str]]:
    ratio = np.log(np.maximum(anatomy.bone_lengths(labels.xyz_mm), 1e-9))
    ratio -= np.median(ratio, axis=1, keepdims=True)
    ratio -= np.median(ratio, axis=0)
    for i in np.flatnonzero((np.abs(ratio) > np.log(BONE_RATIO)).any(axis=1)):
        worst = int(np.abs(ratio[i]).argmax())
        many = (np.abs(ratio[i]) > np.log(BONE_RATIO)).sum()
        told = f"{many} bones out of proportion, most {anatomy.bone_name(worst)}: "
        yield labels.names[i], f"{told}{np.exp(ratio[i, worst]):.2g} times the set's; legal: 0.56 .. 1.8"


def _bends(labels: Labels) -> Iterator[tuple[str, str]]:
    if labels.left is None:
        return
    bends = anatomy.bend_deg(labels.xyz_mm, labels.left)
    low, high = np.array(list(anatomy.BEND_LIMITS_DEG.values())).T
    beyond = np.maximum(low - bends, bends - high)
    for i in np.flatnonzero((beyond > 0).any(axis=(1, 2))):
        finger, joint = np.unravel_index(beyond[i].argmax(), beyond[i].shape)
        told = f"{_FINGERS[finger]} finger's {list(anatomy.BEND_LIMITS_DEG)[joint]} joint bends by "
        told += f"{bends[i, finger, joint]:.0f} degrees; legal: {low[joint]:g} .. {high[joint]:g}"
        yield labels.names[i], told


def _sides(labels: Labels) -> Iterator[tuple[str, str]]:
    if labels.left is None:
        return
    for i in np.flatnonzero(against_side(labels)[0]):
        side, other = ("left", "right") if labels.left[i] else ("right", "left")
        yield labels.names[i], f"labelled a {side} hand, but its fingers bend as a {other} hand's do"


def _reprojection(labels: Labels) -> Iterator[tuple[str, str]]:
    assert labels.uv_px is not None
    distance = np.where(np.isfinite(each := reprojection_px(labels)), each, 0)
    seen = labels.visible & np.isfinite(labels.uv_px).all(axis=-1)
    rows = np.flatnonzero(seen.any(axis=1))
    size = hand_size_px(np.where(seen[rows][..., None], labels.uv_px[rows], np.nan))
    limit = np.maximum(_REPROJECTION_PX, _REPROJECTION_SHARE * size)
    for i, legal in zip(rows, limit, strict=True):
        if distance[i].max() > legal:
            told = f"{(distance[i] > legal).sum()} visible joints do not reproject, most "
            told += f"{JOINTS[distance[i].argmax()]}: off by {distance[i].max():.3g} px; legal: {legal:.2g}"
            yield labels.names[i], told


def _position(labels: Labels) -> Iterator[tuple[str, str]]:
    behind = ((labels.xyz_mm[..., 2] <= 0) & labels.visible).sum(axis=1)
    share = inside(labels)
    for i in np.flatnonzero((behind > 0) | (share < 0.5)):
        if behind[i]:
            yield labels.names[i], f"{behind[i]} visible joints lie behind the camera"
        else:
            yield labels.names[i], f"{1 - share[i]:.0%} of the visible joints lie outside the image"
