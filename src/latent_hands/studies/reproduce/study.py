"""A study: named experiments with several seeds, each trained and scored once, whatever stops it."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from latent_hands.errors import HandsError
from latent_hands.evaluation.scoring import score_run
from latent_hands.experiment import Experiment, load_experiment
from latent_hands.files import write_text
from latent_hands.predictor import Model
from latent_hands.runs.folder import EXPERIMENT, METRICS, RESUME, read_metrics
from latent_hands.studies.reproduce.curves import Line, Spent, clock
from latent_hands.studies.reproduce.sets import Sets, Source
from latent_hands.training import train

Scores = dict[str, Any]
FINISHED = "finished.json"


@dataclass(frozen=True)
class Plan:
    """What a study trains under a name: a packaged experiment, and what is changed in it."""

    experiment: str
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True)
class Trial:
    """One training of a study: its run folder, what it was trained by, and on which set."""

    folder: Path
    experiment: Experiment
    teacher: Source

    @property
    def finished(self) -> bool:
        """Whether it reached its end."""
        return (self.folder / FINISHED).exists()

    def lines(self) -> list[Line]:
        """Its metrics."""
        return read_metrics(self.folder / METRICS)

    def spent(self) -> Spent:
        """What it took, wherever it was stopped; validation is not counted."""
        return clock(self.lines(), self.experiment)[-1]


class Study:
    """Trains and scores what figures ask for, into `out`/runs/NAME-seedN.

    What a former call has done is kept: finished runs and their scores as they are, a stopped run goes on bit
    for bit. `effort` multiplies the epochs, `seeds` says how often every experiment is trained. `run` names a
    trained run that figures about one model show in place of a trained one. `shares` are those of labelled
    hands in Fig. 9, %, if not the paper's.
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
            raise HandsError(f"effort is {effort}; legal: above 0, up to 1000")
        if not 1 <= seeds <= 100:
            raise HandsError(f"seeds is {seeds}; legal: 1 .. 100")
        self.sets, self.effort, self.seeds, self.run = sets, effort, seeds, run
        self.shares = shares
        self.runs = sets.out / "runs"
        self.say = sets.console.print

    def trial(self, name: str, plan: Plan, seed: int, teacher: Source) -> Trial:
        """Where a training goes, and by what."""
        experiment = load_experiment(plan.experiment, [*plan.overrides, f"--training.seed={seed}"])
        experiment = teacher.learned_by(with_effort(experiment, self.effort), self.sets.hands)
        prefix = "" if teacher.name == "rendered" else f"{teacher.name}-"
        return Trial(self.runs / f"{prefix}{name}-seed{seed}", experiment, teacher)

    def trained(
        self, plans: Mapping[str, Plan], teacher: Source, seeds: int | None = None
    ) -> dict[str, list[Trial]]:
        """Every plan with every seed, trained; all plans have their first seed before any has its second.

        Raises KeyboardInterrupt once a stopped training is saved, HandsError for run folders of other
        settings, and as `train` does.
        """
        count = self.seeds if seeds is None else seeds
        trials = {
            name: [self.trial(name, plan, s, teacher) for s in range(count)] for name, plan in plans.items()
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
            self.say(f"[bold]run {place}[/] {trial.folder.name}{about}", highlight=False)
            self.train(trial)
        return trials

    def train(self, trial: Trial) -> None:
        """Bring one training to its end."""
        folder = trial.folder
        if not (folder / RESUME).exists():
            for path in (folder / EXPERIMENT, folder / METRICS, *folder.glob("scores_*.json")):
                path.unlink(missing_ok=True)
        hands = self.sets.training(trial.experiment)
        if not train(trial.experiment, folder, resume=(folder / RESUME).exists(), hands=hands):
            self.say("Stopped; the same command goes on from here.")
            raise KeyboardInterrupt
        write_text(folder / FINISHED, json.dumps(trial.spent()._asdict()) + "\n")
        (folder / RESUME).unlink()

    def scores(self, trial: Trial, source: Source) -> Scores:
        """The protocol's numbers of a trained run on a set's evaluation split (`predictor.score_run`)."""
        path = trial.folder / f"scores_{source.name}.json"
        known = json.loads(path.read_text()) if path.exists() else {}
        if known.get("root") != str(source.root):
            model = Model.load(trial.folder)
            numbers = score_run(model, self.sets.evaluation(model, source), "evaluation")
            known = {"root": str(source.root), "scores": numbers}
            write_text(path, json.dumps(known, indent=1) + "\n")
        return known["scores"]

    def model(self, name: str, plan: Plan, teacher: Source) -> Model:
        """The run that was given, or the plan's first seed, trained."""
        if self.run is not None:
            return Model.load(self.run)
        return Model.load(self.first(name, plan, teacher).folder)

    def first(self, name: str, plan: Plan, teacher: Source) -> Trial:
        """The plan's first seed, trained."""
        return self.trained({name: plan}, teacher, seeds=1)[name][0]


def with_effort(experiment: Experiment, effort: float) -> Experiment:
    """The experiment with the epochs of every phase times `effort`, at least one."""
    phases = {
        name: replace(plan, epochs=max(1, round(effort * (plan.epochs or experiment.training.epochs))))
        for name, plan in experiment.phases.items()
    }
    return replace(experiment, phases=phases)


def check_settings(trial: Trial) -> None:
    """Raise HandsError if a run folder holds the run of other settings."""
    path = trial.folder / EXPERIMENT
    if not path.exists():
        return
    held = load_experiment(path)
    held = replace(held, data=replace(held.data, workers=trial.experiment.data.workers))
    for section in fields(Experiment):
        if getattr(held, section.name) != getattr(trial.experiment, section.name):
            raise HandsError(
                f"{trial.folder} holds a run with another [{section.name}] (other data, hands or effort); "
                "legal: the former settings, or another --out"
            )
