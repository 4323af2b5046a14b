"""A study: named experiments with several seeds, each trained and scored once, across interruptions."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

from latent_hands.configuration import Experiment, load_experiment
from latent_hands.errors import HandsError
from latent_hands.evaluation.scoring import score_run
from latent_hands.files import write_text
from latent_hands.predictor import Model
from latent_hands.progress import say
from latent_hands.runs.folder import EXPERIMENT, RESUME, find_run
from latent_hands.runs.metrics import METRICS, read_metrics
from latent_hands.studies.reproduce.curves import Line, Spent, clock
from latent_hands.studies.reproduce.sets import Sets, Source
from latent_hands.training import train

Scores = dict[str, Any]
FINISHED = "finished.json"


@dataclass(frozen=True)
class Plan:
    """A packaged experiment and its changed settings."""

    experiment: str
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True)
class Trial:
    """One training of a study: its run folder, its experiment and its training set."""

    folder: Path
    experiment: Experiment
    source: Source

    @property
    def finished(self) -> bool:
        """Return whether the training has finished."""
        return (self.folder / FINISHED).exists()

    def lines(self) -> list[Line]:
        """Return the lines of metrics."""
        return read_metrics(self.folder / METRICS)

    def spent(self) -> Spent:
        """Return the cost of the training so far, without validation."""
        return clock(self.lines(), self.experiment)[-1]


class Study:
    """Train and score experiments into `out`/runs/NAME-seedN.

    Finished runs and their scores are kept, and a stopped run continues bit for bit.

    * `effort` multiplies the epochs, and `seeds` is the number of trainings of each experiment.
    * `run` names a finished run that figures of one model use instead of training one.
    * `shares` are the shares of labelled hands in Fig. 9 in percent, by default those of the paper.

    Raises HandsError for an effort that is not above 0 and at most 1000, for seeds not from 1 to 100, and
    for a run that does not exist.
    """

    def __init__(
        self,
        sets: Sets,
        effort: float = 1.0,
        seeds: int = 3,
        run: str | None = None,
        shares: Sequence[int] = (),
    ):
        if not 0 < effort <= 1000:
            raise HandsError(f"effort is {effort}; it must be above 0 and at most 1000")
        if not 1 <= seeds <= 100:
            raise HandsError(f"seeds is {seeds}; it must be from 1 to 100")
        if run is not None:
            find_run(run)  # before images are rendered for it
        self.sets, self.effort, self.seeds, self.run = sets, effort, seeds, run
        self.shares = shares
        self.runs = sets.out / "runs"
        self.print = partial(say, sets.console)

    def trial(self, name: str, plan: Plan, seed: int, training_source: Source) -> Trial:
        """Return the folder and the experiment of a training."""
        experiment = load_experiment(plan.experiment, [*plan.overrides, f"--training.seed={seed}"])
        experiment = training_source.experiment_with(with_effort(experiment, self.effort), self.sets.count)
        prefix = "" if training_source.name == "rendered" else f"{training_source.name}-"
        return Trial(self.runs / f"{prefix}{name}-seed{seed}", experiment, training_source)

    def trained(
        self, plans: Mapping[str, Plan], training_source: Source, seeds: int | None = None
    ) -> dict[str, list[Trial]]:
        """Train every plan with every seed. The first seed of all plans comes before the second seed.

        Raises KeyboardInterrupt after a stopped training is saved. Raises HandsError for run folders of other
        settings, and as `train` does.
        """
        count = self.seeds if seeds is None else seeds
        trials = {
            name: [self.trial(name, plan, s, training_source) for s in range(count)]
            for name, plan in plans.items()
        }
        order = [trials[name][seed] for seed in range(count) for name in plans]
        for trial in order:
            check_settings(trial)
        missing = [trial for trial in order if not trial.finished]
        started = time.monotonic()
        for number, trial in enumerate(missing):
            left = (time.monotonic() - started) / number * (len(missing) - number) / 60 if number else None
            about = "" if left is None else f", about {left:.0f} minutes left"
            place = f"{len(order) - len(missing) + number + 1}/{len(order)}"
            self.print(f"run {place} {trial.folder.name}{about}", "bold")
            self.train(trial)
        return trials

    def train(self, trial: Trial) -> None:
        """Finish one training."""
        folder = trial.folder
        if not (folder / RESUME).exists():
            for path in (folder / EXPERIMENT, folder / METRICS, *folder.glob("scores_*.json")):
                path.unlink(missing_ok=True)
        hands = self.sets.training(trial.experiment)
        if not train(trial.experiment, folder, resume=(folder / RESUME).exists(), hands=hands):
            self.print("Stopped. Run the same command again to continue.")
            raise KeyboardInterrupt
        write_text(folder / FINISHED, json.dumps(trial.spent()._asdict()) + "\n")
        (folder / RESUME).unlink()

    def scores(self, trial: Trial, source: Source) -> Scores:
        """Return the scores of a finished run on the evaluation split of a set (`evaluation.score_run`)."""
        path = trial.folder / f"scores_{source.name}.json"
        kept = json.loads(path.read_text()) if path.exists() else {}
        if kept.get("root") != str(source.root):
            model = Model.load(trial.folder)
            numbers = score_run(model, self.sets.evaluation(model, source), "evaluation")
            kept = {"root": str(source.root), "scores": numbers}
            write_text(path, json.dumps(kept, indent=1) + "\n")
        return kept["scores"]

    def model(self, name: str, plan: Plan, training_source: Source) -> Model:
        """Return the given run, or the trained first seed of a plan."""
        if self.run is not None:
            return Model.load(self.run)
        return Model.load(self.first(name, plan, training_source).folder)

    def first(self, name: str, plan: Plan, training_source: Source) -> Trial:
        """Train the first seed of a plan."""
        return self.trained({name: plan}, training_source, seeds=1)[name][0]


def with_effort(experiment: Experiment, effort: float) -> Experiment:
    """Return the experiment with `effort` times the epochs of every phase, at least one."""
    phases = {
        name: replace(plan, epochs=max(1, round(effort * (plan.epochs or experiment.training.epochs))))
        for name, plan in experiment.phases.items()
    }
    return replace(experiment, phases=phases)


def check_settings(trial: Trial) -> None:
    """Raise HandsError if a run folder holds a run with other settings."""
    path = trial.folder / EXPERIMENT
    if not path.exists():
        return
    held = load_experiment(path)
    held = replace(held, data=replace(held.data, workers=trial.experiment.data.workers))
    for section in fields(Experiment):
        if getattr(held, section.name) != getattr(trial.experiment, section.name):
            raise HandsError(
                f"{trial.folder} holds a run with another [{section.name}] (other data, count or effort); "
                "use the former settings, or another --out"
            )
