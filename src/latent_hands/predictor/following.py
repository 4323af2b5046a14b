"""Following hands through a video: the hands of each frame, filtered or smoothed."""

import logging
import math
from collections.abc import Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path

from PIL import Image

from latent_hands.data.formats.video import FORMATS, read_video
from latent_hands.errors import HandsError
from latent_hands.predictor.checks import ImageSource, Rgb, opened
from latent_hands.predictor.follower import Follower
from latent_hands.predictor.hand import Hand
from latent_hands.predictor.tracks import Step, hand_of_step, smoothed
from latent_hands.predictor.trained_graph import TrainedGraph

_LOG = logging.getLogger(__name__)
Timed = tuple[ImageSource, float | None]
"""A frame, and its time in seconds; None where the time is not known."""


@dataclass(frozen=True, eq=False)
class FollowedFrame:
    """A frame in which hands were followed.

    Attributes:
        number: its number, from 0.
        rgb: (height, width, 3) uint8, its pixels.
        seconds: its time.
    """

    number: int
    rgb: Rgb
    seconds: float


class Followed(Iterator[list[Hand]]):
    """The hands of a video: an iterator over lists of hands, one for each frame. `Model.follow` returns it.

    Its only frame in memory is that of the last hands, `frame`.

    >>> video = model.follow([photo, photo])
    >>> for hands in video:
    ...     drawn = lh.draw_hands(video.frame.rgb, hands)
    """

    def __init__(
        self,
        graph: TrainedGraph,
        follower: Follower,
        frames: str | Path | Iterable[ImageSource],
        seconds: Iterable[float | None],
    ):
        self._graph, self._follower, self._frames, self._seconds = graph, follower, frames, seconds
        self._frame: FollowedFrame | None = None
        self._hands = self._offline() if follower.settings.smooth == "offline" else self._online()

    def __next__(self) -> list[Hand]:
        """Return the hands of the next frame. Raises StopIteration after the last one."""
        return next(self._hands)

    @property
    def frame(self) -> FollowedFrame:
        """The frame of the last hands.

        Raises HandsError before the first hands, and for images of an iterator with `smooth="offline"`, which
        are gone when the first hands are known.
        """
        if self._frame is None:
            raise HandsError(
                'there is no frame: before the first hands, and with smooth="offline" for the images of an '
                "iterator, which are gone after they were read: give a list of images, or a video file"
            )
        return self._frame

    def _online(self) -> Iterator[list[Hand]]:
        for frame, steps in self._followed():
            self._frame = frame
            yield _hands(self._graph, steps, self._follower.settings.smooth)

    def _followed(self) -> Iterator[tuple[FollowedFrame, list[Step]]]:
        """Follow the hands through all frames."""
        check_measures(self._graph)
        clock = Clock(self._follower.settings.fps)
        for number, (image, time) in enumerate(_timed(self._frames, self._seconds)):
            seconds, image = clock.tick(time), opened(image)
            yield FollowedFrame(number, image.rgb, seconds), self._follower.step(image, seconds)

    def _offline(self) -> Iterator[list[Hand]]:
        """Yield the hands of each frame, given all frames. An error is raised after the frames before it."""
        times: list[float] = []
        steps: list[list[Step]] = []
        broken = None
        try:
            for frame, each in self._followed():
                times.append(frame.seconds)
                steps.append([step.without_image() for step in each])
        except HandsError as error:
            broken = error
        again = self._read_again()
        for number, hands in enumerate(_smoothed_hands(self._graph, steps)):
            image = next(again, None)
            self._frame = None if image is None else FollowedFrame(number, opened(image).rgb, times[number])
            yield hands
        if broken is not None:
            raise broken

    def _read_again(self) -> Iterator[ImageSource]:
        """Iterate over the images once more; over none if they cannot be read twice."""
        if not isinstance(self._frames, Iterator):
            yield from (image for image, _ in _timed(self._frames, ()))


def _smoothed_hands(graph: TrainedGraph, frames: Sequence[Sequence[Step]]) -> Iterator[list[Hand]]:
    """Yield the hands of each frame, given the steps of all frames."""
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


def _timed(frames: str | Path | Iterable[ImageSource], seconds: Iterable[float | None]) -> Iterator[Timed]:
    """Yield each frame with its time.

    Raises HandsError for a file that is not a readable video, for a single image, and for another number of
    times than of frames.
    """
    if not isinstance(frames, str | Path):
        if getattr(frames, "ndim", 4) < 4 or isinstance(frames, Image.Image):
            raise HandsError("frames are one image; give a list of images, or a video file")
        for name, given, legal in (
            ("frames", frames, "a list of images, or a video file"),
            ("seconds", seconds, "a list with the time of each frame, None where it is not known"),
        ):
            if not isinstance(given, Iterable):
                raise HandsError(f"{name} must be {legal}, not {given!r}")
        counts = [len(each) for each in (frames, seconds) if isinstance(each, Sized)]
        if len(counts) == 2 and 0 < counts[1] != counts[0]:
            raise HandsError(f"there are {counts[0]} frames and {counts[1]} times: give each frame a time")
        yield from zip(frames, chain(seconds, repeat(None)), strict=False)
        return
    if not isinstance(seconds, Sized) or len(seconds):
        raise HandsError(f"seconds are given, but {frames} states the times of its frames: leave seconds out")
    path = Path(frames)
    if path.suffix.lower() not in FORMATS:
        advice = "give images as a list, and follow cameras by lh.live"
        raise HandsError(f"{path} is not a video; a video ends in {', '.join(FORMATS)}; {advice}")
    if not path.is_file():
        raise HandsError(f"no video at {path}")
    yield from read_video(path)


class Clock:
    """Times of frames that increase: a time that is unknown or not later than the last is 1 / fps later."""

    def __init__(self, fps: float):
        self.fps, self.number, self.last, self.increasing = fps, 0, 0.0, True

    def tick(self, seconds: float | None) -> float:
        """Return the time of the next frame. Raises HandsError for one that is not finite.

        A warning names the first time that is not later.
        """
        if seconds is not None and not _is_time(seconds):
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


def _is_time(seconds: object) -> bool:
    """Return whether a value is a finite number, also one of numpy or torch."""
    try:
        return not isinstance(seconds, str) and math.isfinite(seconds)  # pyright: ignore[reportArgumentType]
    except (TypeError, ValueError, RuntimeError):
        return False


class Tracker:
    """Hands that are followed frame by frame in a loop of your own, such as one over an OpenCV camera.

    `Model.tracker` makes one. The hands are those of `Model.follow` for the same frames.
    """

    def __init__(self, graph: TrainedGraph, follower: Follower):
        if follower.settings.smooth == "offline":
            raise HandsError('smooth is "offline", which needs all frames: give them to model.follow')
        check_measures(graph)
        self._graph, self._follower, self._clock = graph, follower, Clock(follower.settings.fps)

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
        return _hands(self._graph, steps, self._follower.settings.smooth)


def check_measures(graph: TrainedGraph) -> None:
    """Raise HandsError for a graph that does not measure where joints are in the image."""
    if "uv" not in graph.vae.writes:
        raise HandsError(
            "this model does not measure where joints are in the image, which following needs: use a model "
            'with a decoder of "uv", such as the shipped "estimation"'
        )


def _hands(graph: TrainedGraph, steps: Sequence[Step], smooth: str) -> list[Hand]:
    return [hand_of_step(graph, step, step.belief if smooth == "online" else None) for step in steps]
