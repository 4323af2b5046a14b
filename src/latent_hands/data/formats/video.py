"""The frames of videos: upright, with square pixels, and their times."""

import atexit
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from latent_hands.errors import HandsError, PartlyReadError
from latent_hands.interrupt import uninterrupted
from latent_hands.shapes import Int32, UInt8

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
MAX_FRAME_PIXELS = 8192 * 4320
"""Larger frames are refused. No camera films them, and a frame could take seconds."""
CUT_SECONDS = 1.0
"""A video that ends so much earlier than its header states is cut off."""
MAX_ASPECT = 4.0
"""Limit of the width of a pixel over its height, and of the inverse."""


class Frame(NamedTuple):
    """A frame of a video.

    Attributes:
        rgb: (height, width, 3) bytes.
        seconds: its time in the video; None if it is not known.
    """

    rgb: UInt8[np.ndarray, "height width 3"]
    seconds: float | None


def read_video(path: Path) -> Iterator[Frame]:
    """Iterate over the frames of a video, one in memory at a time.

    The file's rotation and mirroring (display matrix) are applied, and pixels that are not square are made
    square by enlarging one side. Frames may have different sizes.

    Raises HandsError if PyAV (the extra "video") is not installed, if the file is not a readable video of the
    format that its ending names, or if it has no frames. Raises PartlyReadError after the last readable frame
    of a damaged file; the message says where the readable part ends.
    """
    av = import_av(f"{path} is a video, and reading videos")
    count, last, gap = 0, None, 0.0
    try:
        with path.open("rb") as file, av.open(file, "r", FORMATS[path.suffix.lower()]) as video:
            for frame in decode(video):
                yield frame
                gap = max(gap, (frame.seconds or 0.0) - (last or 0.0))
                count, last = count + 1, frame.seconds
            end = stated_end(video)
            if end is not None and last is not None and end - last > max(CUT_SECONDS, 3 * gap):
                raise EOFError(f"the file states {end:.2f} s")
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


def count_frames(path: Path) -> int | None:
    """Return the number of frames that the header of a video states; None if it states none."""
    try:
        with (
            path.open("rb") as file,
            import_av(str(path)).open(file, "r", FORMATS[path.suffix.lower()]) as video,
        ):
            stream = video.streams.video[0]
            length = float((stream.duration or 0) * (stream.time_base or 0))
            return stream.frames or round(length * float(stream.average_rate or 0)) or None
    except Exception:  # FFmpeg's readers raise almost every type on broken files
        return None


def stated_end(video: Any) -> float | None:
    """Return the time at which the header of a container says that its images end, in seconds."""
    stream = video.streams.video[0]
    if stream.duration and stream.time_base:
        return float((stream.start_time or 0) + stream.duration) * float(stream.time_base)
    clock = re.fullmatch(r"(\d+):(\d+):([\d.]+)", stream.metadata.get("DURATION", ""))  # Matroska
    return None if clock is None else 3600 * int(clock[1]) + 60 * int(clock[2]) + float(clock[3])


def import_av(purpose: str) -> Any:
    """Return PyAV. Raises HandsError that names the purpose if it is not installed."""
    try:
        import av
    except ModuleNotFoundError as error:
        raise HandsError(f"{purpose} needs PyAV: pip install 'latent-hands[video]'") from error
    return av


def decode(video: Any) -> Iterator[Frame]:
    """Iterate over the upright frames of an open container.

    Raises HandsError for a container without images, for pixels that are more than MAX_ASPECT times as wide
    as high, or as high as wide, and for frames above MAX_FRAME_PIXELS.
    """
    if not video.streams:
        raise HandsError("it states neither images nor sound; it is cut off or no video")
    if not video.streams.video:
        raise HandsError("it has no images; a video of sound alone cannot be read")
    stream = video.streams.video[0]
    stream.codec_context.options = {"max_pixels": str(MAX_FRAME_PIXELS)}
    aspect = float(stream.sample_aspect_ratio or 1)
    if not 1 / MAX_ASPECT <= aspect <= MAX_ASPECT:
        raise HandsError(
            f"its pixels are {aspect:g} times as wide as high; legal are {1 / MAX_ASPECT:g} to {MAX_ASPECT:g}"
        )
    for frame in video.decode(stream):
        width = max(frame.width, round(frame.width * aspect))
        height = max(frame.height, round(frame.height / aspect))
        if width * height > MAX_FRAME_PIXELS:
            raise HandsError(f"a frame has {width}x{height} pixels; the limit is {MAX_FRAME_PIXELS:,}")
        rgb = frame.reformat(width=width, height=height, format="rgb24").to_ndarray()
        yield Frame(displayed(rgb, display_matrix(frame)), frame.time)


def display_matrix(frame: Any) -> Int32[np.ndarray, "2 2"]:
    """Return the part of a frame's display matrix that maps (x, y) as a row; the identity without one."""
    for data in frame.side_data:
        if data.type.name == "DISPLAYMATRIX":
            return np.frombuffer(bytes(data), np.int32).reshape(3, 3)[:2, :2]
    return np.eye(2, dtype=np.int32)


def displayed(
    rgb: UInt8[np.ndarray, "_ _ 3"], matrix: Int32[np.ndarray, "2 2"]
) -> UInt8[np.ndarray, "_ _ 3"]:
    """Return the image as the matrix displays it: turned by a multiple of 90 degrees, and mirrored.

    (x, y) @ matrix is the new place of a pixel, but for a shift. Other angles are rounded.
    """
    (a, b), (c, d) = matrix.astype(float)
    if abs(a) + abs(d) < abs(b) + abs(c):  # x and y are exchanged
        rgb, a, d = rgb.transpose(1, 0, 2), c, b
    return np.ascontiguousarray(rgb[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1])


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
