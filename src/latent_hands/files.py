"""Atomic writing: files are written under a temporary name and then renamed, so none is ever incomplete."""

import json
import os
import secrets
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path

from latent_hands.errors import HandsError
from latent_hands.interrupt import uninterrupted

_TEMPORARY = ".part-"
_PROBE_BYTES = 4096
"""The size of the file that finds out whether a folder can be written."""
_LEFT_SECONDS = 24 * 3600
"""A temporary file that nobody has written to for so long was left by a killed process."""


def new_temporary(path: Path) -> Path:
    """Create an empty file beside `path`, with its suffix, under a name that no other call returns.

    The caller notes its name in an `uninterrupted` block, and renames it to `path` or removes it. Temporary
    files that killed processes left in the folder a day ago are removed.
    """
    return _create(_new_name(path))


def write_whole(path: Path, write: Callable[[Path], object]) -> Path:
    """Let `write` fill a file with a temporary name and the same suffix, and rename it to `path`.

    Several threads or processes may write the same file at once: it is one of theirs, and whole.
    If `write` raises, the temporary file is removed. The mode of the file follows the umask.
    """
    temporary = _new_name(path)
    try:
        with naming(path):
            mode = _create(temporary).stat().st_mode
            write(temporary)
            temporary.chmod(stat.S_IMODE(mode))  # `write` may have created it again, for its owner only
            temporary.replace(path)
    finally:
        with uninterrupted:
            temporary.unlink(missing_ok=True)
    return path


def give_name(part: Path, path: Path) -> None:
    """Rename a temporary file to `path`. If that fails, it stays, and the error names both."""
    try:
        part.replace(path)
    except OSError as error:
        raise OSError(error.errno, f"{error.strerror}; what was written is in {part}", str(path)) from error


def write_bytes(path: Path, data: bytes) -> Path:
    """Write a file of bytes atomically."""
    return write_whole(path, lambda temporary: temporary.write_bytes(data))


def write_text(path: Path, text: str) -> Path:
    """Write a text file in UTF-8 atomically."""
    return write_bytes(path, text.encode())


def link_files(source: Path, target: Path, wanted: Callable[[Path], bool]) -> None:
    """Link the wanted files below a folder into another one, at the same paths; copy where links fail."""
    for path in sorted(source.rglob("*")):
        if not path.is_file() or not wanted(path):
            continue
        place = target / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(path, place)
        except OSError:
            copy_file(path, place)


def copy_file(source: Path, target: Path) -> Path:
    """Copy the content of a file atomically. Errors of the system name the target."""
    return write_whole(target, lambda temporary: shutil.copyfile(source, temporary))


def check_file(path: Path) -> None:
    """Raise HandsError if `path` cannot be written as a file.

    It is a folder, a part of it is a file, its folder cannot be written, or the disk is full. Commands call
    it before long work whose result they will write there.
    """
    if path.is_dir():
        raise HandsError(f"{path} is a folder; give the name of a file")
    nearest = next(parent for parent in path.absolute().parents if parent.exists())
    if not nearest.is_dir():
        raise HandsError(f"{nearest} is a file; {path.name} must be in a folder")
    _check_writable(nearest, path)


def check_folder(path: Path) -> None:
    """Raise HandsError if no files can be written into the folder `path`, which may not exist yet.

    See `check_file`.
    """
    nearest = next(place for place in (path.absolute(), *path.absolute().parents) if place.exists())
    if not nearest.is_dir():
        raise HandsError(f"{nearest} is a file; give a folder for the outputs")
    _check_writable(nearest, path)


def check_outside(out: Path, folder: Path) -> None:
    """Raise HandsError if `out` is an input folder or is in it: the next reading would find the outputs."""
    if folder.is_dir() and out.resolve().is_relative_to(folder.resolve()):
        raise HandsError(f"{out} is in the input folder {folder}; give a folder outside it")


def _check_writable(folder: Path, path: Path) -> None:
    """Write and remove a small file in an existing folder, where `path` will be."""
    probe = _new_name(folder / "probe")
    try:
        _create(probe).write_bytes(bytes(_PROBE_BYTES))
    except OSError as error:
        raise HandsError(f"{path} cannot be written, because of {folder}: {error.strerror}") from error
    finally:
        with uninterrupted, suppress(OSError):
            probe.unlink(missing_ok=True)


def append_text(path: Path, text: str) -> None:
    """Add a text in UTF-8 to the end of a file."""
    with naming(path), path.open("a", encoding="utf-8") as file:
        file.write(text)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let the operating system's errors in the block name this file: those of a full disk name none."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def is_temporary(path: Path) -> bool:
    """Return whether a file has a temporary name."""
    return path.name.startswith(_TEMPORARY)


def remove_temporary(folder: Path) -> None:
    """Remove the temporary files in a folder and its folders, whose writers have ended."""
    for each in folder.rglob(f"{_TEMPORARY}*"):
        each.unlink(missing_ok=True)


def _new_name(path: Path) -> Path:
    """Return a name beside `path`, with its suffix, that cannot be predicted."""
    return path.with_name(f"{_TEMPORARY}{secrets.token_hex(8)}{path.suffix}")


def _create(temporary: Path) -> Path:
    """Create an empty file that did not exist, after the removal of old ones beside it."""
    _remove_left(temporary.parent)
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    return temporary


@lru_cache(maxsize=1024)
def _remove_left(folder: Path) -> None:
    """Remove old temporary files of a folder, once a process."""
    for each in folder.glob(f"{_TEMPORARY}*"):
        with suppress(FileNotFoundError):  # another process was faster
            if time.time() - each.lstat().st_mtime > _LEFT_SECONDS:
                each.unlink()


def sorted_metadata(file: bytes) -> bytes:
    """Return a safetensors file with its metadata sorted by name: `save` writes them in any order."""
    start = 8 + int.from_bytes(file[:8], "little")
    header = json.loads(file[8:start])
    if "__metadata__" in header:
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + file[start:]
