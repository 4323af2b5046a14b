"""Ctrl-C that waits for the end of an update."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def on_interrupt() -> Iterator[threading.Event]:
    """Yield an event that the first Ctrl-C sets. The second one raises KeyboardInterrupt as usual.

    Only the main thread receives signals: in another thread the event is never set.
    """
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return

    def note(*_: object) -> None:
        event.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, before)
