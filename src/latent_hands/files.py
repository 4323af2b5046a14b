"""Atomic writing: files are written under a temporary name and then renamed, so none is ever incomplete."""

from collections.abc import Callable
from pathlib import Path


def write_whole(path: Path, write: Callable[[Path], object]) -> Path:
    """Let `write` create a file under a temporary name with the same suffix, and rename it to `path`.

    If `write` raises, the temporary file is removed. Its name is always the same, so that the next call
    overwrites what a killed process left.
    """
    temporary = path.with_name(f".part-{path.name}")
    temporary.unlink(missing_ok=True)  # a link there is not followed
    try:
        write(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def write_bytes(path: Path, data: bytes) -> Path:
    """Write a file of bytes atomically."""
    return write_whole(path, lambda temporary: temporary.write_bytes(data))


def write_text(path: Path, text: str) -> Path:
    """Write a text file in UTF-8 atomically."""
    return write_bytes(path, text.encode())
