"""Imports of a command that take less time."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quick_imports() -> Iterator[None]:
    """Import modules without looking for unreachable objects, now and later.

    Importing torch creates 200,000 objects that stay until the process ends. Python would examine them again
    and again for cycles that nothing refers to. Only commands use this: a library must not decide about the
    objects of its user.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
