"""Labels against images: do the joints lie on a hand where the labels are, or elsewhere in the image?

Along the bones of a hand, colours differ from those around it. Labels of another image, and of a mirrored or
turned one, mix both. So in most images the contrast is largest at the right place.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import Image, ImageDraw

from latent_hands.data import Sample
from latent_hands.doctor.labels import Verdict
from latent_hands.hand.skeleton import BONES

Points = Float[np.ndarray, "21 2"]
ELSEWHERE = {
    "mirrored": "the images are mirrored, but their labels are not, or the reverse",
    "upside down": "the images are upside down, but their labels are not, or the reverse",
    "turned by 180 degrees": "the images are turned by 180 degrees, but their labels are not, or the reverse",
    "v before u": "the 2D joints are (v, u), not (u, v), or the images are transposed",
    "turned left": "the images are turned by 90 degrees, but their labels are not, or the reverse",
    "turned right": "the images are turned by 90 degrees, but their labels are not, or the reverse",
    "of the image before": "images have the labels of the image before: the numbers of the files are shifted",
    "of the image after": "images have the labels of the image after: the numbers of the files are shifted",
}
"""Place of the joints -> what is wrong if they lie there."""
_PLACES = ("as labelled", *ELSEWHERE)
UNKNOWN = np.full(len(_PLACES), np.nan)
"""The contrast of a sample that is not examined."""
_OPPOSITE = [_PLACES.index(place) for place in ("mirrored", "upside down", "turned by 180 degrees")]
_PATCH_PX, _BONE_PX, _AROUND_PX, _ROOM = 48, 3, 9, 1.3
_LEAST_PIXELS, _LEAST_SIDE_PX = 30, 8.0
_NOISE = 25.0  # variance of colours, which keeps uniform ones comparable
_CLEAR, _MOST = 3.0, 0.75
"""Standard deviations of a fair coin that is tossed once an image, and the least share of the images."""
_MOST_IMAGES = 300
"""The largest number of images that decide; each of them takes 0.05 s."""
_MANY, _LEAST_RIGHT = 30, 0.8
"""Of so many images, right labels must beat their opposites in this share. On RHD, on photographs of Ge et
al. and on rendered hands they do in 97 to 100 %."""


def place_contrast(
    image: UInt8[np.ndarray, "height width 3"], sample: Sample, before: Sample | None, after: Sample | None
) -> Float[np.ndarray, " places"]:
    """Return the contrast of bones to their surroundings for each place of the joints; NaN if it is unknown.

    `before` and `after` are samples of the images before and after.
    """
    size = np.array(image.shape[1::-1], float)
    points = _moved(sample, size) + [None if each is None else _points(each) for each in (before, after)]
    return np.array([np.nan if each is None else _contrast(image, each) for each in points])


def find_place(contrast: Float[np.ndarray, "n places"]) -> Verdict | None:
    """Return where the joints of most hands lie in their images; None if there are too few hands."""
    if not len(contrast):
        return None
    own, others = contrast[:, :1], contrast[:, 1:]
    better, worse = (others > own).sum(axis=0), (others < own).sum(axis=0)
    count = better + worse
    clear = (better - worse > _CLEAR * np.sqrt(count)) & (better > _MOST * count)
    if clear.any():
        best = int(np.where(clear, better / np.maximum(count, 1), 0).argmax())
        place = _PLACES[1 + best]
        evidence = (
            f"in {better[best]} of {count[best]} images, colours fit a hand better there than as labelled"
        )
        return Verdict("place", place, evidence, f"{ELSEWHERE[place]}: {evidence}")
    opposite = np.array(_OPPOSITE) - 1
    right, total = int(worse[opposite].sum()), int(count[opposite].sum())
    if total < _MANY * len(opposite):
        return None
    evidence = (
        f"colours fit a hand better as labelled than mirrored or turned in {right / total:.0%} of the tries"
    )
    if right < _LEAST_RIGHT * total:
        wrong = f"labels and images do not belong together: {evidence}; right labels have 95 % or more"
        return Verdict("place", "unknown", evidence, wrong)
    return Verdict("place", _PLACES[0], evidence)


def is_compared(number: int, count: int) -> bool:
    """Return whether the contrast of a sample is computed: of one in each of `_MOST_IMAGES` parts."""
    return number % -(-count // _MOST_IMAGES) == 0


def neighbours(samples: Sequence[Sample], i: int) -> tuple[Sample | None, Sample | None]:
    """Return the next samples before and after sample i that are of other images."""
    image = samples[i].image
    before = next((each for each in reversed(samples[max(i - 4, 0) : i]) if each.image != image), None)
    return before, next((each for each in samples[i + 1 : i + 5] if each.image != image), None)


def _moved(sample: Sample, size: Float[np.ndarray, "2"]) -> list[Points | None]:
    """Return the joints as labelled, mirrored, upside down, turned by 180 degrees, swapped, turned by 90."""
    uv, last = _points(sample), size - 1
    if uv is None:
        return [None] * (len(_PLACES) - 2)
    across, down = np.array([-1, 1.0]), np.array([1, -1.0])
    moved = [uv, last * [1, 0] + uv * across, last * [0, 1] + uv * down, last - uv]
    turned = [uv[:, ::-1], last * [0, 1] + uv[:, ::-1] * down, last * [1, 0] + uv[:, ::-1] * across]
    return [*moved, *(turned if size[0] == size[1] else [None] * 3)]


def _points(sample: Sample) -> Points | None:
    if sample.uv_px is None or not sample.labelled_or_all.all() or not np.isfinite(sample.uv_px).all():
        return None
    return sample.uv_px.astype(float)


def _contrast(image: UInt8[np.ndarray, "height width 3"], uv: Points) -> float:
    """Return the squared distance of the mean colours along bones and around them, in their deviations."""
    low, high = uv.min(axis=0), uv.max(axis=0)
    side = float((high - low).max()) * _ROOM
    if not _LEAST_SIDE_PX <= side < 10 * max(image.shape):
        return np.nan
    corner = (low + high - side) / 2
    box = (*(corner + 0.5), *(corner + 0.5 + side))
    patch = Image.fromarray(image).transform(
        (_PATCH_PX, _PATCH_PX), Image.Transform.EXTENT, box, Image.Resampling.BILINEAR
    )
    colours, points = np.asarray(patch).astype(float), (uv - corner) * _PATCH_PX / side
    x, y = (corner + (np.arange(_PATCH_PX)[:, None] + 0.5) * side / _PATCH_PX).T
    height, width = image.shape[:2]
    inside = ((y >= 0) & (y <= height - 1))[:, None] & (x >= 0) & (x <= width - 1)
    near, far = colours[_drawn(points, _BONE_PX) & inside], colours[~_drawn(points, _AROUND_PX) & inside]
    if min(len(near), len(far)) < _LEAST_PIXELS:
        return np.nan
    difference = near.mean(axis=0) - far.mean(axis=0)
    covariance = np.cov(near.T) + np.cov(far.T) + _NOISE * np.eye(3)
    return float(difference @ np.linalg.solve(covariance, difference))


def _drawn(points: Points, width_px: int) -> Bool[np.ndarray, "_ _"]:
    canvas = Image.new("L", (_PATCH_PX, _PATCH_PX))
    for ends in BONES:
        ImageDraw.Draw(canvas).line([tuple(points[joint]) for joint in ends], 1, width_px)
    return np.asarray(canvas, bool)
