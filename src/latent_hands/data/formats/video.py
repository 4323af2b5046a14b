"""The frames of a video as image files.

Frames are written without loss into a folder that is removed when the program ends.
"""

import atexit
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from latent_hands.data.formats import image
from latent_hands.errors import HandsError

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
"""Limit of all frames together: 480 frames of 1920x1080, or 1000 frames of 1280x720."""


def video_frames(path: Path) -> Iterator[tuple[Path, float | None]]:
    """Iterate over the frames: the file of each, upright, and its time in seconds (None if not known).

    A frame is decoded and written when it is requested. Raises HandsError if PyAV (the extra "video") is not
    installed, or if the file is empty, truncated, without images or of another format. The first frame beyond
    MAX_FRAMES or MAX_PIXELS raises it, too.
    """
    folder = Path(tempfile.mkdtemp(prefix="latent-hands-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    pixels = 0
    for index, (rgb, seconds) in enumerate(_decode(path)):
        pixels += rgb.shape[0] * rgb.shape[1]
        if index >= MAX_FRAMES or pixels > MAX_PIXELS:
            limits = f"{MAX_FRAMES:,} frames and {MAX_PIXELS:,} pixels"
            raise HandsError(f"{path} has more than {index} frames; the limit is {limits}: cut the video")
        file = folder / f"{path.stem}-{index:05d}.png"
        Image.fromarray(rgb).save(file, compress_level=1)
        yield file, seconds


def _decode(path: Path) -> Iterator[tuple[UInt8[np.ndarray, "height width 3"], float | None]]:
    try:
        import av
    except ModuleNotFoundError as error:
        install = "pip install 'latent-hands[video]'"
        raise HandsError(f"{path} is a video, and reading videos needs PyAV: {install}") from error

    empty = True
    try:
        with path.open("rb") as file, av.open(file, "r", FORMATS[path.suffix.lower()]) as video:
            video.streams.video[0].codec_context.options = {"max_pixels": str(image.MAX_PIXELS)}
            for frame in video.decode(video=0):
                empty = False
                rgb = np.rot90(frame.to_ndarray(format="rgb24"), frame.rotation // 90)
                yield np.ascontiguousarray(rgb), frame.time
    except Exception as error:  # FFmpeg's decoders raise almost every type on broken files
        raise HandsError(f"{path} is not a readable video: {error}") from error
    if empty:
        raise HandsError(f"{path} has no frames")
