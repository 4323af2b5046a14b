"""Output that no name can turn into commands for a terminal."""

import contextlib
import re
import sys
from collections.abc import Iterator
from typing import Any

from latent_hands.errors import printable

_STYLE = re.compile(r"(\x1b\[[0-9;]*m)")


class _Safe:
    """A text stream in which control characters are escaped, except those of colours."""

    def __init__(self, stream: Any):
        self.unfiltered = stream

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the stream."""
        return getattr(self.unfiltered, name)

    def write(self, text: str) -> int:
        """Write a text; return its length."""
        parts = enumerate(_STYLE.split(text))
        self.unfiltered.write("".join(part if i % 2 else printable(part) for i, part in parts))
        return len(text)


@contextlib.contextmanager
def safe_output() -> Iterator[None]:
    """Let the block print any name: what cannot be encoded, and control characters, appear as escapes."""
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="backslashreplace")
    out, error = _safe(sys.stdout), _safe(sys.stderr)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
        yield


def _safe(stream: Any) -> Any:
    return _Safe(stream)
