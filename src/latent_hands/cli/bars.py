"""Progress of long work, on the error stream."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn


@contextmanager
def bars() -> Iterator[Callable[[str, int, int], None]]:
    """A function that moves the bar of its name, with time left."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    progress, tasks = Progress(*columns, console=Console(stderr=True)), dict[str, TaskID]()

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
