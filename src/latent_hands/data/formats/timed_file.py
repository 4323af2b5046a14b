"""Files that can be read for a limited time, so that no decoder works on a hostile file for hours."""

import io
import time
from pathlib import Path

from latent_hands.errors import HandsError

MAX_SECONDS = 60.0
"""Limit of the processor time for one file. docs/reliability.md has what the largest legal images take."""


class TimedFile(io.BufferedReader):
    """A binary file for one thread, whose processor time since the opening is limited.

    Decoders that read as they decode are stopped at the next read. Decoders that read everything first, or
    read by the file's descriptor, are not stopped.
    """

    def __init__(self, path: Path):
        super().__init__(io.FileIO(path))
        self._limit = MAX_SECONDS
        self._end = time.thread_time() + self._limit

    def read(self, size: int | None = -1, /) -> bytes:
        """Read as a file does. Raises HandsError after MAX_SECONDS of the thread's processor time."""
        if time.thread_time() > self._end:
            raise HandsError(f"decoding it takes more than {self._limit:g} s, which is the limit")
        return super().read(size)
