"""The demo: from nothing to trained models, numbers and a page about them, in minutes on a CPU."""

from functools import partial
from pathlib import Path

from latent_hands.data import Sample, open_data
from latent_hands.errors import HandsError
from latent_hands.evaluation.scoring import score_run
from latent_hands.experiment import Experiment, write_experiment
from latent_hands.predictor import Model
from latent_hands.runs.folder import WEIGHTS, find_run
from latent_hands.studies.demo.images import Models, Studio
from latent_hands.studies.demo.learning import demo_experiment, learn
from latent_hands.studies.demo.stages import Found, Stages
from latent_hands.studies.demo.story import tell

IMAGE_PX = 160
WINDOW = [0.85, 1.0]
"""Sides of the scenes' windows in image sides: up to 1 they lie within the image."""
RUNS = {"estimation": "demo_estimation", "synthesis": "demo_synthesis"}
"""The run folders of a demo, which are also the names of the shipped models -> what they are trained by."""


def run_demo(out: Path, count: int = 1600, rhd: Path | None = None) -> Path:
    """Render `count` training hands and an eighth as many others, train, evaluate, draw; the report's path.

    Everything lies in `out`. What a former call has done is kept, and whatever is missing is done. With
    `rhd`, the folder of that data set, its evaluation images are scored as well; none of them is shown.
    Raises HandsError for a count below 256, and KeyboardInterrupt once a stopped training is saved.
    """
    if count < 256:
        raise HandsError(f"count is {count}; legal: 256 (one batch) or more")
    stages = Stages(out, 5 if rhd is None else 6)
    rendering = {"count": count, "evaluation": count // 8, "px": IMAGE_PX, "window": WINDOW}
    stages.run(
        "render hands", rendering, ["hands/rendered.json"], partial(_render, out / "hands", **rendering)
    )
    experiments = {run: demo_experiment(name, out / "hands", len(RUNS)) for run, name in RUNS.items()}
    _learn(stages, experiments)
    shipped = [_shipped(run) for run in RUNS]
    samples = open_data("rendered", out / "hands", "evaluation")
    models = {run: _models(out, run) for run in RUNS}
    found: Found = {"rendering": rendering}
    found["rendered"] = stages.run(
        "evaluate", {"shipped": shipped}, [], partial(_score, models["estimation"], samples)
    )
    if rhd is not None:
        there = partial(open_data, "rhd", rhd, "evaluation")
        wanted = {"root": str(rhd.resolve()), "shipped": shipped}
        found["rhd"] = stages.run(
            "evaluate on RHD", wanted, [], lambda: _score(models["estimation"], there())
        )
    studio = Studio(out, samples, models)
    for name, work in (("draw estimates", studio.draw_estimates), ("draw images", studio.draw_synthesis)):
        stages.run(name, {"shipped": shipped}, studio.files[work.__name__], work)
    report = tell(studio, found, stages.seconds())
    _summary(stages, found, report)
    return report


def _render(hands: Path, count: int, evaluation: int, px: int, window: list[float]) -> Found:
    from latent_hands.rendering.sets.dataset import render_dataset

    render_dataset(hands, count, px, evaluation_count=evaluation, scene_size=(window[0], window[1]))
    return {}


def _learn(stages: Stages, experiments: dict[str, Experiment]) -> None:
    """Train the runs; what was trained on other hands or by other experiments is trained anew."""
    name = "learn both graphs, one process each"
    written = {run: write_experiment(experiment) for run, experiment in experiments.items()}
    known = stages.known.get(name)

    def work() -> Found:
        learn(stages.folder, experiments, known is not None, stages.console)
        return {}

    stages.run(name, written, [f"{run}/{WEIGHTS}" for run in experiments], work)


def _shipped(run: str) -> float | None:
    """When the shipped model of that name was written; None if there is none."""
    try:
        return (find_run(run) / WEIGHTS).stat().st_mtime
    except HandsError:
        return None


def _models(out: Path, run: str) -> Models:
    models = {"yours": Model.load(out / run)}
    return models if _shipped(run) is None else models | {"shipped": Model.load(run)}


def _score(models: Models, samples: list[Sample]) -> Found:
    return {who: score_run(model, samples, "evaluation") for who, model in models.items()}


def _summary(stages: Stages, found: Found, report: Path) -> None:
    say = partial(stages.console.print, highlight=False)
    for data in ("rendered", "rhd"):
        for who, numbers in found.get(data, {}).items():
            mean_pose_mm = numbers["mean_pose"]["epe_mm"]
            text = f"{data}, {who}: {numbers['epe_mm']:.1f} mm mean error, AUC {numbers['auc_20_50']:.3f}"
            say(f"{text}   (the mean pose: {mean_pose_mm:.1f} mm)")
    say(f"all stages took {stages.seconds() / 60:.1f} minutes; open [bold]{report}[/]")
    print(report)
