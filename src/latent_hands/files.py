"""Files that are whole or not there: written under a temporary name, then renamed."""

from collections.abc import Callable
from pathlib import Path


def write_whole(path: Path, write: Callable[[Path], object]) -> Path:
    """What `write` makes of a temporary path, whose ending is the same; nothing is left if it raises.

    What a killed process left is written over: the temporary name is always the same.
    """
    temporary = path.with_name(f".part-{path.name}")
    try:
        write(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def write_bytes(path: Path, data: bytes) -> Path:
    """A file of bytes."""
    return write_whole(path, lambda temporary: temporary.write_bytes(data))


def write_text(path: Path, text: str) -> Path:
    """A file of UTF-8."""
    return write_bytes(path, text.encode())
