"""What a training tells while it runs: progress on the console, one line a report in metrics.jsonl."""

import time
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from latent_hands.paper.bound import Term
from latent_hands.runs.folder import Place, append_metrics

REPORT_EVERY = 50
SETTLED_UPDATES = 1000


class Reporter:
    """Progress with time left, rate and every term by name; silent on processes that are not the main one."""

    def __init__(self, out: Path, main: bool = True):
        self.out, self.main = out, main
        self.console = Console(quiet=not main)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:3.0f} %"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[text]}"),
        )
        self.progress = Progress(*columns, console=self.console, disable=not main)
        self.tasks: dict[str, TaskID] = {}
        self.told_dead: set[str] = set()
        self.restart()

    def __enter__(self) -> "Reporter":
        """Show the bars."""
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave them as they are."""
        self.progress.stop()

    def restart(self) -> None:
        """Begin a new interval of terms and time."""
        self.terms: dict[str, list[Term]] = {}
        self.updates, self.samples, self.since = 0, 0, time.monotonic()

    def advance(self, what: str, done: int | float, count: int | float, text: str = "") -> None:
        """Move one bar."""
        if what not in self.tasks:
            self.tasks[what] = self.progress.add_task(what, text="")
        self.progress.update(self.tasks[what], completed=done, total=count)
        if text:
            self.progress.update(self.tasks[what], text=text)

    def update(
        self, phase: str, place: Place, done: float, terms: list[Term], samples: int, rate: float
    ) -> None:
        """Note one update, `done` being the finished share of the phase; now and then tell the means."""
        for term in terms:
            self.terms.setdefault(term.name, []).append(term)
        self.updates += 1
        self.samples += samples
        if self.updates < REPORT_EVERY and done < 1:
            return
        means = {name: torch.stack([t.value for t in each]).mean() for name, each in self.terms.items()}
        values = torch.stack(list(means.values())).tolist()
        told = dict(zip(means, values, strict=True))
        bound = sum(self.terms[name][0].weight * value for name, value in told.items())
        per_s = self.samples / max(time.monotonic() - self.since, 1e-9)
        text = f"{per_s:.0f}/s  " + "  ".join(f"{name} {value:.4g}" for name, value in told.items())
        self.advance(phase, done, 1.0, text)
        line = {"phase": phase, "update": place.update, "bound": bound, **told}
        self.write(line | {"learning_rate": rate, "samples_per_s": round(per_s, 1)})
        self.restart()

    def validated(self, phase: str, place: Place, result: dict[str, float], ended: bool) -> None:
        """Tell validation results; a factor that carries nothing, once and loudly."""
        text = "  ".join(f"{name} {value:.4g}" for name, value in result.items())
        self.console.print(f"{phase}, update {place.update}: {text}", highlight=False)
        self.write({"phase": phase, "update": place.update, **result})
        for name, value in result.items():
            dead = "active_" in name and value == 0 and (ended or place.phase_update >= SETTLED_UPDATES)
            if dead and name not in self.told_dead:
                self.told_dead.add(name)
                factor = name.rpartition("active_")[2]
                self.console.print(
                    f'[bold red]Factor "{factor}" is DEAD in phase {phase}: no unit carries anything.[/] '
                    "Lower beta or raise lam of what it explains."
                )

    def stopped(self, place: Place) -> None:
        """Tell how to go on."""
        self.console.print(f"Stopped at update {place.update} and saved; continue with --resume.")

    def write(self, line: dict[str, float | str]) -> None:
        """Add a line to the run's metrics."""
        if self.main:
            append_metrics(self.out, line)
