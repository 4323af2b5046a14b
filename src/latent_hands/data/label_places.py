"""Checks of a whole set: do 2D joints lie in their images, and do 3D joints and cameras agree with them?

`latent-hands check` examines the same in more detail.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from jaxtyping import Bool, Float

from latent_hands.data.camera_factor import camera_factor, common_shift, misfit_of_each
from latent_hands.data.principal_points import (
    centres,
    common_scale,
    doubtful_scale,
)
from latent_hands.data.sample import Sample, project
from latent_hands.errors import HandsError, counted
from latent_hands.hand.focal import LEAST_FOCAL, UNUSUAL_RATIO, UNUSUAL_SKEW
from latent_hands.hand.listing import shorter_fingers, shorter_listing

SizePx = tuple[int, int]
"""Width and height."""
MANY = 8
"""The least number of hands of which a common error of the labels is found."""
MOST_MISFIT = 0.5
"""The largest median distance of a 2D joint to the projected 3D joint, in sizes of the hand. Usual are 0 to
0.05."""
LEAST_INSIDE = 0.5
"""The least mean share of visible joints that lie in their images."""
_ADVICE = "run `latent-hands check` on the set"
_SOME_HIDDEN, _MOST_SEEN = 0.02, 0.98
"""Inverted flags show if so many joints are hidden, and so few visible joints lie in their images."""
PERCENT, CHANCE = 100.0, 1e-4
"""Hands in pixels would all lie in so small a corner of their images with less than this chance."""
_LOG = logging.getLogger(__name__)


@contextmanager
def refused_if(many: bool) -> Iterator[None]:
    """Turn an error of the block into a warning unless many hands tell it: a few may do so by chance."""
    try:
        yield
    except HandsError as error:
        if many:
            raise
        _LOG.warning("%s (fewer than %d hands, which may be chance)", error, MANY)


def check_places(samples: Sequence[Sample], sizes: Sequence[SizePx]) -> None:
    """Raise HandsError if most labels contradict their images or each other.

    This is the case if most visible joints lie outside the images, if the 2D joints are in another order, if
    the projected 3D joints miss the 2D joints or miss them by a common factor of the cameras
    (`camera_factor`), or if the principal points are in the middle of images of another size. `sizes` are
    those of the images. Of fewer than MANY hands, warnings say so. Warnings also count single hands.
    """
    placed = [(s, size) for s, size in zip(samples, sizes, strict=True) if s.uv_px is not None]
    if not placed:
        return
    with refused_if(len(placed) >= MANY):
        check_in_images(placed)
    seen = [each for each in placed if each[0].K is not None and each[0].xyz_mm is not None]
    if seen:
        with refused_if(len(seen) >= MANY):
            _check_cameras([s for s, _ in seen], *_joints(seen))


def check_in_images(placed: Sequence[tuple[Sample, SizePx]]) -> None:
    """Raise HandsError if 2D joints lie outside of their images, in a corner of them, or in another order.

    `placed` are samples with 2D joints, each with the size of its image.
    """
    uv_px, visible, size_px = _joints(placed)
    share = float(inside_share(uv_px, visible, size_px).mean())
    if share < LEAST_INSIDE:
        raise HandsError(
            f"the labels of {counted(len(placed), 'hand')} are not for these images: {share:.0%} of the "
            f"visible 2D joints lie in them; {_ADVICE}"
        )
    _check_flags(np.stack([s.labelled_or_all for s, _ in placed]), visible, inside(uv_px, size_px))
    alone = np.array([s.K is None or s.xyz_mm is None for s, _ in placed])  # of others the cameras tell more
    if alone.any():
        _check_percent(uv_px[alone], visible[alone], size_px[alone])
    check_order_in_images([sample for sample, _ in placed])


def _check_flags(
    labelled: Bool[np.ndarray, "n 21"], visible: Bool[np.ndarray, "n 21"], within: Bool[np.ndarray, "n 21"]
) -> None:
    """Raise HandsError if no joint is visible, or if only invisible joints lie in the images.

    `within` states which joints lie in their images.
    """
    hidden = labelled & ~visible
    if not visible.any():
        raise HandsError(
            f"no joint of {counted(len(visible), 'hand')} is visible, so nothing could be scored; {_ADVICE}"
        )
    if hidden.mean() > _SOME_HIDDEN and within[hidden].all() and within[visible].mean() < _MOST_SEEN:
        raise HandsError(
            f"all invisible joints lie in their images, and {within[visible].mean():.0%} of the visible "
            f"ones: the visibility flags of {counted(len(visible), 'hand')} seem to be inverted; {_ADVICE}"
        )


def _joints(
    placed: Sequence[tuple[Sample, SizePx]],
) -> tuple[Float[np.ndarray, "n 21 2"], Bool[np.ndarray, "n 21"], Float[np.ndarray, "n 2"]]:
    """Return the 2D joints, which of them are visible and finite, and the sizes of the images."""
    uv_px = np.stack([s.uv_px for s, _ in placed if s.uv_px is not None]).astype(np.float64)
    visible = np.stack([s.visible_or_all for s, _ in placed]) & np.isfinite(uv_px).all(axis=-1)
    return uv_px, visible, np.array([size for _, size in placed], float)


def _check_percent(
    uv_px: Float[np.ndarray, "n 21 2"], visible: Bool[np.ndarray, "n 21"], size_px: Float[np.ndarray, "n 2"]
) -> None:
    """Raise HandsError if all joints lie where percentages would, which is improbable for pixels."""
    corner = visible.any() and uv_px[visible].max() <= PERCENT and size_px.min() >= 2 * PERCENT
    if corner and np.minimum(PERCENT / size_px, 1).prod() < CHANCE:
        raise HandsError(
            f"no visible 2D joint of {len(uv_px)} hands is beyond {PERCENT:g} in larger images, so the "
            f"joints seem to be percentages: multiply u by the image's width / {PERCENT:g}, v by its height"
        )


def check_order_in_images(samples: Sequence[Sample]) -> None:
    """Raise HandsError if MANY hands with all 2D joints tell that joints or fingers are in another order."""
    whole = [s for s in samples if s.uv_px is not None and s.labelled_or_all.all()]
    uv_px = np.array([s.uv_px for s in whole], float).reshape(-1, 21, 2)
    finite = np.isfinite(uv_px).all(axis=(1, 2))
    if finite.sum() < MANY:
        return
    with_wrist = np.array([s.root == "wrist" for s in whole])[finite]
    uv_px = uv_px[finite]
    if (order := shorter_listing(uv_px)) is not None:
        raise HandsError(
            f'the 2D joints of {len(uv_px)} hands are in the order "{order}", not in "rhd", which all '
            "readers return: their bones are much shorter in that order"
        )
    if (orders := shorter_fingers(uv_px[with_wrist])) is not None:
        raise HandsError(
            f"the fingers of {len(uv_px)} hands are not in the order thumb, index, middle, ring, little: "
            f"their 2D joints look like {' or '.join(', '.join(each) for each in orders)}"
        )


def check_camera(sample: Sample, size_px: SizePx) -> None:
    """Raise HandsError for a K that is no camera of an image of (width, height) pixels."""
    if sample.K is None:
        return
    K, least_px = sample.K.astype(float), LEAST_FOCAL * max(size_px)
    if min(K[0, 0], K[1, 1]) < least_px or K[1, 0] != 0 or K[2].tolist() != [0, 0, 1]:
        raise HandsError(
            f"K is {K.round(6).tolist()}, but must be [[fx, s, cx], [0, fy, cy], [0, 0, 1]] in pixels, with "
            f"fx and fy of at least {least_px:g} in an image of {size_px[0]}x{size_px[1]} pixels"
        )


def _check_cameras(
    samples: Sequence[Sample],
    uv_px: Float[np.ndarray, "n 21 2"],
    visible: Bool[np.ndarray, "n 21"],
    size_px: Float[np.ndarray, "n 2"],
) -> None:
    """Raise HandsError if the cameras of hands with 2D and 3D joints contradict them."""
    hands = counted(len(samples), "hand")
    what = f"the labels of {hands} contradict each other: the projected 3D joints miss the 2D"
    xyz_mm = np.stack([s.xyz_mm for s in samples if s.xyz_mm is not None]).astype(np.float64)
    K = np.stack([s.K for s in samples if s.K is not None]).astype(np.float64)
    check_in_front(xyz_mm)
    fx, fy, skew = K[:, 0, 0], K[:, 1, 1], K[:, 0, 1]
    unusual = (np.maximum(fx / fy, fy / fx) > UNUSUAL_RATIO) | (np.abs(skew) > UNUSUAL_SKEW * fx)
    if unusual.any():
        example = K[unusual.argmax()].round(3).tolist()
        text = "%d of %d cameras have different focal lengths or a skew, such as %s: are numbers mixed up?"
        _LOG.warning(text, unusual.sum(), len(K), example)
    if (shift := common_shift(project(xyz_mm, K), uv_px, visible)).any():
        _LOG.warning("the 2D joints of %s are %s", hands, shifted_by(shift))
        uv_px = uv_px - shift
    found = camera_factor(xyz_mm, K, uv_px, visible)
    if found is not None:
        part = "the first two rows of K" if found.part == "K" else "the focal lengths"
        raise HandsError(
            f"{what} joints by {found.before:.2g} sizes of the hand (median), and by {found.after:.2g} if "
            f"{part} are multiplied by {found.factor:.4g}; {_ADVICE}"
        )
    each = misfit_of_each(project(xyz_mm, K), uv_px, visible)
    wrong = float(np.nanmedian(each)) if np.isfinite(each).any() else 0.0
    if wrong > MOST_MISFIT:
        raise HandsError(f"{what} joints by {wrong:.2g} sizes of the hand (median); {_ADVICE}")
    if (single := np.flatnonzero(each > MOST_MISFIT)).size:
        text = "the projected 3D joints of %d of %d hands miss their 2D joints, such as those of %s; %s"
        _LOG.warning(text, len(single), len(samples), samples[single[0]].where, _ADVICE)
    if len(samples) < MANY:
        return  # single images may be cropped
    places, principal = centres(uv_px, visible, size_px), K[:, :2, 2] / (size_px / 2)
    scale = common_scale(places, principal)
    if scale is not None:
        raise HandsError(
            f"the labels of {hands} are for images of another size: the principal points are "
            f"{scale:.2g} times as far from the corner as the middle of the images; {_ADVICE}"
        )
    if (doubtful := doubtful_scale(places, principal)) is not None:
        _LOG.warning(
            "the principal points of %d hands are %.3g times as far from the corner as the middle of the "
            "images: K and 2D joints may be for images of another size",
            *(len(samples), doubtful),
        )


def check_in_front(xyz_mm: Float[np.ndarray, "n 21 3"]) -> None:
    """Raise HandsError if most 3D joints of hands with a camera lie behind it."""
    if np.median(xyz_mm[..., 2]) <= 0:
        raise HandsError(
            f"the 3D joints of {counted(len(xyz_mm), 'hand')} lie behind the camera (median z "
            f"{np.median(xyz_mm[..., 2]):.4g} mm); the axes must be x right, y down, z forward, but those of "
            f"OpenGL are x right, y up, z backward; {_ADVICE}"
        )


def shifted_by(shift: Float[np.ndarray, "2"]) -> str:
    """Return what a `common_shift` of 2D joints may mean, for a message."""
    return (
        f"({shift[0]:.2f}, {shift[1]:.2f}) px beside the projected 3D joints: their pixels may be counted "
        "from 1 or from the corner of the image; here (0, 0) is the centre of the first pixel"
    )


def inside_share(
    uv_px: Float[np.ndarray, "n 21 2"], visible: np.ndarray, size_px: Float[np.ndarray, "n 2"]
) -> Float[np.ndarray, " n"]:
    """Return the share of the visible joints of each hand that lie in the image; 1 if none is visible."""
    count = visible.sum(axis=1)
    within = (inside(uv_px, size_px) & visible).sum(axis=1)
    return np.where(count > 0, within / np.maximum(count, 1), 1.0)


def inside(uv_px: Float[np.ndarray, "n 21 2"], size_px: Float[np.ndarray, "n 2"]) -> Bool[np.ndarray, "n 21"]:
    """Return which joints lie in images of (width, height) pixels; joints that are not finite do not."""
    with np.errstate(invalid="ignore"):
        return np.asarray(((uv_px >= -0.5) & (uv_px <= size_px[:, None] - 0.5)).all(axis=-1))
