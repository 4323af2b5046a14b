"""The stream of a video file that is read, and what is announced about it."""

import logging
import re
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

from latent_hands.data.formats.image_faults import HDR
from latent_hands.errors import HandsError

MICROSECONDS = 1_000_000
"""A second, in FFmpeg's unit of the times of whole files."""
_DEFAULT, _COVER = 1, 1024
"""FFmpeg's flags of the stream that is chosen if nobody chooses, and of a cover picture."""
_LOG = logging.getLogger(__name__)


def stream_of(video: Any) -> Any:
    """Return the stream of an open container that is read: the default one; of several, the largest.

    Raises HandsError for a container without images. Cover pictures do not count.
    """
    if not video.streams:
        raise HandsError("it states neither images nor sound; it is cut off or no video")
    films = _films(video)
    if not films:
        raise HandsError("it has no images; a video of sound alone cannot be read")
    return max(films, key=lambda stream: (stream.disposition & _DEFAULT, stream.width * stream.height))


def _films(video: Any) -> list[Any]:
    return [stream for stream in video.streams.video if not stream.disposition & _COVER]


class Clock:
    """The times of the frames of an open container since its beginning, as a player shows them."""

    def __init__(self, video: Any):
        stream = stream_of(video)
        begun_s = Fraction(video.start_time or 0, MICROSECONDS)
        self._start = round(begun_s / stream.time_base) if stream.time_base else 0
        self._step = 1 / stream.average_rate if stream.average_rate else Fraction(0)
        self._displayed = video.format.name != "avi"  # AVI states times in the order of decoding alone
        self._last: Fraction | None = None

    def seconds(self, frame: Any) -> float | None:
        """Return the time of the next frame; None if it is not known."""
        ticks = frame.pts if self._displayed else frame.dts
        if ticks is not None:
            time = (ticks - self._start) * frame.time_base
        elif not self._displayed and self._last is not None:
            time = self._last + self._step  # the last frames of a decoder that holds some back
        else:
            return None
        self._last = time
        return float(time)

    @staticmethod
    def duration(frame: Any) -> float:
        """Return how long a frame is shown, in seconds; 0 if it is not known."""
        return float((frame.duration or 0) * (frame.time_base or 0))


def stated_end(video: Any) -> float | None:
    """Return the time since its beginning at which a container says that its images end, in seconds."""
    stream, start = stream_of(video), (video.start_time or 0) / MICROSECONDS
    if stream.duration and stream.time_base:
        return float((stream.start_time or 0) + stream.duration) * float(stream.time_base) - start
    clock = re.fullmatch(r"(\d+):(\d+):([\d.]+)", stream.metadata.get("DURATION", ""))  # Matroska
    return None if clock is None else 3600 * int(clock[1]) + 60 * int(clock[2]) + float(clock[3]) - start


def announce_guesses(path: Path, video: Any) -> None:
    """Announce what a reader of the file could not know: one of several streams, HDR, transparency.

    It is known after the first frame is decoded.
    """
    stream, count = stream_of(video), len(_films(video))
    if count > 1:
        announce(path, f"has {count} video streams; the one of {stream.width}x{stream.height} is read")
    if (curve := HDR.get(int(stream.codec_context.color_trc))) is not None:
        announce(
            path,
            f"is HDR ({curve}), which is read without tone mapping: colours differ from those of a player; "
            "convert it to SDR if hands are missed",
        )
    if {key.lower(): value for key, value in stream.metadata.items()}.get("alpha_mode") == "1":
        announce(path, "is transparent in parts; the colours that are hidden there are read")


@lru_cache(1000)
def announce(path: Path, text: str) -> None:
    """Log it once a file: some files are read several times."""
    _LOG.warning("%s %s", path, text)
