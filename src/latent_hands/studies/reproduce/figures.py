"""The figures and tables of the paper, by name: what each trains, measures and draws."""

import math
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from latent_hands.errors import HandsError, did_you_mean
from latent_hands.evaluation.scoring import score_run
from latent_hands.files import write_text
from latent_hands.predictor import Model
from latent_hands.studies.reproduce import budget, comparison, joint, pck, quintets, sweeps, transfer, walks
from latent_hands.studies.reproduce.curves import information
from latent_hands.studies.reproduce.figure import Found, save
from latent_hands.studies.reproduce.sets import TITLES, Source
from latent_hands.studies.reproduce.study import Plan, Scores, Study, Trial, check_settings

Trials = dict[str, list[Trial]]
TrialScores = dict[str, list[Scores]]
SYNTHESIS, UNLABELLED, ESTIMATION = Plan("study_synthesis"), Plan("study_u"), Plan("study_estimation")


class Measured(NamedTuple):
    """All runs of some plans, scored on one set; `ending` tells its figure from those of other sets."""

    source: Source
    ending: str
    settings: Found
    trials: Trials
    scores: TrialScores


def scored(study: Study, plans: Mapping[str, Plan]) -> Iterator[Measured]:
    """Train the plans for every set that is scored, and score them."""
    for source in study.sets.scored():
        teacher = study.sets.teacher(source)
        trials = study.trained(plans, teacher)
        scores = {name: [study.scores(trial, source) for trial in each] for name, each in trials.items()}
        ending = "" if source.name == "rendered" else f"_{source.name}"
        yield Measured(source, ending, settings(study, source, teacher.title), trials, scores)


def settings(study: Study, source: Source, learned: str) -> Found:
    """What a figure's numbers depend on, as its JSON tells."""
    return {"set": source.title, "root": str(source.root), "learned": learned} | asked(study)


def asked(study: Study) -> Found:
    """What the study itself was asked for."""
    return {"effort": study.effort, "hands": study.sets.hands, "run": study.run}


def compared(
    study: Study,
    plans: Mapping[str, Plan],
    figure: str,
    measure: Callable[[Trials, TrialScores], Found],
    drawing: Callable[[Found], Any],
) -> list[Path]:
    """A figure for every set that is scored, measured from all runs of some plans and their scores."""
    files = []
    for each in scored(study, plans):
        found = each.settings | measure(each.trials, each.scores)
        files += save(found, drawing, study.sets.out / f"{figure}{each.ending}")
    return files


def images_of(study: Study) -> Source:
    """Where images of hands in scenes come from: STB as in the paper, if it can be learned from."""
    able = [source for source in study.sets.given if source.name == "stb" and source.learns]
    return able[0] if able else study.sets.rendered


def fig4(study: Study) -> list[Path]:
    """Walks along the pose and along the content."""
    return _one_model(study, "fig4", "synthesis", SYNTHESIS, walks.measure_fig4, walks.draw_fig4)


def fig5(study: Study) -> list[Path]:
    """Walks along z_u, the pose staying."""
    return _one_model(study, "fig5", "u", UNLABELLED, walks.measure_fig5, walks.draw_fig5)


def fig6(study: Study) -> list[Path]:
    """Poses read from images in other scenes."""
    return _one_model(study, "fig6", "synthesis", SYNTHESIS, transfer.measure_fig6, transfer.draw_fig6)


def _one_model(
    study: Study,
    figure: str,
    name: str,
    plan: Plan,
    measure: Callable[..., Found],
    drawing: Callable[[Found], Any],
) -> list[Path]:
    source = images_of(study)
    model = study.model(name, plan, source)
    found = settings(study, source, learned_by(model)) | measure(model, study.sets.samples(source))
    return save(found, drawing, study.sets.out / figure)


def learned_by(model: Model) -> str:
    """On what a model was trained."""
    name = model.experiment.data.name
    return TITLES.get(name, name)


def fig7(study: Study) -> list[Path]:
    """PCK on every set beside the published curves, and mean errors."""
    scores, learned = {}, {}
    for source in study.sets.scored():
        if study.run is None:
            trial = study.first(budget.WHOLE, ESTIMATION, study.sets.teacher(source))
            scores[source.name], learned[source.name] = study.scores(trial, source), trial.teacher.title
        else:
            model = Model.load(study.run)
            scores[source.name] = score_run(model, study.sets.evaluation(model, source), "evaluation")
            learned[source.name] = learned_by(model)
    return save(asked(study) | pck.measure_fig7(scores, learned), pck.draw_fig7, study.sets.out / "fig7")


def fig8(study: Study) -> list[Path]:
    """CPose and 3DPose of evaluation images beside their truth."""
    models = {}
    for source in study.sets.scored():
        model = study.model(budget.WHOLE, ESTIMATION, study.sets.teacher(source))
        models[source.name] = (model, study.sets.samples(source))
    return save(asked(study) | quintets.measure_fig8(models), quintets.draw_fig8, study.sets.out / "fig8")


def fig9(study: Study) -> list[Path]:
    """Errors over the share of labels, four kinds of supervision.

    Raises HandsError, before anything is trained, for hands of which the smallest share fills no batch.
    """
    shares = budget.chosen_shares(study.shares)
    plans = budget.plans(shares)
    check_shares(study, plans)
    return compared(
        study, plans, "fig9", lambda _, scores: budget.measure_fig9(scores, shares), budget.draw_fig9
    )


def check_shares(study: Study, plans: Mapping[str, Plan]) -> None:
    """Raise HandsError if a set that is learned from has a share of labelled hands smaller than a batch."""
    for teacher in dict.fromkeys(map(study.sets.teacher, study.sets.scored())):
        hands = study.sets.count(teacher)
        for name, plan in plans.items():
            experiment = study.trial(name, plan, 0, teacher).experiment
            phases, training = experiment.phases.values(), experiment.training
            batch = max(each.batch_size or training.batch_size for each in phases)
            share = experiment.supervision.labelled
            if share * hands < batch:
                least = math.ceil(batch / share)
                learned = f"{hands} hands of {teacher.title} are learned from"
                raise HandsError(f"{learned}; legal here: {least} or more, a batch of {name}")


def table(study: Study) -> list[Path]:
    """Errors of dVAE, cross-modal VAE, regression, and of what else was trained on the same hands."""
    files = []
    for each in scored(study, comparison.PLANS):
        for name, plan in joint.PLANS.items():
            others = [
                study.trial(name, plan, seed, study.sets.teacher(each.source)) for seed in range(study.seeds)
            ]
            if all(trial.finished for trial in others):
                for trial in others:
                    check_settings(trial)
                each.trials[name] = others
                each.scores[name] = [study.scores(trial, each.source) for trial in others]
        found = each.settings | comparison.measure_comparison(each.trials, each.scores)
        path = study.sets.out / f"table{each.ending}"
        files += save(found, comparison.draw_table, path)
        write_text(path.with_suffix(".md"), comparison.markdown(found))
        files.append(path.with_suffix(".md"))
    return files


def baselines(study: Study) -> list[Path]:
    """dVAE, cross-modal VAE and regression: errors, and learning over updates and seconds."""
    measure, drawing = comparison.measure_comparison, comparison.draw_baselines
    return compared(study, comparison.PLANS, "baselines", measure, drawing)


def eq5(study: Study) -> list[Path]:
    """Two phases, Eq. 5 and alternating training: learning and its stability."""
    return compared(study, joint.PLANS, "joint", joint.measure_joint, joint.draw_joint)


def sweep(study: Study, swept: str) -> list[Path]:
    """Errors, information and active units over beta, or over the dimension of the latent."""

    def measure(trials: Trials, scores: TrialScores) -> Found:
        carried = {
            name: [information(trial.lines(), trial.experiment) for trial in each]
            for name, each in trials.items()
        }
        return sweeps.measure_sweep(swept, scores, carried)

    return compared(study, sweeps.plans(swept), swept, measure, sweeps.draw_sweep)


FIGURES: dict[str, Callable[[Study], list[Path]]] = {
    "fig4": fig4,
    "fig5": fig5,
    "fig6": fig6,
    "fig7": fig7,
    "fig8": fig8,
    "baselines": baselines,
    "joint": eq5,
    "table": table,
    "beta": partial(sweep, swept="beta"),
    "dimension": partial(sweep, swept="dimension"),
    "fig9": fig9,
}
"""In the order in which "all" makes them: what is soon done first."""
ONE_MODEL = ("fig4", "fig5", "fig6", "fig7", "fig8")


def reproduce(what: str, study: Study) -> list[Path]:
    """Make a figure by name, or "all"; the files written.

    Raises HandsError for an unknown name, for a `run` with a figure that compares several, and as training
    and measuring do; KeyboardInterrupt once a stopped training is saved.
    """
    if what not in (*FIGURES, "all"):
        raise HandsError(f'unknown figure "{what}"; {did_you_mean(what, (*FIGURES, "all"))}')
    if study.run is not None and what not in ONE_MODEL:
        raise HandsError(
            f"run is {study.run}, but {what} compares several; legal with: {', '.join(ONE_MODEL)}"
        )
    files = []
    for name in FIGURES if what == "all" else [what]:
        study.say(f"[bold]{name}[/]")
        files += FIGURES[name](study)
    return files
