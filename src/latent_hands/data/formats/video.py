"""The frames of videos: upright, with square pixels, and their times."""

import atexit
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from latent_hands.data.formats import video_frame
from latent_hands.data.formats.video_crop import stated_crop
from latent_hands.data.formats.video_frame import (
    aspect_of,
    display_matrix,
    displayed,
    doubt_of,
    square_pixels,
)
from latent_hands.data.formats.video_stream import Clock, announce, announce_guesses, stated_end, stream_of
from latent_hands.errors import HandsError, PartlyReadError
from latent_hands.interrupt import uninterrupted
from latent_hands.shapes import UInt8

FORMATS = {
    ".avi": "avi",
    ".m4v": "mov",
    ".mkv": "matroska",
    ".mov": "mov",
    ".mp4": "mov",
    ".webm": "matroska",
}
"""File ending -> the only format that such a file is read as. Some formats of FFmpeg open other files."""
MAX_FRAMES = 3000
MAX_PIXELS = 10**9
"""Limit of all frames that are written: 480 frames of 1920x1080, or 1000 frames of 1280x720."""
CUT_SECONDS = 1.0
"""A video that ends so much earlier than its header states is cut off."""


class Frame(NamedTuple):
    """A frame of a video.

    Attributes:
        rgb: (height, width, 3) bytes.
        seconds: its time since the beginning of the video; None if it is not known.
    """

    rgb: UInt8[np.ndarray, "height width 3"]
    seconds: float | None


class Decoded(NamedTuple):
    """A frame as it was decoded.

    Attributes:
        frame: its pixels and its time.
        duration: how long it is shown, in seconds; 0 if it is not known.
        damaged: whether the decoder guessed pixels of it.
        doubt: what it is if it is no image of a usual camera.
    """

    frame: Frame
    duration: float
    damaged: bool
    doubt: str | None


def read_video(path: Path) -> Iterator[Frame]:
    """Iterate over the frames of a video, one in memory at a time.

    The file's cropping, rotation and mirroring (display matrix) are applied, and pixels that are not square
    are made square by enlarging one side. Frames may have different sizes. Of several video streams, one is
    read (`stream_of`). Warnings announce this, HDR, stereoscopic and spherical films, damaged frames, and
    times that do not increase.

    Raises HandsError if PyAV (the extra "video") is not installed, if the file is not a readable video of the
    format that its ending names, or if it has no frames. Raises PartlyReadError after the last readable frame
    of a damaged file; the message says where the readable part ends.
    """
    av = import_av(f"{path} is a video, and reading videos")
    count, last, end, gap, whole = 0, None, 0.0, 0.0, True
    try:
        with path.open("rb") as file, av.open(file, "r", FORMATS[path.suffix.lower()]) as video:
            for frame, duration, damaged, doubt in decode(video):
                if count == 0:
                    announce_guesses(path, video)
                if doubt is not None:
                    announce(path, doubt)
                _announce_faults(path, count, frame.seconds, last, damaged and whole)
                yield frame
                gap = max(gap, (frame.seconds or 0.0) - (last or 0.0))
                count, last, end = count + 1, frame.seconds, (frame.seconds or 0.0) + duration
                whole = whole and not damaged
            stated = stated_end(video)
            if stated is not None and last is not None and stated - end > max(CUT_SECONDS, 3 * gap):
                raise EOFError(f"the file states {stated:.2f} s")
    except HandsError as error:
        raise HandsError(f"{path}: {error}") from error
    except Exception as error:  # FFmpeg's decoders raise almost every type on broken files
        if not count:
            reason = getattr(error, "strerror", None) or error  # without FFmpeg's number
            raise HandsError(f"{path} is not a readable video: {reason}") from error
        time = "" if last is None else f" at {last:.2f} s"
        raise PartlyReadError(
            f"{path} is damaged or cut off after frame {count}{time}; the frames until there are used"
        ) from error
    if not count:
        raise HandsError(f"{path} has no frames")


def _announce_faults(
    path: Path, number: int, seconds: float | None, last: float | None, damaged: bool
) -> None:
    """Announce a frame that is damaged or has no later time than the one before."""
    if damaged:
        announce(
            path, f"is damaged at frame {number}: the decoder guessed pixels of it, and maybe of later ones"
        )
    if number and (seconds is None or last is None or seconds <= last):
        announce(path, "has frames without times or in another order than their times")


def count_frames(path: Path) -> int | None:
    """Return the number of frames that the header of a video states; None if it states none."""
    try:
        with (
            path.open("rb") as file,
            import_av(str(path)).open(file, "r", FORMATS[path.suffix.lower()]) as video,
        ):
            stream = stream_of(video)
            length = float((stream.duration or 0) * (stream.time_base or 0))
            return stream.frames or round(length * float(stream.average_rate or 0)) or None
    except Exception:  # FFmpeg's readers raise almost every type on broken files
        return None


def import_av(purpose: str) -> Any:
    """Return PyAV. Raises HandsError that names the purpose if it is not installed."""
    try:
        import av
    except ModuleNotFoundError as error:
        raise HandsError(f"{purpose} needs PyAV: pip install 'latent-hands[video]'") from error
    return av


def decode(video: Any) -> Iterator[Decoded]:
    """Iterate over the upright frames of an open container.

    A display matrix holds until another one is stated: a stream may state it with its first frame alone.
    Raises HandsError as `stream_of`, `aspect_of`, `square_pixels`, `Crop.shown` and `displayed` do.
    """
    stream, clock = stream_of(video), Clock(video)
    crop = stated_crop(stream)
    stream.codec_context.options = {
        "max_pixels": str(video_frame.MAX_FRAME_PIXELS),
        "flags": "+unaligned",  # otherwise columns that are to be cropped may stay
    }
    aspect, matrix = aspect_of(stream), np.eye(2, dtype=np.int32)
    for frame in video.decode(stream):
        stated = display_matrix(frame)
        matrix = matrix if stated is None else stated
        rgb = crop.shown(square_pixels(frame, aspect), (frame.height, frame.width))
        rgb = displayed(rgb, matrix)
        timed = Frame(rgb, clock.seconds(frame))
        yield Decoded(timed, clock.duration(frame), frame.is_corrupt, doubt_of(frame))


def video_frames(path: Path) -> Iterator[tuple[Path, float | None]]:
    """Iterate over the frames as image files: the file of each, and its time in seconds (None if not known).

    A frame is decoded and written, without loss, when it is requested. The files are removed when the program
    ends. Raises HandsError as `read_video` does, and at the first frame beyond MAX_FRAMES or MAX_PIXELS.
    """
    with uninterrupted:
        folder = Path(tempfile.mkdtemp(prefix="latent-hands-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    pixels = 0
    for index, (rgb, seconds) in enumerate(read_video(path)):
        pixels += rgb.shape[0] * rgb.shape[1]
        if index >= MAX_FRAMES or pixels > MAX_PIXELS:
            limits = f"{MAX_FRAMES:,} frames and {MAX_PIXELS:,} pixels"
            raise HandsError(f"{path} has more than {index} frames; the limit is {limits}: cut the video")
        file = folder / f"{path.stem}-{index:05d}.png"
        Image.fromarray(rgb).save(file, compress_level=1)
        yield file, seconds
