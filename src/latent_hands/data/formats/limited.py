"""Limits of files that are not trusted: bytes, and the nesting of what is parsed."""

from pathlib import Path
from typing import Any

from latent_hands.errors import HandsError

MAX_DEPTH = 32
"""Label files nest up to five lists and tables."""


def read_limited(path: Path, max_bytes: int) -> bytes:
    """Return the content of a file. Raises HandsError if it has more than `max_bytes`."""
    if (size := path.stat().st_size) > max_bytes:
        raise HandsError(f"{path} has {size:,} bytes; the limit is {max_bytes:,}")
    return path.read_bytes()


def check_depth(content: Any) -> None:
    """Raise HandsError if containers are nested deeper than MAX_DEPTH, or contain themselves."""
    level = {id(content): content}
    for _ in range(MAX_DEPTH):
        level = {id(each): each for outer in level.values() for each in _items(outer) if _items(each)}
        if not level:
            return
    raise HandsError(f"its lists and tables are nested deeper than {MAX_DEPTH}")


def _items(value: Any) -> Any:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list | tuple | set | frozenset) else ()
