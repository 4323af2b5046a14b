"""Labels against images: do the joints lie on a hand where the labels are, or elsewhere in the image?"""

import numpy as np
from jaxtyping import Float, UInt8

from latent_hands.data import Sample
from latent_hands.data.frames import FRAMES
from latent_hands.data.place_contrast import ELSEWHERE, PLACES, contrasts, placed
from latent_hands.doctor.labels import Verdict

UNKNOWN = np.full(len(PLACES), np.nan)
"""The contrast of a sample that is not examined."""
_OPPOSITE = [PLACES.index(place) for place in ("mirrored", "upside down", "turned by 180 degrees")]
_CLEAR, _MOST = 3.0, 0.75
"""Standard deviations of a fair coin that is tossed once an image, and the least share of the images."""
_MOST_IMAGES = 300
"""The largest number of images that decide; each of them takes 0.05 s."""
_FEW, _MANY, _LEAST_RIGHT, _USUAL = 10, 30, 0.8, 0.95
"""The least number of images that tell that labels are right, and the number of which right labels must beat
their opposites in at least this share; the share that they usually exceed. On RHD, on photographs of Ge et
al. and on rendered hands it is 97 to 100 %."""


def place_contrast(
    image: UInt8[np.ndarray, "height width 3"],
    sample: Sample,
    before: Sample | None,
    after: Sample | None,
    frames: bool = True,
) -> Float[np.ndarray, " places"]:
    """Return the contrast of bones to their surroundings for each place of the joints; NaN if it is unknown.

    `before` and `after` are samples of the images before and after. Without `frames`, the contrast in other
    FRAMES is not computed.
    """
    names = [name for name in ELSEWHERE if frames or name not in FRAMES]
    found = contrasts(image, placed(image, sample, before, after, names))
    return np.array([found.get(name, np.nan) for name in PLACES])


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
        place = PLACES[1 + best]
        evidence = (
            f"in {better[best]} of {count[best]} images, colours fit a hand better there than as labelled"
        )
        return Verdict("place", place, evidence, f"{ELSEWHERE[place]}: {evidence}")
    opposite = np.array(_OPPOSITE) - 1
    right, total = int(worse[opposite].sum()), int(count[opposite].sum())
    if total < _FEW * len(opposite):
        return None
    evidence = (
        f"colours fit a hand better as labelled than mirrored or turned in {right / total:.0%} of the tries"
    )
    fewer = max(_MANY * len(opposite) / total, 1.0) ** 0.5
    if right < (_USUAL - (_USUAL - _LEAST_RIGHT) * fewer) * total:
        wrong = f"labels and images do not belong together: {evidence}; right labels have 95 % or more"
        return Verdict("place", "unknown", evidence, wrong)
    return Verdict("place", PLACES[0], evidence)


def is_compared(number: int, count: int, most: int = _MOST_IMAGES) -> bool:
    """Return whether the contrast of a sample is computed: of one in each of `most` parts."""
    return number % -(-count // most) == 0
