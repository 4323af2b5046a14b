"""One writer a folder."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from latent_hands.errors import HandsError
from latent_hands.files import remove_temporary


@contextmanager
def one_writer(folder: Path, shared: bool = False) -> Iterator[None]:
    """Hold the right to write into a folder, which is created; if it is empty at the end, it is removed.

    With `shared`, other processes may hold a shared right at the same time: each writes other files.
    Without, temporary files that a killed process left in the folder are removed.

    The lock is one of the operating system: it leaves no file, and it ends with its process, however that
    ends. Where there are no such locks (Windows, some network file systems), nothing is locked.
    Raises HandsError if another process holds it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HandsError(f"{folder} cannot be a folder: {error.strerror}") from error
    handle = _lock(folder, shared)
    try:
        if not shared:
            remove_temporary(folder)
        yield
    finally:
        with suppress(OSError):  # it is not empty
            folder.rmdir()
        if handle is not None:
            os.close(handle)


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
