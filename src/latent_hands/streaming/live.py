"""Live: the hands of a stream, frame by frame, always of its newest frame."""

import time
from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from threading import Event
from types import TracebackType

import numpy as np

from latent_hands.errors import HandsError
from latent_hands.predictor import Hand, Model
from latent_hands.predictor.checks import Rgb
from latent_hands.predictor.follow_settings import Settings
from latent_hands.streaming.newest import Newest
from latent_hands.streaming.source import LiveFrame, live_frames, source_of

SMOOTH = ("online", "none")
WINDOW = 30
"""Number of last frames that rate and latency are measured on."""


@dataclass(frozen=True)
class Rates:
    """How fast a stream is followed, over its last `WINDOW` frames.

    Attributes:
        frames: number of frames whose hands were estimated.
        dropped: number of frames that were skipped, because a newer one had arrived.
        fps: estimated frames a second; 0 before the second one.
        latency_s: median time from the arrival of a frame to its hands, in seconds.
    """

    frames: int = 0
    dropped: int = 0
    fps: float = 0.0
    latency_s: float = 0.0


class Live(Iterator[list[Hand]]):
    """The hands of a stream: an iterator over lists of hands, one for each frame that is estimated.

    A thread reads the stream. When the model is slower than the stream, older frames are dropped, so that the
    hands are always those of the newest frame. The tracking is that of `Model.follow`; smoothing uses the
    times of the stream.

    Args:
        source: a camera: its number from 0, "camera:NAME" or its device; or a video file, which plays in its
            own time.
        model: a model that measures where joints are in the image, such as the shipped `estimation`.
        smooth: "online" filters with the frames so far, "none" gives each frame alone.
        handedness, bone_mm, max_hands, zoom: as in `Model.follow`.
        focal_px: the focal length in pixels of the first frame; the optical axis is at its centre.
        stop: ends the stream when it is set.

    Attributes:
        frame: the frame of the last hands; None before them.

    Raises HandsError for a value that is not legal. The first `next` opens the source, and raises HandsError
    if there is no such camera or file, if it is used by another program, and if PyAV is not installed.
    """

    def __init__(
        self,
        source: int | str | Path,
        model: Model,
        *,
        smooth: str = "online",
        handedness: str | None = None,
        bone_mm: float | None = None,
        focal_px: float | None = None,
        max_hands: int = 2,
        zoom: int = 1,
        stop: Event | None = None,
    ):
        if smooth not in SMOOTH:
            raise HandsError(f'smooth is "{smooth}", but a stream can be smoothed by {" or ".join(SMOOTH)}')
        if focal_px is not None and not 0 < focal_px < float("inf"):
            raise HandsError(f"focal_px is {focal_px}, but must be above 0 pixels")
        Settings(handedness=handedness, bone_mm=bone_mm, focal_px=focal_px, max_hands=max_hands, zoom=zoom)
        self.source, self.model = source_of(source), model
        self.frame: LiveFrame | None = None
        self._options = {
            "smooth": smooth,
            "handedness": handedness,
            "bone_mm": bone_mm,
            "focal_px": focal_px,
            "max_hands": max_hands,
            "zoom": zoom,
        }
        self._stop = stop or Event()
        self._newest: Newest[LiveFrame] | None = None
        self._done: deque[tuple[float, float]] = deque(maxlen=WINDOW)
        self._count = 0
        self._hands = self._followed()

    def __enter__(self) -> "Live":
        """Return the stream."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the stream."""
        self.close()

    def __next__(self) -> list[Hand]:
        """Return the hands of the newest frame. Raises StopIteration at the end of a video."""
        hands = next(self._hands)
        assert self.frame is not None
        now = time.monotonic()
        self._done.append((now, now - self.frame.arrived))
        self._count += 1
        return hands

    def close(self) -> None:
        """End the stream, and release the camera."""
        self._stop.set()
        self._hands.close()
        if self._newest is not None:
            self._newest.close()

    @property
    def rates(self) -> Rates:
        """How fast the stream is followed."""
        if not self._done:
            return Rates()
        span = self._done[-1][0] - self._done[0][0]
        fps = (len(self._done) - 1) / span if span > 0 else 0.0
        dropped = 0 if self._newest is None else self._newest.dropped
        return Rates(self._count, dropped, fps, median(latency for _, latency in self._done))

    def _followed(self) -> Generator[list[Hand], None, None]:
        warm_up(self.model)
        self._newest = newest = Newest(live_frames(self.source), self._stop)
        times: deque[float] = deque()

        def images() -> Iterator[Rgb]:
            for frame in newest:
                self.frame = frame
                times.append(frame.seconds)
                yield frame.rgb

        yield from self.model.follow(
            images(),
            seconds=iter(times.popleft, object()),  # a time is taken after its frame
            **self._options,
        )


def warm_up(model: Model) -> None:
    """Let the networks run once, so that the first frames of a stream are not dropped for it."""
    model.find(np.zeros((64, 64, 3), np.uint8))
    model.find(np.zeros((64, 64, 3), np.uint8), boxes=[(8, 8, 48, 48)])
