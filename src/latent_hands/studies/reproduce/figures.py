"""The figures and tables of the paper by name: train the runs, measure, draw."""

import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from latent_hands.errors import HandsError
from latent_hands.evaluation.scoring import score_run
from latent_hands.files import write_text
from latent_hands.predictor import Model
from latent_hands.studies.reproduce import (
    budget,
    comparison,
    pck,
    quintets,
    simultaneous,
    sweeps,
    transfer,
    walks,
)
from latent_hands.studies.reproduce.curves import information
from latent_hands.studies.reproduce.drawing import Results, save
from latent_hands.studies.reproduce.sets import TITLES, Source
from latent_hands.studies.reproduce.study import Plan, Scores, Study, Trial, check_settings

Trials = dict[str, list[Trial]]
TrialScores = dict[str, list[Scores]]
WHOLE = "dvae"
"""The run of estimation with all labels, which several figures share."""
SYNTHESIS, UNLABELLED, ESTIMATION = Plan("study_synthesis"), Plan("study_u"), Plan("study_estimation")


class Measured(NamedTuple):
    """All runs of some plans and their scores on one set. `ending` distinguishes the files of the sets."""

    source: Source
    ending: str
    settings: Results
    trials: Trials
    scores: TrialScores


def scored(study: Study, plans: Mapping[str, Plan]) -> Iterator[Measured]:
    """Train the plans for every set for evaluation, and score them."""
    for source in study.sets.scored():
        training_source = study.sets.training_source(source)
        trials = study.trained(plans, training_source)
        scores = {name: [study.scores(trial, source) for trial in each] for name, each in trials.items()}
        ending = "" if source.name == "rendered" else f"_{source.name}"
        yield Measured(source, ending, settings(study, source, training_source.title), trials, scores)


def settings(study: Study, source: Source, trained_on: str) -> Results:
    """Return the settings that the numbers of a figure depend on."""
    return {"set": source.title, "root": str(source.root), "trained_on": trained_on} | options(study)


def options(study: Study) -> Results:
    """Return the options of the study."""
    return {"effort": study.effort, "count": study.sets.count, "run": study.run}


def compared(
    study: Study,
    plans: Mapping[str, Plan],
    figure: str,
    measure: Callable[[Trials, TrialScores], Results],
    drawing: Callable[[Results], Any],
) -> list[Path]:
    """Make a figure for every set for evaluation, from all runs of some plans and their scores."""
    files = []
    for each in scored(study, plans):
        results = each.settings | measure(each.trials, each.scores)
        files += save(results, drawing, study.sets.out / f"{figure}{each.ending}")
    return files


def images_of(study: Study) -> Source:
    """Return the set for figures of scenes: STB as in the paper if it is trainable, otherwise rendered."""
    stb = [source for source in study.sets.given if source.name == "stb" and source.trainable]
    return stb[0] if stb else study.sets.rendered


def fig4(study: Study) -> list[Path]:
    """Make Fig. 4: walks along the pose and along the content."""
    return _one_model(study, "fig4", "synthesis", SYNTHESIS, walks.measure_fig4, walks.draw_fig4)


def fig5(study: Study) -> list[Path]:
    """Make Fig. 5: walks along z_u, in which the pose must not move."""
    if study.run is not None:
        walks.check_graph(Model.load(study.run))  # before images are rendered for it
    return _one_model(study, "fig5", "u", UNLABELLED, walks.measure_fig5, walks.draw_fig5)


def fig6(study: Study) -> list[Path]:
    """Make Fig. 6: poses from images in other scenes."""
    return _one_model(study, "fig6", "synthesis", SYNTHESIS, transfer.measure_fig6, transfer.draw_fig6)


def _one_model(
    study: Study,
    figure: str,
    name: str,
    plan: Plan,
    measure: Callable[..., Results],
    drawing: Callable[[Results], Any],
) -> list[Path]:
    source = images_of(study)
    model = study.model(name, plan, source)
    results = settings(study, source, trained_on(model)) | measure(model, study.sets.samples(source))
    return save(results, drawing, study.sets.out / figure)


def trained_on(model: Model) -> str:
    """Return the title of the set that a model was trained on."""
    name = model.experiment.data.name
    return TITLES.get(name, name)


def fig7(study: Study) -> list[Path]:
    """Make Fig. 7: PCK on every set with the published curves, and mean errors."""
    scores, titles = {}, {}
    for source in study.sets.scored():
        if study.run is None:
            trial = study.first(WHOLE, ESTIMATION, study.sets.training_source(source))
            scores[source.name], titles[source.name] = study.scores(trial, source), trial.source.title
        else:
            model = Model.load(study.run)
            scores[source.name] = score_run(model, study.sets.evaluation(model, source), "evaluation")
            titles[source.name] = trained_on(model)
    return save(options(study) | pck.measure_fig7(scores, titles), pck.draw_fig7, study.sets.out / "fig7")


def fig8(study: Study) -> list[Path]:
    """Make Fig. 8: predicted CPose and 3DPose of evaluation images next to the ground truth."""
    models = {}
    for source in study.sets.scored():
        model = study.model(WHOLE, ESTIMATION, study.sets.training_source(source))
        models[source.name] = (model, study.sets.samples(source))
    return save(options(study) | quintets.measure_fig8(models), quintets.draw_fig8, study.sets.out / "fig8")


def fig9(study: Study) -> list[Path]:
    """Make Fig. 9: errors over the share of labels with six kinds of supervision.

    Raises HandsError before training if the smallest share of the hands is less than a batch.
    """
    shares = budget.chosen_shares(study.shares)
    plans = budget.plans(shares)
    check_shares(study, plans)
    return compared(
        study, plans, "fig9", lambda _, scores: budget.measure_fig9(scores, shares), budget.draw_fig9
    )


def check_shares(study: Study, plans: Mapping[str, Plan]) -> None:
    """Raise HandsError if the labelled share of a training set is less than a batch."""
    for training_source in dict.fromkeys(map(study.sets.training_source, study.sets.scored())):
        count = study.sets.training_count(training_source)
        for name, plan in plans.items():
            experiment = study.trial(name, plan, 0, training_source).experiment
            phases, training = experiment.phases.values(), experiment.training
            batch = max(each.batch_size or training.batch_size for each in phases)
            share = experiment.supervision.labelled
            if share * count < batch:
                least = math.ceil(batch / share)
                raise HandsError(
                    f"there are {count} training hands of {training_source.title}; "
                    f"this figure needs {least} or more, a batch of {name}"
                )


def table(study: Study) -> list[Path]:
    """Make the table of errors of dVAE, cross-modal VAE, regression, and of other finished runs."""
    files = []
    for each in scored(study, comparison.PLANS):
        for name, plan in simultaneous.PLANS.items():
            others = [
                study.trial(name, plan, seed, study.sets.training_source(each.source))
                for seed in range(study.seeds)
            ]
            if all(trial.finished for trial in others):
                for trial in others:
                    check_settings(trial)
                each.trials[name] = others
                each.scores[name] = [study.scores(trial, each.source) for trial in others]
        results = each.settings | comparison.measure_comparison(each.trials, each.scores)
        path = study.sets.out / f"table{each.ending}"
        files += save(results, comparison.draw_table, path)
        write_text(path.with_suffix(".md"), comparison.markdown(results))
        files.append(path.with_suffix(".md"))
    return files


def baselines(study: Study) -> list[Path]:
    """Draw errors and learning curves of dVAE, cross-modal VAE and regression."""
    measure, drawing = comparison.measure_comparison, comparison.draw_baselines
    return compared(study, comparison.PLANS, "baselines", measure, drawing)


def eq5(study: Study) -> list[Path]:
    """Compare two phases, simultaneous training (Eq. 5) and alternating training: learning and stability."""
    measure, drawing = simultaneous.measure_simultaneous, simultaneous.draw_simultaneous
    return compared(study, simultaneous.PLANS, "simultaneous", measure, drawing)


def sweep(study: Study, swept: str) -> list[Path]:
    """Draw errors, information and active units over beta, or over the dimension of the latent."""

    def measure(trials: Trials, scores: TrialScores) -> Results:
        latents = {
            name: [information(trial.lines(), trial.experiment) for trial in each]
            for name, each in trials.items()
        }
        return sweeps.measure_sweep(swept, scores, latents)

    return compared(study, sweeps.plans(swept), swept, measure, sweeps.draw_sweep)
