"""Memory that the C library holds after it was freed: kept for reuse, or returned to the system."""

import ctypes
from collections.abc import Callable

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # of mallopt in glibc's malloc.h
_NEVER = 2**31 - 1


def keep_freed_memory() -> bool:
    """Keep freed memory for the next allocation; return whether the C library can do so (glibc).

    A training step allocates and frees the same large blocks again and again. By default glibc returns each
    of them to the system, which must then clear the pages of the next one. The process keeps the memory of
    its largest step until its end.
    """
    mallopt = _c_function("mallopt")
    return bool(mallopt(_MMAP_MAX, 0)) and bool(mallopt(_TRIM_THRESHOLD, _NEVER))


def return_freed_memory() -> bool:
    """Return freed memory to the system; return whether there was some (glibc only).

    Loading a network frees copies of its weights. Small blocks between them keep them in the process.
    """
    return bool(_c_function("malloc_trim")(0))


def _c_function(name: str) -> Callable[..., int]:
    """Return a function of the C library, or one that does nothing and returns 0 where it is missing."""
    try:
        return getattr(ctypes.CDLL(None), name)
    except (OSError, AttributeError, TypeError):  # macOS, musl, Windows
        return lambda *arguments: 0
