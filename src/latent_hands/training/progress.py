"""Reports of a training: progress on the console, and one line per report in metrics.jsonl."""

import math
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from latent_hands.paper.bound import Term
from latent_hands.progress import ProgressBars, messages, say
from latent_hands.runs.folder import Place
from latent_hands.runs.metrics import append_metrics

REPORT_EVERY = 50
"""Updates between two reports."""
UPDATES, TERM = "unreported/updates", "unreported/term/"
"""Keys of a saved training for what the next report is made of."""
SETTLED_UPDATES = 1000
"""Updates of a phase after which a factor without active units is reported."""


class Reporter:
    """Progress with the remaining time, the rate and every term by name.

    Args:
        out: the run folder.
        main: False for processes that are not the main one: they print and write nothing.
    """

    def __init__(self, out: Path, main: bool = True):
        self.out, self.main = out, main
        self.console = messages(sys.stdout, quiet=not main)
        self.bars = ProgressBars(self.console, hidden=not main)
        self.advance = self.bars.advance
        self.dead: set[str] = set()
        self.begin("", 0)

    def __enter__(self) -> "Reporter":
        """Return the reporter, whose progress bars stop at the end."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the progress bars; they stay on the console."""
        self.bars.stop()

    def begin(self, phase: str, samples: int) -> None:
        """Begin the reports of a phase, with so many samples per update."""
        self.phase, self.samples = phase, samples
        self.restart()

    def restart(self) -> None:
        """Begin a new interval of terms and time."""
        self.terms: dict[str, list[Term]] = {}
        self.updates, self.since = 0, time.monotonic()

    def update(self, place: Place, done: float, terms: list[Term], rate: float) -> None:
        """Count an update; report the mean terms every `REPORT_EVERY` updates and at the end of the phase.

        Args:
            done: the finished share of the phase.
            terms: the terms of the update.
            rate: its learning rate.
        """
        for term in terms:
            self.terms.setdefault(term.name, []).append(term)
        self.updates += 1
        if self.updates < REPORT_EVERY and done < 1:
            return
        values = torch.stack([torch.stack([t.value for t in each]).mean() for each in self.terms.values()])
        means = dict(zip(self.terms, values.tolist(), strict=True))
        bound = math.fsum(self.terms[name][0].weight * value for name, value in means.items())
        per_s = self.samples * self.updates / max(time.monotonic() - self.since, 1e-9)
        self.advance(self.phase, done, 1.0, f"{per_s:.0f}/s  {as_text(means)}")
        line = {"phase": self.phase, "update": place.update, "bound": bound, **means}
        self.write(line | {"learning_rate": rate, "samples_per_s": round(per_s, 1)})
        self.restart()

    def state(self) -> dict[str, Tensor]:
        """Return the number of updates since the last report, and their terms: weight, then values."""
        state = {UPDATES: torch.tensor(self.updates)}
        for name, each in self.terms.items():
            numbers = [each[0].weight, *(term.value.item() for term in each)]
            state[f"{TERM}{name}"] = torch.tensor(numbers, dtype=torch.float64)
        return state

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Continue the interval of `state`: a resumed training reports what an undisturbed one does."""
        self.updates = int(state.get(UPDATES, torch.tensor(0)))
        for key, numbers in state.items():
            if key.startswith(TERM):
                weight, *values = numbers.tolist()
                name = key.removeprefix(TERM)
                self.terms[name] = [Term(name, torch.tensor(value), weight) for value in values]

    def validated(self, place: Place, result: dict[str, float], ended: bool) -> None:
        """Report the results of a validation. Report a factor without active units once."""
        say(self.console, f"{self.phase}, update {place.update}: {as_text(result)}")
        self.write({"phase": self.phase, "update": place.update, **result})
        for name, value in result.items():
            dead = "active_" in name and value == 0 and (ended or place.phase_update >= SETTLED_UPDATES)
            if dead and name not in self.dead:
                self.dead.add(name)
                factor = name.rpartition("active_")[2]
                say(
                    self.console,
                    f'Factor "{factor}" is DEAD in phase {self.phase}: it has no active unit. '
                    "Lower beta, or raise lam of the modalities that it explains.",
                    "bold red",
                )

    def stopped(self, place: Place) -> None:
        """Report that the training stopped. The caller knows whether and how it can be continued."""
        say(self.console, f"Stopped at update {place.update} and saved.")

    def finished(self, place: Place) -> None:
        """Report that a resumed training had ended before, so that nothing is trained."""
        say(
            self.console,
            f"{self.out} is finished, at update {place.update}: nothing is left to train. "
            "To train it further, name it as [training] start of a new run.",
        )

    def write(self, line: dict[str, float | str]) -> None:
        """Add a line to the metrics of the run."""
        if self.main:
            append_metrics(self.out, line)


def as_text(values: dict[str, float]) -> str:
    """Return named values in one line."""
    return "  ".join(f"{name} {value:.4g}" for name, value in values.items())
