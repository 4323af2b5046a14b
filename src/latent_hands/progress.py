"""Progress of long work: functions that receive it, and bars that show it."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, runtime_checkable

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress
from rich.table import Column

from latent_hands.errors import HandsError, printable


@runtime_checkable
class Progress(Protocol):
    """A function that receives the progress of long work."""

    def __call__(self, work: str, done: int | float, count: int | float | None, text: str = "", /) -> None:
        """Receive the name of some work, the number of items done, the number of all items, and a remark.

        `count` is None if it is not known. Floats are shares of the work.
        """


def silent(work: str, done: int | float, count: int | float | None, text: str = "", /) -> None:
    """Show nothing."""


def renamed(progress: Progress, work: str, before: int = 0, total: int | None = None) -> Progress:
    """Return a progress for a part of some work: the part follows `before` items, of `total` in all."""
    return lambda _, done, count, text="": progress(work, before + done, total or count, text)


class _Lossy:
    """A text stream whose reader may go: what is written after that is lost, and nothing is raised.

    So `latent-hands train ... | head` trains to its end.
    """

    def __init__(self, stream: Any):
        self.stream, self.lost = getattr(stream, "unfiltered", stream), False  # bars move the cursor

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the stream."""
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        """Write a text; return its length."""
        self._try(lambda: self.stream.write(text))
        return len(text)

    def flush(self) -> None:
        """Flush the stream."""
        self._try(self.stream.flush)

    def _try(self, work: Callable[[], object]) -> None:
        if not self.lost:
            try:
                work()
            except OSError:
                self.lost = True


def lossy(stream: Any) -> Any:
    """Return a stream that goes on when its reader has gone."""
    return _Lossy(stream)


def messages(stream: Any = None, quiet: bool = False) -> Console:
    """Return a console for progress and messages, by default on the error stream.

    It prints names as they are: brackets and colons have no meaning. It goes on when its reader has gone.
    """
    file = lossy(sys.stderr if stream is None else stream)
    return Console(file=file, quiet=quiet, markup=False, emoji=False, highlight=False)


def say(console: Console, text: str, style: str = "") -> None:
    """Print a message, with control characters in its names escaped."""
    console.print(printable(text), style=style or None)


class ProgressBars:
    """One bar for each named piece of work, with the remaining time.

    A bar appears when its work advances for the first time, so work that never advances prints nothing.

    Args:
        console: where the bars appear, by default the error stream.
        transient: whether the bars disappear at the end.
        hidden: whether nothing is printed at all.
    """

    def __init__(self, console: Console | None = None, transient: bool = False, hidden: bool = False):
        columns = (
            TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, min_width=18)),
            BarColumn(),
            TextColumn("{task.fields[amount]}", markup=False),
            TimeRemainingColumn(),
            TextColumn("{task.fields[text]}", markup=False),
        )
        console = console or messages()
        self._progress = RichProgress(*columns, console=console, transient=transient, disable=hidden)
        self._tasks: dict[str, TaskID] = {}

    def advance(self, work: str, done: int | float, count: int | float | None, text: str = "") -> None:
        """Set the bar of some work to `done` of `count`, which are items or, as floats, shares.

        `count` is None if it is not known.
        `text` appears after the bar until another text replaces it.
        """
        if work not in self._tasks:
            self._progress.start()
            first: Any = done  # rich annotates int, but accepts float
            self._tasks[work] = self._progress.add_task(
                printable(work), total=count, completed=first, amount="", text=""
            )
        amount = f"{100 * done / count:3.0f} %" if isinstance(count, float) else f"{done}/{count or '?'}"
        self._progress.update(self._tasks[work], completed=done, total=count, amount=amount)
        if text:
            self._progress.update(self._tasks[work], text=printable(text))

    def stop(self) -> None:
        """Stop drawing; the bars stay on the console unless they are transient."""
        if self._tasks:
            self._progress.stop()


@contextmanager
def progress_bars(console: Console | None = None, transient: bool = False) -> Iterator[Progress]:
    """Yield the `advance` of `ProgressBars`, and stop them at the end."""
    bars = ProgressBars(console, transient)
    try:
        yield bars.advance
    finally:
        bars.stop()


@contextmanager
def shown(progress: Progress | bool) -> Iterator[Progress]:
    """Yield a function as it is, bars on the error stream for True, and `silent` for False."""
    if progress is True:
        with progress_bars() as bars:
            yield bars
    elif progress and not callable(progress):
        raise HandsError(f"progress is {progress!r}; it must be True, False or a function")
    else:
        yield progress or silent
