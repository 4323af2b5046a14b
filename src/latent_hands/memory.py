"""Memory of the C library: freed blocks that are kept instead of returned to the system."""

import ctypes

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # of mallopt in glibc's malloc.h
_NEVER = 2**31 - 1


def keep_freed_memory() -> bool:
    """Keep freed memory for the next allocation; return whether the C library can do so (glibc).

    A training step allocates and frees the same large blocks again and again. By default glibc returns each
    of them to the system, which must then clear the pages of the next one. The process keeps the memory of
    its largest step until its end.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):  # macOS, musl, Windows
        return False
    return bool(mallopt(_MMAP_MAX, 0)) and bool(mallopt(_TRIM_THRESHOLD, _NEVER))
