"""Signals that stop a program: Ctrl-C, SIGTERM (kill) and SIGHUP (a closed terminal).

This module imports nothing heavy, so that a new process can use it before it loads anything else.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import parent_process
from types import FrameType
from typing import NoReturn

STOPPING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
ONE_REQUEST_S = 1.0
"""A launcher passes on a signal that its processes also receive themselves, a moment later."""
_last: int = signal.SIGINT
_raised = False

Handler = Callable[[int, FrameType | None], object]


def exit_code() -> int:
    """Return the exit code of a stopped program: 128 and the number of the last signal, 130 for Ctrl-C."""
    return 128 + _last


@contextmanager
def stopping_signals() -> Iterator[None]:
    """Let each signal of STOPPING raise KeyboardInterrupt, so that everything is cleaned up.

    An error that follows a signal becomes a KeyboardInterrupt, too: libraries in C turn the one that the
    signal raised into errors of their own.
    """
    global _raised
    _raised = False
    with _handled(_raise):
        try:
            yield
        except Exception as error:
            if _raised:
                raise KeyboardInterrupt from error
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


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Let a signal of STOPPING wait for the end of the block."""
    waiting: list[int] = []
    try:
        with _handled(lambda number, _: waiting.append(number)):
            yield
    finally:
        if waiting:
            signal.raise_signal(waiting[0])


def follow_parent(end: Callable[[], object]) -> None:
    """Call `end`, in a thread, as soon as the process that started this one has ended."""

    def follow() -> None:
        if (parent := parent_process()) is not None:
            parent.join()
            end()

    threading.Thread(target=follow, daemon=True).start()


def stop_with_parent() -> None:
    """Send this process SIGTERM as soon as the process that started it has ended: a training then saves."""
    follow_parent(lambda: os.kill(os.getpid(), signal.SIGTERM))


def _raise(number: int, _: FrameType | None) -> NoReturn:
    global _raised
    _raised = True
    _remember(number)
    raise KeyboardInterrupt


def _remember(number: int) -> None:
    global _last
    _last = number


@contextmanager
def _handled(handler: Handler) -> Iterator[None]:
    """Handle the signals of STOPPING in the block, except those that the program was started to ignore."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    chosen = [number for number in STOPPING if signal.getsignal(number) not in (signal.SIG_IGN, None)]
    before = {number: signal.signal(number, handler) for number in chosen}
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)
