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
    check_measures(graph)
    follower = Follower(graph, detector, settings)
    steps = (follower.step(image, time) for image, time in _in_order(_timed(frames, seconds), fps))
    if smooth == "offline":
        yield from _offline(graph, ([step.without_image() for step in each] for each in steps))
        return
    for each in steps:
        yield _hands(graph, each, smooth)


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
    """Yield each frame with a time that increases (`Clock`)."""
    clock = Clock(fps)
    for image, time in frames:
        yield image, clock.tick(time)


class Clock:
    """Times of frames that increase: a time that is unknown or not later than the last is 1 / fps later."""

    def __init__(self, fps: float):
        self.fps, self.number, self.last, self.increasing = fps, 0, 0.0, True

    def tick(self, seconds: float | None) -> float:
        """Return the time of the next frame. Raises HandsError for one that is not finite.

        A warning names the first time that is not later.
        """
        if seconds is not None and not np.isfinite(seconds):
            raise HandsError(
                f"the time of frame {self.number} is {seconds}; it must be finite, or None if unknown"
            )
        if self.number and (seconds is None or seconds <= self.last):
            if seconds is not None and self.increasing:
                self.increasing = False
                _LOG.warning(
                    "the time of frame %d, %g s, is not after %g s; such frames are followed as 1/%g s later",
                    *(self.number, seconds, self.last, self.fps),
                )
            seconds = self.last + 1 / self.fps
        self.number, self.last = self.number + 1, 0.0 if seconds is None else float(seconds)
        return self.last


class Tracker:
    """Hands that are followed frame by frame in a loop of your own, such as one over an OpenCV camera.

    `Model.tracker` makes one. The hands are those of `Model.follow` for the same frames.
    """

    def __init__(self, graph: TrainedGraph, follower: Follower, fps: float, smooth: str):
        if smooth == "offline":
            raise HandsError('smooth is "offline", which needs all frames: give them to model.follow')
        check_measures(graph)
        self._graph, self._follower, self._clock, self._smooth = graph, follower, Clock(fps), smooth

    def track(self, image: ImageSource, seconds: float | None = None) -> list[Hand]:
        """Return the hands of the next frame; the list is empty if there is no hand.

        Args:
            image: the frame, an image as for `Model.find`.
            seconds: its time in seconds; by default 1 / fps after the last frame.

        Raises HandsError for an image that is not valid, for a time that is not finite, and for a frame of
        another shape than the first one if a camera is given.

        >>> tracker = model.tracker(bone_mm=36.0)
        >>> [hand.track for hand in tracker.track(photo, seconds=0.0)]
        [1]
        """
        steps = self._follower.step(image, self._clock.tick(seconds))
        return _hands(self._graph, steps, self._smooth)


def check_measures(graph: TrainedGraph) -> None:
    """Raise HandsError for a graph that does not measure where joints are in the image."""
    if "uv" not in graph.vae.writes:
        raise HandsError(
            "this model does not measure where joints are in the image, which following needs: use a model "
            'with a decoder of "uv", such as the shipped "estimation"'
        )


def _hands(graph: TrainedGraph, steps: Sequence[Step], smooth: str) -> list[Hand]:
    return [hand_of_step(graph, step, step.belief if smooth == "online" else None) for step in steps]
