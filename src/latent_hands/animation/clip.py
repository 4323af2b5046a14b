"""A clip: the hands of a video or of an image as animated hands of the mesh."""

import logging
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from latent_hands.animation.fitting import fit_hands
from latent_hands.animation.posed import AnimatedHand
from latent_hands.animation.times import LONGEST_GAP
from latent_hands.errors import HandsError, counted
from latent_hands.predictions import ImageHands
from latent_hands.predictor import Hand

FPS = 30.0
"""Frames per second of images whose times are not known."""
APART_M = 0.25
"""The distance between hands whose places are not known."""
Timed = tuple[float, Hand]
MOST_GROWTH = 1.5
"""The bone of a hand may be so many times as long in one frame as in another."""
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Clip:
    """The animated hands of a clip.

    Attributes:
        hands: one for each hand of the clip. Their times are counted from the first frame.
        seconds: the times of all frames, also of those without hands; the first is 0.
        errors_mm: the mean distance of the joints of each hand of the mesh from the predicted joints.
        K: the camera of the first hand; None if it is not known.
    """

    hands: tuple[AnimatedHand, ...]
    seconds: Float[np.ndarray, " frames"]
    errors_mm: tuple[float, ...]
    K: Float[np.ndarray, "3 3"] | None = None

    @property
    def duration(self) -> float:
        """The time of the last frame."""
        return float(self.seconds[-1])

    def even_times(self) -> tuple[Float[np.ndarray, " n"], float]:
        """Return as many times as there are frames, in equal steps, and the step in seconds."""
        count = len(self.seconds)
        step = self.duration / (count - 1) if count > 1 else 1 / FPS
        return step * np.arange(count), step

    def gltf_camera(self) -> dict[str, Any] | None:
        """Return glTF's camera that sees what the image shows; None without a camera.

        Its optical axis is in the middle of the image, which has the size that K says.
        """
        if self.K is None:
            return None
        width, height = 2 * self.K[0, 2] + 1, 2 * self.K[1, 2] + 1
        fov = 2 * math.atan(height / (2 * float(self.K[1, 1])))
        return {
            "type": "perspective",
            "perspective": {"aspectRatio": float(width / height), "yfov": fov, "znear": 0.01, "zfar": 100.0},
        }


def clip_of(images: Sequence[ImageHands], fps: float | None = None, least: int = 1) -> Clip:
    """Fit the mesh to the hands of images, in the order of time.

    A hand is followed by its track and its side; a track that changes its side is two hands. Hands without
    tracks are followed by their side and their rank in the image. Hands are named after both: "left_0".

    Args:
        images: the frames of a clip, or one image.
        fps: frames per second. By default the times of the images, or FPS where they are not known.
        least: the smallest number of frames of a hand; hands with fewer are left out.

    Raises HandsError if no hand is left, for `fps` that is not above 0, for `least` below 1, and as
    `fit_hands` does.
    """
    if fps is not None and not 0 < fps < math.inf:
        raise HandsError(f"fps is {fps}, but must be above 0 frames per second")
    if least < 1:
        raise HandsError(f"the least number of frames of a hand is {least}, but must be 1 or more")
    seconds = frame_times(images, fps)
    if len(seconds) > 1 and (step := float(np.median(np.diff(seconds)))) > LONGEST_GAP:
        _LOG.warning(
            "frames are %g s apart (median), so hands are hidden or rest between them; if times are not in "
            "seconds, give frames per second",
            step,
        )
    followed: dict[str, list[Timed]] = {}
    for time, image in zip(seconds.tolist(), images, strict=True):
        named = list(named_hands(image.hands))
        _check_single([name for name, _ in named], image.name)
        for name, hand in named:
            followed.setdefault(name, []).append((time, hand))
    kept = {name: timed for name, timed in followed.items() if len(timed) >= least}
    if not kept:
        where = counted(len(images), "image")
        if not followed:
            raise HandsError(f"there is no hand to animate in {where}")
        raise HandsError(
            f"none of {counted(len(followed), 'hand')} in {where} has {least} frames; give a "
            "smaller least number"
        )
    fits = [_animated(name, timed, i) for i, (name, timed) in enumerate(sorted(kept.items()))]
    hands, errors = zip(*fits, strict=True)
    K = next((hand.K for timed in kept.values() for _, hand in timed if hand.K is not None), None)
    return Clip(hands, seconds, errors, K)


def frame_times(images: Sequence[ImageHands], fps: float | None) -> Float[np.ndarray, " frames"]:
    """Return the time of each image, from 0: its own, or its number over `fps`.

    Images without numbers follow one another. Raises HandsError if times or numbers do not increase, or if
    only some images have them.
    """
    if fps is None and (times := _increasing([image.seconds for image in images], "times")) is not None:
        return times
    numbers = _increasing([image.frame for image in images], "numbers")
    return (np.arange(len(images)) if numbers is None else numbers) / (fps or FPS)


def _increasing(known: Sequence[float | int | None], what: str) -> Float[np.ndarray, " n"] | None:
    """Return times or numbers of frames, from 0; None if none is known."""
    missing = sum(each is None for each in known)
    if missing == len(known):
        return None
    advice = "give frames per second instead" if what == "times" else "put the frames in order"
    if missing:
        raise HandsError(f"{missing} of the {len(known)} frames have no {what}, but others have; {advice}")
    values = np.array(known, float)
    if not (np.diff(values) > 0).all():
        raise HandsError(f"the {what} of the frames do not increase; {advice}")
    return values - values[0]


def _check_single(names: Sequence[str], image: str) -> None:
    """Raise HandsError if two hands of an image have one name: they would be one hand at two places."""
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        side, track = twice.split("_")
        raise HandsError(f"{image} has two {side} hands of the track {track}; a hand is in a frame once")


def named_hands(hands: Iterable[Hand]) -> Iterator[tuple[str, Hand]]:
    """Iterate over the hands of an image, each with the name that it keeps from image to image."""
    ranks = {"left": 0, "right": 0}
    for hand in hands:
        number = ranks[hand.handedness] if hand.track is None else hand.track
        ranks[hand.handedness] += 1
        yield f"{hand.handedness}_{number}", hand


def _animated(name: str, timed: Sequence[Timed], number: int) -> tuple[AnimatedHand, float]:
    """Return an animated hand and its error. Hands whose places are not known are APART_M apart."""
    seconds, hands = zip(*timed, strict=True)
    fitted = fit_hands(hands)
    bones = [hand.bone_mm for hand in hands]
    if max(bones) > MOST_GROWTH * min(bones):
        text = "%s has bones of %g to %g mm, so frames are of different hands or units; one size is fitted"
        _LOG.warning(text, name, min(bones), max(bones))
    palms = [hand.palm_mm for hand in hands if hand.palm_mm is not None and hand.frame == "camera"]
    if palms and len(palms) < len(hands):
        _LOG.warning(
            "%s has no place in the camera frame in %d of %d frames, so it stays in one place",
            *(name, len(hands) - len(palms), len(hands)),
        )
    palms_m = np.stack(palms) / 1000 if len(palms) == len(hands) else np.array([APART_M * number, 0, 0])
    return (
        AnimatedHand(
            name,
            hands[0].handedness,
            fitted.shape,
            fitted.angles_deg,
            fitted.rotations,
            palms_m + fitted.places_m,
            np.array(seconds),
        ),
        float(fitted.error_mm.mean()),
    )
