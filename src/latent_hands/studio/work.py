"""One queue for the computations of all clients: a thread does them, and skips what newer ones replace."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Hashable

_LOG = logging.getLogger(__name__)
MOST_WAITING = 32
"""Jobs of one client that may wait; further ones are refused."""

Job = Callable[[], object]


class Work:
    """A queue with one thread: any number of clients share the processor, and no model runs twice at once.

    Clients take turns, one job each. A client's jobs run in order. A job replaces the client's newest waiting
    job if both have the same key: of the many positions of a drag, only the latest is computed.
    Idle jobs run when no client waits for another one.
    """

    def __init__(self) -> None:
        self._waiting: dict[Hashable, deque[tuple[Hashable, Job]]] = {}
        self._idle: dict[Hashable, Job] = {}
        self._changed = threading.Condition()
        self._running, self._closed = False, False
        self._thread = threading.Thread(target=self._run, name="studio", daemon=True)
        self._thread.start()

    def submit(self, client: Hashable, key: Hashable, job: Job) -> bool:
        """Let a job run later. Return False if it is refused: too many wait, or the queue is closed."""
        with self._changed:
            if self._closed:
                return False
            jobs = self._waiting.setdefault(client, deque())
            if jobs and jobs[-1][0] == key:
                jobs[-1] = (key, job)
            elif len(jobs) >= MOST_WAITING:
                return False
            else:
                jobs.append((key, job))
            self._changed.notify_all()
        return True

    def submit_idle(self, client: Hashable, job: Job) -> None:
        """Let a job run when no client waits for another one. A later idle job of the client replaces it."""
        with self._changed:
            if not self._closed:
                self._idle[client] = job
                self._changed.notify_all()

    def forget(self, client: Hashable) -> None:
        """Drop the waiting jobs of a client that has left."""
        with self._changed:
            self._waiting.pop(client, None)
            self._idle.pop(client, None)
            self._changed.notify_all()

    def waits(self, client: Hashable, key: Hashable) -> bool:
        """Return whether a job of a client with this key waits."""
        with self._changed:
            return any(each == key for each, _ in self._waiting.get(client, ()))

    def wait(self, seconds: float = 10.0) -> bool:
        """Wait until nothing waits and nothing runs. Return False if that takes longer."""
        with self._changed:
            return self._changed.wait_for(lambda: not (self._jobs() or self._running), seconds)

    def close(self) -> None:
        """Drop all jobs and end the thread after its present job."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._idle.clear()
            self._changed.notify_all()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._running = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._jobs() or self._closed)
                if self._closed:
                    return
                job = self._next()
                self._running = True
            try:
                job()
            except Exception:  # a failed job must not end the queue of all clients
                _LOG.exception("a job of the studio failed")
            del job  # it holds the page of a client, who may have left

    def _jobs(self) -> bool:
        return bool(self._waiting or self._idle)

    def _next(self) -> Job:
        if not self._waiting:
            return self._idle.pop(next(iter(self._idle)))
        client = next(iter(self._waiting))
        waiting = self._waiting.pop(client)
        _, job = waiting.popleft()
        if waiting:  # behind the other clients
            self._waiting[client] = waiting
        return job
