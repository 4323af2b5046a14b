"""The frames of a video as image files, for everything that reads images.

They are written losslessly into a folder that is removed when the program ends.
"""

import atexit
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from latent_hands.data import sample
from latent_hands.errors import HandsError

FORMATS = {
    ".avi": "avi",
    ".m4v": "mov",
    ".mkv": "matroska",
    ".mov": "mov",
    ".mp4": "mov",
    ".webm": "matroska",
}
"""Ending -> the only format that such a file is read as: FFmpeg knows some that open other files."""
MAX_FRAMES = 3000
MAX_PIXELS = 10**9
"""Of all frames together: 480 frames of 1920x1080, a thousand of 1280x720."""


def video_frames(path: Path) -> Iterator[tuple[Path, float | None]]:
    """The frames in their order, upright, each with its time in seconds, None where the video does not say.

    One is decoded and written when it is asked for.

    Raises HandsError without the extra "video" (PyAV), for a file that is empty, truncated, without image
    or of another format, and at the frame that goes beyond MAX_FRAMES or MAX_PIXELS.
    """
    folder = Path(tempfile.mkdtemp(prefix="latent-hands-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    pixels = 0
    for index, (rgb, seconds) in enumerate(_decode(path)):
        pixels += rgb.shape[0] * rgb.shape[1]
        if index >= MAX_FRAMES or pixels > MAX_PIXELS:
            limits = f"{MAX_FRAMES:,} frames and {MAX_PIXELS:,} pixels"
            raise HandsError(f"{path} has more than {index} frames; of a video {limits} are read: cut it")
        file = folder / f"{path.stem}-{index:05d}.png"
        Image.fromarray(rgb).save(file, compress_level=1)
        yield file, seconds


def _decode(path: Path) -> Iterator[tuple[UInt8[np.ndarray, "height width 3"], float | None]]:
    try:
        import av
    except ModuleNotFoundError as error:
        told = "needs PyAV: pip install 'latent-hands[video]'"
        raise HandsError(f"{path} is a video, and reading videos {told}") from error

    empty = True
    try:
        with path.open("rb") as file, av.open(file, "r", FORMATS[path.suffix.lower()]) as video:
            video.streams.video[0].codec_context.options = {"max_pixels": str(sample.MAX_PIXELS)}
            for frame in video.decode(video=0):
                empty = False
                rgb = np.rot90(frame.to_ndarray(format="rgb24"), frame.rotation // 90)
                yield np.ascontiguousarray(rgb), frame.time
    except Exception as error:  # FFmpeg's decoders fail in any way on broken files
        raise HandsError(f"{path} is no readable video: {error}") from error
    if empty:
        raise HandsError(f"{path} has no frame")
