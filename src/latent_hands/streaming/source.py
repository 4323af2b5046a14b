"""The source of a stream: a camera, or a video file that plays in its own time."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from latent_hands.data.formats.camera import PREFIX, check_camera, read_camera
from latent_hands.data.formats.video import FORMATS, Frame, import_av, read_video
from latent_hands.errors import HandsError

FILE_FPS = 30
"""Frames a second of a video that states no times."""


@dataclass(frozen=True, eq=False)
class LiveFrame:
    """A frame of a stream.

    Attributes:
        number: its number in the stream, from 0; dropped frames count.
        rgb: (height, width, 3) bytes.
        seconds: its time in the stream, from the stream where it states one.
        arrived: when it was decoded, on the monotonic clock.
    """

    number: int
    rgb: UInt8[np.ndarray, "height width 3"]
    seconds: float
    arrived: float


@dataclass(frozen=True)
class Source:
    """A camera or a video.

    Attributes:
        name: the name for files and messages.
        camera: the device; None for a file.
        file: the video; None for a camera.
    """

    name: str
    camera: str | None = None
    file: Path | None = None


def source_of(source: int | str | Path) -> Source:
    """Return the source that a user names: a number, "camera:NAME" or a device is a camera.

    Raises HandsError for a file that is missing or no video, for a camera that is missing, and if PyAV is not
    installed.
    """
    text = str(source)
    if text.isdecimal() or text.startswith((PREFIX, "/dev/")):
        device = text.removeprefix(PREFIX)
        check_camera(device)
        return Source(f"camera-{Path(device).name}", camera=device)
    path = Path(text)
    if path.suffix.lower() not in FORMATS:
        raise HandsError(
            f'"{text}" is no camera and no video; a camera is a number such as 0, or {PREFIX}NAME; a video '
            f"ends in {', '.join(FORMATS)}"
        )
    if not path.is_file():
        raise HandsError(f"no video at {path}")
    import_av(f"{path} is a video, and reading videos")
    return Source(path.stem, file=path)


def live_frames(
    source: Source,
    clock: Callable[[], float] = time.monotonic,
    wait: Callable[[float], object] = time.sleep,
) -> Iterator[LiveFrame]:
    """Iterate over the frames of a source as they come; a video plays in its own time.

    `clock` states the time in seconds, and `wait` waits for some seconds.
    Raises HandsError as `read_camera` and `read_video` do.
    """
    if source.camera is not None:
        yield from _numbered(read_camera(source.camera), clock)
        return
    assert source.file is not None
    begun = None
    for number, frame in enumerate(read_video(source.file)):
        seconds = number / FILE_FPS if frame.seconds is None else frame.seconds
        begun = clock() - seconds if begun is None else begun
        wait(max(begun + seconds - clock(), 0.0))
        yield LiveFrame(number, frame.rgb, seconds, clock())


def _numbered(frames: Iterator[Frame], clock: Callable[[], float]) -> Iterator[LiveFrame]:
    """Number the frames of a camera. A frame without a time has that of its arrival."""
    begun = None
    for number, (rgb, seconds) in enumerate(frames):
        arrived = clock()
        begun = arrived if begun is None else begun
        yield LiveFrame(number, rgb, arrived - begun if seconds is None else seconds, arrived)
