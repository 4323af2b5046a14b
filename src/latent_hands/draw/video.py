"""Write drawn frames as a video."""

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from PIL import Image

from latent_hands.data.formats.video import import_av
from latent_hands.draw.skeletons import ImageArray
from latent_hands.errors import HandsError
from latent_hands.files import give_name, naming, new_temporary
from latent_hands.interrupt import uninterrupted

CODECS = {"libx264": {"preset": "veryfast", "crf": "20"}, "mpeg4": {"qscale": "3"}}
"""Encoders in the order of preference, with their options. PyAV may be built without the first."""
_READABLE = {b"moov", b"mdat"}
"""The parts of an MP4 file that hold its index and its frames."""
TICKS = 1000
"""Time is written in milliseconds."""
FORM = {"movflags": "+hybrid_fragmented", "frag_duration": "1000000"}
"""Options of the file: seconds that can be read alone, until the end makes it a usual file."""
USUAL_FPS = 25
"""Frames a second of frames whose times are not known."""


class VideoWriter:
    """A context in which frames are added to an MP4 file.

    The file has the size of the first frame; frames of other sizes are fitted into it. It is written under a
    temporary name. It gets its name at the end of the context, also if an error or Ctrl-C ends it, so that
    everything until then is kept. Of a video that fills the disk, all but the last seconds are kept. Without
    frames there is no file.

    Args:
        path: the file, which ends in .mp4.
    """

    def __init__(self, path: Path):
        self.path = path
        self.av = import_av(f"{path}: writing a video")
        self.part: Path | None = None
        self.container: Any = None
        self.stream: Any = None
        self.ticks = -1
        self.count = 0

    def __enter__(self) -> "VideoWriter":
        """Return the writer."""
        return self

    def add(self, image: ImageArray, seconds: float | None) -> None:
        """Add a frame. Times grow: a frame that is not later than the one before is 1 ms later.

        Raises OSError, which names the file, on a full disk, and HandsError if no encoder takes the frame.
        """
        with self._writing():
            if self.container is None:
                self._open(image)
            pixels = _fitted(image, self.stream.width, self.stream.height)
            frame = self.av.VideoFrame.from_ndarray(pixels, "rgb24")
            seconds = self.count / USUAL_FPS if seconds is None else seconds
            self.ticks = max(round(seconds * TICKS), self.ticks + 1)
            frame.pts, frame.time_base = self.ticks, Fraction(1, TICKS)
            self.container.mux(self.stream.encode(frame))
            self.count += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish the file and give it its name. One that cannot be finished, on a full disk, is cut.

        Raises OSError and HandsError as `add` does.
        """
        if self.part is None:
            return
        with uninterrupted, self._writing():
            try:
                if self.container is not None:
                    self._finish()
            finally:
                if size := whole_size(self.part):
                    os.truncate(self.part, size)
                    give_name(self.part, self.path)
                else:
                    self.part.unlink(missing_ok=True)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Let errors in the block name the file. Those of the system stay OSErrors: no input causes them."""
        try:
            with naming(self.path):
                yield
        except self.av.error.FFmpegError as error:
            raise HandsError(f"{self.path} cannot be written: {error}") from error

    def _finish(self) -> None:
        try:
            if self.count:
                self.container.mux(self.stream.encode())
        finally:
            self.container.close()

    def _open(self, image: ImageArray) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        codec = next((name for name in CODECS if name in self.av.codecs_available), None)
        if codec is None:
            raise HandsError(f"{self.path} cannot be written: PyAV has none of {', '.join(CODECS)}")
        with uninterrupted:
            self.part = new_temporary(self.path)
        self.container = self.av.open(str(self.part), "w", "mp4", options=FORM)
        self.stream = self.container.add_stream(codec, rate=USUAL_FPS, options=CODECS[codec])
        self.stream.height, self.stream.width = (size + size % 2 for size in image.shape[:2])
        self.stream.pix_fmt = "yuv420p"
        self.stream.codec_context.time_base = Fraction(1, TICKS)


def whole_size(path: Path) -> int:
    """Return how many bytes of an MP4 file are whole: until its last frames, or its index behind them.

    It is 0 without frames.
    """
    end, whole, kinds = 0, 0, set[bytes]()
    with path.open("rb") as file:
        while len(head := file.read(16)) >= 8:
            size, kind = struct.unpack(">I4s", head[:8])
            end += struct.unpack(">Q", head[8:])[0] if size == 1 else size
            if size == 0 or end > path.stat().st_size:
                break
            kinds.add(kind)
            whole = end if kind in _READABLE else whole
            file.seek(end)
    return whole if kinds >= _READABLE else 0


def _fitted(image: ImageArray, width: int, height: int) -> ImageArray:
    """Return the image in the upper left corner of a frame of that size, reduced if it is larger."""
    if image.shape[:2] == (height, width):
        return np.ascontiguousarray(image)
    zoom = min(width / image.shape[1], height / image.shape[0])
    if zoom < 1:
        size = (max(round(image.shape[1] * zoom), 1), max(round(image.shape[0] * zoom), 1))
        image = np.array(Image.fromarray(image).resize(size))
    frame = np.zeros((height, width, 3), np.uint8)
    frame[: len(image), : image.shape[1]] = image
    return frame
