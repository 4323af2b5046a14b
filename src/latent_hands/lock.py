"""One writer a folder, and folders that are written as a whole."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from latent_hands.errors import HandsError
from latent_hands.files import remove_temporary
from latent_hands.interrupt import uninterrupted


@contextmanager
def one_writer(folder: Path, shared: bool = False) -> Iterator[None]:
    """Hold the right to write into a folder, which is created; if it is empty at the end, it is removed.

    With `shared`, other processes may hold a shared right at the same time: each writes other files.
    Without, temporary files that a killed process left in the folder are removed.

    The lock is one of the operating system: it leaves no file, and it ends with its process, however that
    ends. Where there are no such locks (Windows, some network file systems), nothing is locked.
    Raises HandsError if another process holds it.
    """
    handle, held = None, False
    try:
        with uninterrupted:
            handle, held = _hold(folder, shared), True
        if not shared:
            remove_temporary(folder)
        yield
    finally:
        with uninterrupted:
            if held:
                with suppress(OSError):  # it is not empty
                    folder.rmdir()
            if handle is not None:
                os.close(handle)


@contextmanager
def new_folder(out: Path, keep: bool = False) -> Iterator[Path]:
    """Yield a hidden folder beside `out` to fill. It is renamed to `out` at the end of the block.

    So `out` is complete or absent. If the block does not end, the hidden folder is removed, at the latest by
    the next call. With `keep` it stays instead, and the next call yields it with its content.

    Raises HandsError if `out` has content, or if another process holds the hidden folder. Errors name files
    below `out`, where their user looks for them.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise HandsError(f"{out} exists and is not empty; give a new or an empty folder")
    out = out.absolute()
    hidden = out.with_name(f".{out.name}{'.part' if keep else '.new'}")
    with _named_below(out, hidden, keep), one_writer(hidden):
        if not keep:
            _empty(hidden)
        try:
            yield hidden
            if out.is_dir():
                out.rmdir()
            hidden.replace(out)
        finally:
            if not keep:
                with uninterrupted:
                    _empty(hidden)


@contextmanager
def _named_below(out: Path, hidden: Path, keep: bool) -> Iterator[None]:
    """Let errors in the block that name a file in the hidden folder name that of `out`.

    With `keep`, a HandsError names the hidden folder itself: its user may have to remove it.
    """
    try:
        yield
    except HandsError as error:
        if keep or str(hidden) not in str(error):
            raise
        raise type(error)(str(error).replace(str(hidden), str(out))) from error
    except OSError as error:
        file = Path(os.fsdecode(error.filename or ""))
        if error.errno is None or not file.is_relative_to(hidden):
            raise
        raise OSError(error.errno, error.strerror, str(out / file.relative_to(hidden))) from error


def _empty(folder: Path) -> None:
    """Remove what a folder contains, if it exists."""
    for each in folder.iterdir() if folder.is_dir() else ():
        if each.is_dir() and not each.is_symlink():
            shutil.rmtree(each)
        else:
            each.unlink()


def _hold(folder: Path, shared: bool) -> int | None:
    """Create a folder and lock it; see `_lock`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HandsError(f"{folder} cannot be a folder: {error.strerror}") from error
    return _lock(folder, shared)


def _lock(folder: Path, shared: bool) -> int | None:
    """Return the open folder, which is locked until it is closed; None where folders cannot be locked."""
    try:
        from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, flock
    except ImportError:
        return None
    handle = os.open(folder, os.O_RDONLY)
    try:
        flock(handle, (LOCK_SH if shared else LOCK_EX) | LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise HandsError(
            f"another process is writing to {folder}: wait for its end, or choose another folder"
        ) from error
    except OSError:
        os.close(handle)
        return None
    return handle
