"""Single hands that differ from all others of their data set, or from all hands.

The conventions of the labels must be right already.
"""

from collections.abc import Iterator

import numpy as np

from latent_hands.doctor import anatomy
from latent_hands.doctor.cameras import hand_size_px, reprojection_px
from latent_hands.doctor.images import inside
from latent_hands.doctor.labels import Labels, against_side
from latent_hands.hand.skeleton import BONE_RANGE_MM, FINGERS, JOINTS

Outlier = tuple[str, str]
"""The name of a sample, and a message."""
BONE_RATIO = 2.0
"""The largest ratio of a bone to that of the data set, relative to the size of the hand."""
SINGLE_BONE_MARGIN = 1.25
"""How far a single hand may be beyond the range of medians: a small child may be among adults."""
_FINGERS = tuple(FINGERS)[1:]
_REPROJECTION_PX, _REPROJECTION_SHARE = 3.0, 0.25


def find_outliers(labels: Labels, consistent: bool) -> Iterator[Outlier]:
    """Yield the outliers; `consistent` is whether K, 3D and 2D joints agree for the set as a whole."""
    for outliers in (_sizes(labels), _bones(labels), _bends(labels), _sides(labels)):
        yield from outliers
    if consistent:
        yield from _reprojection(labels)
        yield from _position(labels)


def _sizes(labels: Labels) -> Iterator[Outlier]:
    bones = anatomy.middle_bone(labels.xyz_mm)
    low, high = BONE_RANGE_MM
    if not low <= np.median(bones) <= high:
        return  # the unit is unknown
    low, high = low / SINGLE_BONE_MARGIN, high * SINGLE_BONE_MARGIN
    for i in np.flatnonzero((bones < low) | (bones > high)):
        yield (
            labels.names[i],
            f"the middle bone is {bones[i]:.3g} mm; it must be between {low:g} and {high:g} mm",
        )


def _bones(labels: Labels) -> Iterator[Outlier]:
    ratio = np.log(np.maximum(anatomy.bone_lengths(labels.xyz_mm), 1e-9))
    ratio -= np.median(ratio, axis=1, keepdims=True)
    ratio -= np.median(ratio, axis=0)
    for i in np.flatnonzero((np.abs(ratio) > np.log(BONE_RATIO)).any(axis=1)):
        worst = int(np.abs(ratio[i]).argmax())
        number = (np.abs(ratio[i]) > np.log(BONE_RATIO)).sum()
        message = f"{number} bones are out of proportion, most of all {anatomy.bone_name(worst)}: "
        message += f"{np.exp(ratio[i, worst]):.2g} times that of the data set; "
        yield labels.names[i], f"{message}it must be between {1 / BONE_RATIO:.2f} and {BONE_RATIO:g} times"


def _bends(labels: Labels) -> Iterator[Outlier]:
    if labels.left is None:
        return
    bends = anatomy.bend_deg(labels.xyz_mm, labels.left)
    low, high = np.array(list(anatomy.BEND_LIMITS_DEG.values())).T
    beyond = np.maximum(low - bends, bends - high)
    for i in np.flatnonzero((beyond > 0).any(axis=(1, 2))):
        finger, joint = np.unravel_index(beyond[i].argmax(), beyond[i].shape)
        message = f"{_FINGERS[finger]} finger's {list(anatomy.BEND_LIMITS_DEG)[joint]} joint bends by "
        message += f"{bends[i, finger, joint]:.0f} degrees; "
        yield labels.names[i], f"{message}it must be between {low[joint]:g} and {high[joint]:g} degrees"


def _sides(labels: Labels) -> Iterator[Outlier]:
    if labels.left is None:
        return
    for i in np.flatnonzero(against_side(labels)[0]):
        side, other = ("left", "right") if labels.left[i] else ("right", "left")
        yield labels.names[i], f"it is labelled as a {side} hand, but its fingers bend like a {other} hand's"


def _reprojection(labels: Labels) -> Iterator[Outlier]:
    assert labels.uv_px is not None
    distance = np.where(np.isfinite(each := reprojection_px(labels)), each, 0)
    visible = labels.visible & np.isfinite(labels.uv_px).all(axis=-1)
    rows = np.flatnonzero(visible.any(axis=1))
    size = hand_size_px(np.where(visible[rows][..., None], labels.uv_px[rows], np.nan))
    limits = np.maximum(_REPROJECTION_PX, _REPROJECTION_SHARE * size)
    for i, limit in zip(rows, limits, strict=True):
        if distance[i].max() > limit:
            message = f"{(distance[i] > limit).sum()} visible joints do not reproject, most of all "
            message += f"{JOINTS[distance[i].argmax()]}: it is off by {distance[i].max():.3g} px; "
            yield labels.names[i], f"{message}the limit for a hand of this size is {limit:.2g} px"


def _position(labels: Labels) -> Iterator[Outlier]:
    behind = ((labels.xyz_mm[..., 2] <= 0) & labels.visible).sum(axis=1)
    share = inside(labels)
    for i in np.flatnonzero((behind > 0) | (share < 0.5)):
        if behind[i]:
            yield labels.names[i], f"{behind[i]} visible joints lie behind the camera"
        else:
            yield labels.names[i], f"{1 - share[i]:.0%} of the visible joints lie outside the image"
