"""The newest item of an iterator that a thread reads: a slow consumer misses items instead of lagging."""

from collections.abc import Iterator
from threading import Condition, Event, Thread
from typing import Generic, TypeVar

T = TypeVar("T")
_LOOK_S = 0.1
"""Longest time until a waiting consumer notices that it is to stop."""
_END_S = 2.0
"""Longest wait for the thread at the end. A camera that gives no frames may block it."""


class Newest(Generic[T]):
    """An iterator over the newest items: each `next` waits for an item that was not returned before.

    An error of the items is raised after the last item. `close` ends the thread.

    Args:
        items: what the thread reads; it is closed by the thread.
        stop: ends the iteration when it is set.

    Attributes:
        dropped: the number of items that a newer one replaced before they were returned.
    """

    def __init__(self, items: Iterator[T], stop: Event):
        self.dropped = 0
        self._items, self._stop, self._closed = items, stop, Event()
        self._change = Condition()
        self._waiting: list[T] = []
        self._ended = False
        self._error: Exception | None = None
        self._thread = Thread(target=self._read, name="newest frame", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[T]:
        """Return the iterator."""
        return self

    def __next__(self) -> T:
        """Return the newest item, waiting for one."""
        with self._change:
            while not (self._waiting or self._ended or self._stop.is_set()):
                self._change.wait(_LOOK_S)
            if self._waiting and not self._stop.is_set():
                return self._waiting.pop()
            if self._error is not None and not self._stop.is_set():
                raise self._error
            raise StopIteration

    def close(self) -> None:
        """End the thread, after the item that it is reading."""
        self._closed.set()
        self._thread.join(_END_S)

    def _read(self) -> None:
        try:
            for item in self._items:
                if self._closed.is_set():
                    break
                with self._change:
                    self.dropped += len(self._waiting)
                    self._waiting = [item]
                    self._change.notify()
        except Exception as error:
            self._error = error
        finally:
            if close := getattr(self._items, "close", None):
                close()
            with self._change:
                self._ended = True
                self._change.notify()
