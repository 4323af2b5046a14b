"""Following hands through a video: the hands of each frame, filtered or smoothed."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, repeat
from pathlib import Path

import numpy as np

from latent_hands.data.formats.video import FORMATS, read_video
from latent_hands.errors import HandsError, did_you_mean
from latent_hands.predictor.checks import ImageSource, bone_of, check_one_camera
from latent_hands.predictor.find import HandDetector
from latent_hands.predictor.follower import Follower, Settings
from latent_hands.predictor.hand import Hand, check_handedness
from latent_hands.predictor.tracks import Step, hand_of_step, smoothed
from latent_hands.predictor.trained_graph import TrainedGraph

SMOOTH = ("online", "offline", "none")
_LOG = logging.getLogger(__name__)
Timed = tuple[ImageSource, float | None]
"""A frame, and its time in seconds; None where the time is not known."""


def follow(
    graph: TrainedGraph,
    detector: HandDetector,
    frames: str | Path | Iterable[ImageSource],
    settings: Settings,
    seconds: Iterable[float | None],
    fps: float,
    smooth: str,
) -> Iterator[list[Hand]]:
    """Yield the hands of each frame; see `Model.follow`."""
    if "uv" not in graph.vae.writes:
        raise HandsError(
            "this model does not measure where joints are in the image, which following needs: use a model "
            'with a decoder of "uv", such as the shipped "estimation"'
        )
    follower = Follower(graph, detector, settings)
    steps = (follower.step(image, time) for image, time in _in_order(_timed(frames, seconds), fps))
    if smooth == "offline":
        yield from _offline(graph, ([step.without_image() for step in each] for each in steps))
        return
    for each in steps:
        yield [hand_of_step(graph, step, step.belief if smooth == "online" else None) for step in each]


def checked_settings(
    handedness: str | None,
    bone_mm: float | None,
    K: np.ndarray | None,
    focal_px: float | None,
    max_hands: int,
    smooth: str,
    fps: float,
) -> Settings:
    """Return the settings. Raises HandsError for a value that is not legal."""
    if smooth not in SMOOTH:
        raise HandsError(f'unknown smooth "{smooth}"; {did_you_mean(smooth, SMOOTH)}')
    if max_hands < 1:
        raise HandsError(f"max_hands is {max_hands}, but must be 1 or more hands")
    if not 0 < fps < float("inf"):
        raise HandsError(f"fps is {fps}, but must be above 0 frames per second")
    check_one_camera(K, focal_px)
    side = None if handedness is None else check_handedness(handedness)
    return Settings(side, None if bone_mm is None else bone_of(bone_mm), K, focal_px, max_hands)


def _offline(graph: TrainedGraph, followed: Iterator[Sequence[Step]]) -> Iterator[list[Hand]]:
    """Yield the hands of each frame, given all frames. An error is raised after the frames before it."""
    frames: list[Sequence[Step]] = []
    broken = None
    try:
        frames.extend(followed)
    except HandsError as error:
        broken = error
    parts: dict[tuple[int, int], list[Step]] = {}
    for step in chain.from_iterable(frames):
        parts.setdefault((step.track, step.part), []).append(step)
    beliefs = {
        id(step): belief
        for steps in parts.values()
        for step, belief in zip(steps, smoothed(steps), strict=True)
    }
    for steps in frames:
        yield [hand_of_step(graph, step, beliefs[id(step)]) for step in steps]
    if broken is not None:
        raise broken


def _timed(frames: str | Path | Iterable[ImageSource], seconds: Iterable[float | None]) -> Iterator[Timed]:
    """Yield each frame with its time. Raises HandsError for a file that is not a readable video."""
    if not isinstance(frames, str | Path):
        yield from zip(frames, chain(seconds, repeat(None)), strict=False)
        return
    path = Path(frames)
    if path.suffix.lower() not in FORMATS:
        raise HandsError(f"{path} is not a video; a video ends in {', '.join(FORMATS)}")
    if not path.is_file():
        raise HandsError(f"no video at {path}")
    yield from read_video(path)


def _in_order(frames: Iterable[Timed], fps: float) -> Iterator[tuple[ImageSource, float]]:
    """Yield each frame with a time that increases. A time that is unknown or not later is 1 / fps later.

    A warning names the first time that is not later. Raises HandsError for one that is not finite.
    """
    last, increasing = None, True
    for number, (image, time) in enumerate(frames):
        if time is not None and not np.isfinite(time):
            raise HandsError(f"the time of frame {number} is {time}; it must be finite, or None if unknown")
        if last is not None and (time is None or time <= last):
            if time is not None and increasing:
                increasing = False
                _LOG.warning(
                    "the time of frame %d, %g s, is not after %g s; such frames are followed as 1/%g s later",
                    *(number, time, last, fps),
                )
            time = last + 1 / fps
        last = 0.0 if time is None else float(time)
        yield image, last
