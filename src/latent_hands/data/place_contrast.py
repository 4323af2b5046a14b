"""Where joints may lie in an image instead of their labels, and how well colours fit a hand there.

Along the bones of a hand, colours differ from those around it. Labels of another image, and of a mirrored,
turned or resized one, mix both. So in most images the contrast is largest at the right place.
"""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw

from latent_hands.data.formats.image import read_rgb
from latent_hands.data.frames import FRAMES, in_frame, mistake
from latent_hands.data.sample import Sample
from latent_hands.hand.skeleton import FINGERS

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
    **{name: mistake(name) for name in FRAMES},
}
"""Place of the joints -> what is wrong if they lie there."""
PLACES = ("as labelled", *ELSEWHERE)
_PATCH_PX, _BONE_PX, _AROUND_PX, _ROOM = 48, 3, 9, 1.3
_LEAST_PIXELS, _LEAST_SIDE_PX = 30, 8.0
_FINGERS = np.array([(0, *finger) for finger in FINGERS.values()])
_NOISE = 25.0  # variance of colours, which keeps uniform ones comparable
_IMAGES, _LOST, _SURE = 16, 1, 3.3
"""Images of a set that are looked at. Another place must be better in all of them but `_LOST`, by `_SURE`
standard deviations of a fair coin that is tossed once an image."""
_LOG = logging.getLogger(__name__)


def announce_misplaced(samples: Sequence[Sample]) -> None:
    """Warn if colours fit a hand better at one other place than as labelled, in nearly all of a few images.

    Labels and images then do not belong together. Each image ends the trial of most places, so right labels
    take two images. `latent-hands check` compares more images. Broken images are left to later readers.
    """
    alive, gains, lost, count = list(ELSEWHERE), Counter[str](), Counter[str](), 0
    for i in range(0, len(samples), -(-len(samples) // _IMAGES)) if len(samples) > _SURE**2 else ():
        image = read_rgb(samples[i].image)
        points = placed(image, samples[i], *neighbours(samples, i), alive)
        found = contrasts(image, points)
        own = found.pop(PLACES[0])
        if np.isnan(own):
            continue
        count += 1
        gains.update(found)
        lost.update(name for name in alive if not found[name] > own)
        if not (alive := [name for name in alive if lost[name] <= _LOST]):
            return
    alive = [name for name in alive if count - 2 * lost[name] > _SURE * count**0.5]
    if alive:
        best = max(alive, key=gains.__getitem__)
        _LOG.warning(
            "labels and images do not belong together: in %d of %d images, colours fit a hand better "
            "elsewhere than as labelled. It seems that %s. Run `latent-hands check` on the set",
            *(count - lost[best], count, ELSEWHERE[best]),
        )


def placed(
    image: UInt8[np.ndarray, "height width 3"],
    sample: Sample,
    before: Sample | None,
    after: Sample | None,
    names: Sequence[str],
) -> dict[str, Points | None]:
    """Return the joints as labelled and at the places `names`, by name; None where they are unknown.

    `before` and `after` are samples of the images before and after.
    """
    size, uv = np.array(image.shape[1::-1], float), _points(sample)
    beside = [None if each is None else _points(each) for each in (before, after)]
    moved = dict(zip(PLACES, [*_moved(uv, size), *beside], strict=False))
    framed = {name: FRAMES[name] for name in names if name in FRAMES}
    moved |= {name: None if uv is None else in_frame(uv, size, each) for name, each in framed.items()}
    return {name: moved[name] for name in (PLACES[0], *names)}


def neighbours(samples: Sequence[Sample], i: int) -> tuple[Sample | None, Sample | None]:
    """Return the next samples before and after sample i that are of other images."""
    image = samples[i].image
    before = next((each for each in reversed(samples[max(i - 4, 0) : i]) if each.image != image), None)
    return before, next((each for each in samples[i + 1 : i + 5] if each.image != image), None)


def _moved(uv: Points | None, size: Float[np.ndarray, "2"]) -> list[Points | None]:
    """Return the joints as labelled, mirrored, upside down, turned by 180 degrees, swapped, turned by 90."""
    last = size - 1
    if uv is None:
        return [None] * 7
    across, down = np.array([-1, 1.0]), np.array([1, -1.0])
    moved = [uv, last * [1, 0] + uv * across, last * [0, 1] + uv * down, last - uv]
    turned = [uv[:, ::-1], last * [0, 1] + uv[:, ::-1] * down, last * [1, 0] + uv[:, ::-1] * across]
    return [*moved, *(turned if size[0] == size[1] else [None] * 3)]


def _points(sample: Sample) -> Points | None:
    if sample.uv_px is None or not sample.labelled_or_all.all() or not np.isfinite(sample.uv_px).all():
        return None
    return sample.uv_px.astype(float)


def contrasts(
    image: UInt8[np.ndarray, "height width 3"], points: Mapping[str, Points | None]
) -> dict[str, float]:
    """Return the contrast of bones to their surroundings for joints at several places, by name.

    It is the squared distance of the mean colours along bones and around them, in their deviations. It is NaN
    for unknown joints, and where too little of the bones or of their surroundings is in the image.
    """
    pixels = Image.fromarray(image)
    return {name: np.nan if uv is None else _contrast(pixels, uv) for name, uv in points.items()}


def _contrast(image: Image.Image, uv: np.ndarray) -> float:
    low, high = uv.min(axis=0), uv.max(axis=0)
    side = float((high - low).max()) * _ROOM
    if not _LEAST_SIDE_PX <= side < 10 * max(image.size):
        return np.nan
    corner = (low + high - side) / 2
    box = (*(corner + 0.5), *(corner + 0.5 + side))
    size_px = (_PATCH_PX, _PATCH_PX)
    patch = image.transform(size_px, Image.Transform.EXTENT, box, Image.Resampling.BILINEAR)
    colours, points = np.asarray(patch).reshape(-1, 3), (uv - corner) * _PATCH_PX / side
    x, y = (corner + (np.arange(_PATCH_PX)[:, None] + 0.5) * side / _PATCH_PX).T
    width, height = image.size
    inside = ((y >= 0) & (y <= height - 1))[:, None] & (x >= 0) & (x <= width - 1)
    along, around = _drawn(points, _BONE_PX) & inside, ~_drawn(points, _AROUND_PX) & inside
    near, far = (colours.take(mask.ravel().nonzero()[0], axis=0).astype(float) for mask in (along, around))
    if min(len(near), len(far)) < _LEAST_PIXELS:
        return np.nan
    (near_mean, near_covariance), (far_mean, far_covariance) = _moments(near), _moments(far)
    difference = near_mean - far_mean
    covariance = near_covariance + far_covariance + _NOISE * np.eye(3)
    return float(difference @ np.linalg.solve(covariance, difference))


def _moments(colours: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and the covariance of colours (n, 3), which `numpy.cov` computes in twice the time."""
    mean = colours.mean(axis=0)
    deviations = colours - mean
    return mean, (deviations.T @ deviations) * np.true_divide(1, len(colours) - 1)


def _drawn(points: np.ndarray, width_px: int) -> np.ndarray:
    """Return which pixels of the patch lie on bones of this width."""
    canvas = Image.new("L", (_PATCH_PX, _PATCH_PX))
    draw = ImageDraw.Draw(canvas)
    for finger in points[_FINGERS].reshape(len(_FINGERS), -1).tolist():
        draw.line(finger, 1, width_px)
    return np.asarray(canvas, bool)
