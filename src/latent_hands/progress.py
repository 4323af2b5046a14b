"""Progress bars of long work, on the error stream."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

Advance = Callable[[str, int, int], None]
"""A function that takes the name of some work, the number of items done and the number of all items."""


@contextmanager
def progress_bars(console: Console | None = None, transient: bool = False) -> Iterator[Advance]:
    """Yield a function that moves the bar of a name. `transient` removes the bars at the end.

    A bar appears with the first call that names it, so work without calls prints nothing.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    progress = Progress(*columns, console=console or Console(stderr=True), transient=transient)
    tasks = dict[str, TaskID]()

    def advance(what: str, done: int, count: int) -> None:
        if what not in tasks:
            progress.start()
            tasks[what] = progress.add_task(what, total=count, completed=done)
        progress.update(tasks[what], completed=done)

    try:
        yield advance
    finally:
        if tasks:
            progress.stop()
