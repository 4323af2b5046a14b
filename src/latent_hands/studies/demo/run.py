"""The stages of the demo: render, train, evaluate, draw, report."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from latent_hands.configuration import write_experiment
from latent_hands.data import Sample, open_data
from latent_hands.errors import HandsError
from latent_hands.evaluation.scoring import score_run
from latent_hands.lock import one_writer
from latent_hands.predictor import Model
from latent_hands.progress import say
from latent_hands.runs.folder import WEIGHTS
from latent_hands.runs.shipped import shipped_runs
from latent_hands.studies.demo.images import DemoImages, Models
from latent_hands.studies.demo.learning import demo_experiment, train_runs
from latent_hands.studies.demo.report import write_report
from latent_hands.studies.demo.stages import Results, Stages

IMAGE_PX = 160
SCENE_SIZE = (0.85, 1.0)
"""The range of the side of scene boxes in image sides. Up to 1 they are within the image."""
RUNS = {"estimation": "demo_estimation", "synthesis": "demo_synthesis"}
"""{run: experiment}. The runs have the names of the shipped models."""


def run_demo(out: Path, count: int = 1600, rhd: Path | None = None) -> Path:
    """Render `count` training hands and an eighth as many for evaluation, train, evaluate, draw and report.

    Everything is written to `out`. A second call keeps finished stages and continues with the others. With
    `rhd`, the folder of that data set, its evaluation images are scored too. Returns the path of the
    report. Raises HandsError for a count below 256 and if another process writes to `out`, and
    KeyboardInterrupt after a stopped training is saved.
    """
    if count < 256:
        raise HandsError(f"count is {count}; it must be 256 (one batch) or more")
    with one_writer(out):
        stages = Stages(out, 5 if rhd is None else 6)
        counts = {"count": count, "evaluation_count": count // 8}
        rendering = {**counts, "size_px": IMAGE_PX, "scene_size": list(SCENE_SIZE)}
        stages.run("render hands", rendering, ["hands/rendered.json"], partial(_render, out / "hands", count))
        _train(stages)
        samples = open_data("rendered", out / "hands", "evaluation")
        models = {run: _models(out, run) for run in RUNS}
        return evaluate_and_report(stages, rendering, samples, models, rhd)


def evaluate_and_report(
    stages: Stages,
    rendering: Results,
    samples: Sequence[Sample],
    models: dict[str, Models],
    rhd: Path | None = None,
) -> Path:
    """Score and draw the models of a demo, and write its report. Returns the path of the report.

    * `rendering` has the numbers of rendered hands, "count" and "evaluation_count".
    * `samples` are evaluation hands, each with a tag image.
    * `models` is {"estimation" or "synthesis": {"yours" or "shipped": model}}.
    * `rhd` is the folder of RHD.

    The folder of the stages must have the metrics of both runs.
    """
    shipped = {"shipped": [_shipped(run) for run in models]}
    results: Results = {"rendering": rendering}
    results["rendered"] = stages.run("evaluate", shipped, [], partial(_score, models["estimation"], samples))
    if rhd is not None:
        settings = {"root": str(rhd.resolve()), **shipped}
        rhd_samples = partial(open_data, "rhd", rhd, "evaluation")
        results["rhd"] = stages.run(
            "evaluate on RHD", settings, [], lambda: _score(models["estimation"], rhd_samples())
        )
    images = DemoImages(stages.folder, samples, models)
    for name, work in (("draw estimates", images.draw_estimates), ("draw images", images.draw_synthesis)):
        stages.run(name, shipped, images.files[work.__name__], work)
    report = write_report(images, results, stages.seconds())
    _print_summary(stages, results, report)
    return report


def _render(hands: Path, count: int) -> Results:
    from latent_hands.rendering.sets.dataset import render_dataset

    render_dataset(hands, count, IMAGE_PX, evaluation_count=count // 8, scene_size=SCENE_SIZE)
    return {}


def _train(stages: Stages) -> None:
    """Train the runs. Runs on other hands or with other experiments are trained again from the start."""
    name = "train both graphs, one process each"
    hands = stages.folder / "hands"
    experiments = {run: demo_experiment(experiment, hands, len(RUNS)) for run, experiment in RUNS.items()}
    settings = {run: write_experiment(experiment) for run, experiment in experiments.items()}
    restart = name in stages.known

    def work() -> Results:
        train_runs(stages.folder, experiments, restart, stages.console)
        return {}

    stages.run(name, settings, [f"{run}/{WEIGHTS}" for run in experiments], work)


def _shipped(run: str) -> float | None:
    """Return the time when the shipped model of this name was written, None if there is none."""
    folder = shipped_runs().get(run)
    return None if folder is None else (folder / WEIGHTS).stat().st_mtime


def _models(out: Path, run: str) -> Models:
    models = {"yours": Model.load(out / run)}
    return models if _shipped(run) is None else models | {"shipped": Model.load(run)}


def _score(models: Models, samples: Sequence[Sample]) -> Results:
    return {who: score_run(model, samples, "evaluation") for who, model in models.items()}


def _print_summary(stages: Stages, results: Results, report: Path) -> None:
    write = partial(say, stages.console)
    for data in ("rendered", "rhd"):
        for who, scores in results.get(data, {}).items():
            mean_pose_mm = scores["mean_pose"]["epe_mm"]
            text = f"{data}, {who}: {scores['epe_mm']:.1f} mm mean error, AUC {scores['auc_20_50']:.3f}"
            write(f"{text}   (the mean pose: {mean_pose_mm:.1f} mm)")
    write(f"all stages took {stages.seconds() / 60:.1f} minutes; open {report}")
    print(report)
