"""The images of labelled samples, and checks that 2D joints and cameras are for these images.

Labels are for another image if a tool ignored the EXIF orientation, or if images were resized and labels were
not. Such a set gives numbers that look right, so it is refused. `latent-hands check` names all such images.
"""

import logging
from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from latent_hands.data.formats.image import ORIENTATION, decode, open_image, pages_of, shown_size
from latent_hands.data.sample import Sample, project
from latent_hands.errors import HandsError

_LOG = logging.getLogger(__name__)
SizePx = tuple[int, int]
"""Width and height."""
MANY = 8
"""The least number of hands of which a common error of the labels is found."""
MOST_MISFIT = 0.5
"""The largest median distance of a 2D joint to the projected 3D joint, in sizes of the hand. Usual are 0 to
0.05."""
LEAST_INSIDE = 0.5
"""The least mean share of visible joints that lie in their images."""
_SAME_RATIO, _OTHER_RATIO, _CENTRED, _MIDDLE = 1.15, 1.2, 0.3, 0.1


def read_labelled(sample: Sample) -> UInt8[np.ndarray, "height width 3"]:
    """Read the image of a sample as `read_rgb` does. A warning names files of several pages or frames.

    Raises HandsError, too, if 2D joints or camera of the sample are not for the image as it is displayed.
    """
    with open_image(sample.image) as image:
        check_size(sample, image)
        pixels = decode(image)
        if (pages := pages_of(image)) > 1:
            _LOG.warning("%s has %d pages or frames; the first is read", sample.image, pages)
        return pixels


def check_files(samples: Iterable[Sample]) -> None:
    """Raise HandsError if labels are not for the image of their sample; pixels are not decoded."""
    for sample in samples:
        with open_image(sample.image) as image:
            check_size(sample, image)


def check_size(sample: Sample, image: Image.Image) -> None:
    """Raise HandsError if 2D joints or camera are for an image of another size or orientation."""
    if sample.uv_px is None and sample.K is None:
        return
    shown, orientation = shown_size(image), image.getexif().get(ORIENTATION, 1)
    if sample.size_px is not None and sample.size_px != shown:
        raise HandsError(_other_size(sample.size_px, shown, image.size))
    if orientation in range(2, 9) and (
        sample.size_px is None or image.width == image.height or shown == image.size
    ):
        raise HandsError(
            f"the EXIF orientation {orientation} turns or mirrors the image, and it is not "
            "known whether the labels are for the stored or for the turned image; save the one that was "
            "labelled without an EXIF orientation"
        )


def _other_size(labelled: SizePx, shown: SizePx, stored: SizePx) -> str:
    text = "the labels are for an image of {}x{} pixels, but the image has {}x{}".format(*labelled, *shown)
    if labelled == stored:
        return (
            f"{text} after its EXIF orientation is applied; save the image without an EXIF orientation, "
            "as it was labelled"
        )
    across, down = shown[0] / labelled[0], shown[1] / labelled[1]
    if abs(across / down - 1) < 0.02:
        text += f"; multiply the 2D joints and the first two rows of K by {across:.3g}, or"
        return f"{text} use the images in the size that was labelled"
    return f"{text}; use the images in the size that was labelled"


def check_places(samples: Sequence[Sample], sizes: Sequence[SizePx]) -> None:
    """Raise HandsError if most labels contradict their images or each other.

    This is the case if most visible joints lie outside the images, if the projected 3D joints miss the 2D
    joints, or if the principal points are in the middle of images of another size. `sizes` are those of the
    images. Fewer than MANY hands are not refused.
    """
    placed = [(s, size) for s, size in zip(samples, sizes, strict=True) if s.uv_px is not None]
    if len(placed) < MANY:
        return
    uv_px = np.stack([s.uv_px for s, _ in placed if s.uv_px is not None]).astype(np.float64)
    visible = np.stack([s.visible_or_all for s, _ in placed]) & np.isfinite(uv_px).all(axis=-1)
    size_px = np.array([size for _, size in placed], float)
    what, advice = f"the labels of {len(placed)} hands", "run `latent-hands check` on the set"
    share = float(inside_share(uv_px, visible, size_px).mean())
    if share < LEAST_INSIDE:
        raise HandsError(
            f"{what} are not for these images: {share:.0%} of the visible 2D joints lie in them; {advice}"
        )
    seen = [s for s, _ in placed if s.K is not None and s.xyz_mm is not None]
    if len(seen) < len(placed):
        return
    misfit = _misfit(seen, uv_px, visible)
    if misfit > MOST_MISFIT:
        raise HandsError(
            f"{what} contradict each other: the projected 3D joints miss the 2D joints by {misfit:.2g} sizes "
            f"of the hand (median); {advice}"
        )
    principal = np.stack([s.K[:2, 2] for s in seen if s.K is not None]) / (size_px / 2)
    scale = common_scale(centres(uv_px, visible, size_px), principal)
    if scale is not None:
        raise HandsError(
            f"{what} are for images of another size: the principal points are {scale:.2g} times as far from "
            f"the corner as the middle of the images; {advice}"
        )


def inside_share(
    uv_px: Float[np.ndarray, "n 21 2"], visible: np.ndarray, size_px: Float[np.ndarray, "n 2"]
) -> Float[np.ndarray, " n"]:
    """Return the share of the visible joints of each hand that lie in the image; 1 if none is visible."""
    with np.errstate(invalid="ignore"):
        within = ((uv_px >= -0.5) & (uv_px <= size_px[:, None] - 0.5)).all(axis=-1)
    count = visible.sum(axis=1)
    return np.where(count > 0, (within & visible).sum(axis=1) / np.maximum(count, 1), 1.0)


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
    middle = np.median(finite, axis=0)
    scale = _one_ratio(np.median(principal, axis=0))
    if scale is not None and np.linalg.norm(middle / scale - 1) < np.linalg.norm(middle - 1):
        return scale
    if np.abs(np.median(principal, axis=0) - 1).max() < _MIDDLE:
        return None  # K is that of whole images
    low, high = np.percentile(finite, [25, 75], axis=0) / middle
    return _one_ratio(middle) if (high - low < _CENTRED).all() else None


def _one_ratio(ratio: Float[np.ndarray, "2"]) -> float | None:
    """Return the factor that x and y have in common; None if they differ or are near 1."""
    x, y = float(ratio[0]), float(ratio[1])
    if min(x, y) <= 0 or max(x, y) / min(x, y) > _SAME_RATIO:
        return None
    scale = (x * y) ** 0.5
    return scale if max(scale, 1 / scale) > _OTHER_RATIO else None


def _misfit(samples: Sequence[Sample], uv_px: np.ndarray, visible: np.ndarray) -> float:
    """Return the median distance of 2D joints to projected 3D joints, in sizes of the hand; 0 if unknown."""
    xyz_mm = np.stack([s.xyz_mm for s in samples if s.xyz_mm is not None])
    K = np.stack([s.K for s in samples if s.K is not None])
    with np.errstate(all="ignore"):
        distance = np.linalg.norm(project(xyz_mm.astype(np.float64), K) - uv_px, axis=-1)
    known = np.where(visible & np.isfinite(distance), distance, np.nan)
    rows = np.isfinite(known).sum(axis=1) >= 4
    if not rows.any():
        return 0.0
    centred = np.where(np.isfinite(known)[..., None], uv_px, np.nan)[rows]
    centred -= np.nanmean(centred, axis=1, keepdims=True)
    size = np.sqrt(np.nanmean((centred**2).sum(axis=-1), axis=1))
    return float(np.median(np.nanmedian(known[rows], axis=1) / np.maximum(size, 1e-9)))
