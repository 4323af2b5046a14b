"""Signals that stop a program: Ctrl-C, SIGTERM (kill) and SIGHUP (a closed terminal).

This module imports nothing heavy, so that a new process can use it before it loads anything else.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import get_ident
from types import FrameType
from typing import Any

STOPPING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
ONE_REQUEST_S = 1.0
"""A launcher passes on a signal that its processes also receive themselves, a moment later."""
_MAIN = threading.main_thread().ident
_NEVER = float("-inf")
_last: int = signal.SIGINT
_raised_at = _NEVER

Handler = Callable[[int, FrameType | None], object]


class Interruption(KeyboardInterrupt):
    """What a signal raises. Python kills the program, whatever its exit code, if a plain KeyboardInterrupt
    leaves a text that `exec` runs, even if it is handled later: dataclasses and named tuples are such texts.
    """


def exit_code() -> int:
    """Return the exit code of a stopped program: 128 and the number of the last signal, 130 for Ctrl-C."""
    return 128 + _last


def end_at_signals() -> None:
    """Let each signal of STOPPING end this program with one line, before it has anything to clean up.

    Blocks of `stopping_signals` and `on_interrupt` handle signals in their own way. After them, signals
    within ONE_REQUEST_S of the first are still the same request.
    """

    def end(number: int, _: FrameType | None) -> None:
        if time.monotonic() - _raised_at > ONE_REQUEST_S:
            with suppress(OSError, AttributeError):
                os.write(sys.stderr.fileno(), b"latent-hands: interrupted\n")
            os._exit(128 + number)

    for number in _followed():
        signal.signal(number, end)


@contextmanager
def stopping_signals() -> Iterator[None]:
    """Let each signal of STOPPING raise KeyboardInterrupt, so that everything is cleaned up.

    Signals within ONE_REQUEST_S of the first are the same request: `timeout` sends two. An error that follows
    a signal becomes a KeyboardInterrupt, too: libraries in C turn the one that the signal raised into errors
    of their own. A block forgets the signals before it: their number would be its exit code.
    """
    global _raised_at, _last
    _raised_at, _last = _NEVER, signal.SIGINT
    with _handled(_raise):
        try:
            yield
        except Exception as error:
            if _raised_at > _NEVER:
                raise Interruption from error
            raise


@contextmanager
def on_interrupt() -> Iterator[threading.Event]:
    """Yield an event that the first signal of STOPPING sets. A later one raises KeyboardInterrupt.

    Signals within ONE_REQUEST_S of the first are the same request. Only the main thread receives signals: in
    another thread the event is never set.
    """
    event, first = threading.Event(), 0.0

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal first
        if not event.is_set():
            _remember(number)
            first = time.monotonic()
            event.set()
        elif time.monotonic() - first > ONE_REQUEST_S:
            _raise(number, frame)

    with _handled(note):
        yield event


class Uninterrupted:
    """A block that signals do not interrupt: `with uninterrupted:`. They are handled at the end of the block.

    This holds for the signals that `stopping_signals` or `on_interrupt` handle. What must be undone is made
    and noted in one such block, and is undone in another. Python looks at signals where a function begins and
    after calls: so __enter__ is known to `postpones` before it has counted.
    """

    def __init__(self) -> None:
        self._depth = 0
        self._waiting: int | None = None

    def __enter__(self) -> None:
        """Begin the block."""
        if get_ident() == _MAIN:
            self._depth += 1

    def __exit__(self, *_: object) -> None:
        """End the block, and handle the first signal that came in it."""
        if get_ident() == _MAIN:
            self._depth -= 1
            if self._waiting is not None and not self._depth:
                number, self._waiting = self._waiting, None
                signal.raise_signal(number)

    def postpones(self, number: int, frame: FrameType | None) -> bool:
        """Return whether a signal, which came in this frame, waits for the end of a block."""
        if not self._depth and (frame is None or frame.f_code is not Uninterrupted.__enter__.__code__):
            return False
        if self._waiting is None:
            self._waiting = number
        return True


uninterrupted = Uninterrupted()


def follow_parent(end: Callable[[], object]) -> None:
    """Call `end`, in a thread, as soon as the process that started this one has ended."""
    from multiprocessing import parent_process  # only processes of multiprocessing need it

    def follow() -> None:
        if (parent := parent_process()) is not None:
            parent.join()
            end()

    threading.Thread(target=follow, daemon=True).start()


def stop_with_parent() -> None:
    """Send this process SIGTERM as soon as the process that started it has ended: a training then saves."""
    follow_parent(lambda: os.kill(os.getpid(), signal.SIGTERM))


def _raise(number: int, _: FrameType | None) -> None:
    global _raised_at
    if time.monotonic() - _raised_at > ONE_REQUEST_S:
        _raised_at = time.monotonic()
        _remember(number)
        raise Interruption


def _remember(number: int) -> None:
    global _last
    _last = number


def _followed() -> dict[int, Any]:
    """Return the handlers of STOPPING, except of those that the program was started to ignore."""
    handlers = {number: signal.getsignal(number) for number in STOPPING}
    return {number: former for number, former in handlers.items() if former not in (signal.SIG_IGN, None)}


@contextmanager
def _handled(handler: Handler) -> Iterator[None]:
    """Handle the signals of STOPPING in the block, except those that the program was started to ignore."""
    if get_ident() != _MAIN:
        yield
        return

    def receive(number: int, frame: FrameType | None) -> None:
        if not uninterrupted.postpones(number, frame):
            handler(number, frame)

    before = _followed()
    try:
        for number in before:
            signal.signal(number, receive)
        yield
    finally:
        with uninterrupted:
            for number, former in before.items():
                signal.signal(number, former)
