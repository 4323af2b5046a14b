"""The command that measures synthesis and disentanglement: assess."""

import json as json_format
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import arg

from latent_hands.cli.options import Json, Number, Run
from latent_hands.errors import HandsError

if TYPE_CHECKING:
    from latent_hands.data import Sample
    from latent_hands.experiment import Backbone, Data
    from latent_hands.predictor import Model
    from latent_hands.studies.assess.estimator import Estimator
    from latent_hands.studies.assess.judge import Judge, Progress

LESSONS = 4000
"""Images that probes learn from."""


def assess(
    run: Run,
    root: Annotated[Path, arg(metavar="BENCHMARK")],
    scenes: Annotated[Path | None, arg(metavar="SCENES")] = None,
    judge: Annotated[Path | None, arg(metavar="FILE")] = None,
    judge_backbone: Annotated[
        Literal["resnet18", "efficientnet_lite0"] | None, arg(metavar="{resnet18,efficientnet_lite0}")
    ] = None,
    epochs: Annotated[int, arg(metavar="N")] = 6,
    estimator: Annotated[str | None, arg(metavar="RUN")] = None,
    samples: Annotated[int, arg(metavar="N")] = 16,
    limit: Number = None,
    out: Annotated[Path | None, arg(metavar="DIR")] = None,
    json: Json = False,
) -> None:
    """Score synthesis and disentanglement against the truth of every swap, with 95 % intervals.

    $ latent-hands render benchmark --counterfactual
    $ latent-hands assess synthesis --root benchmark
    $ latent-hands assess runs/mine --root benchmark --scenes scenes --judge judge.safetensors --out assessed

    docs/assess.md says what each number means. Poses of what the model makes are read by itself, by the
    estimator, and with --scenes or --judge by a judge.

    Args:
        root: A set that `latent-hands render --counterfactual` wrote.
        scenes: A rendered set; the judge of poses and contents, and probes, learn from its training images.
        judge: The judge's file: read if it is there, else written once the judge has learnt.
        judge_backbone: What the judge reads by [resnet18]; the fairer judge has another than the encoder
            of the run: efficientnet_lite0 for the shipped ones (extra `imagenet`).
        epochs: How often the judge sees each image.
        estimator: A run that estimates poses, a folder or a shipped one by name [estimation, where it means
            the same joints].
        samples: Posterior draws an image.
        limit: Only the first so many groups and grids.
        out: Also write assessment.json and transfers.png, transfers beside their truth.
    """
    from latent_hands.cli.assessment_tables import assessment_tables
    from latent_hands.predictor import Model
    from latent_hands.progress import progress_bars
    from latent_hands.studies.assess import Subject, assess_run, open_benchmark, read_lessons

    model = Model.load(run)
    data, subject = model.experiment.data, Subject(model.vae, model.device)
    other = find_estimator(data, estimator)
    benchmark = open_benchmark(
        root, model.crop_px, data.side, data.frame, data.convention, limit, subject.tags()
    )
    with progress_bars() as advance:
        taught = scenes and scenes_of(model, scenes, LESSONS)
        reader = find_judge(model, scenes, judge, judge_backbone, epochs, advance)
        lessons = read_lessons(taught, model.crop_px, data.side, data.frame) if taught else None
        numbers, made = assess_run(
            subject, benchmark, reader, samples, progress=advance, lessons=lessons, estimator=other
        )
    text = json_format.dumps({"run": run, "root": str(root), **numbers}, indent=2)
    if out is not None:
        from latent_hands.draw import save_image
        from latent_hands.files import write_text
        from latent_hands.studies.assess.sheet import transfer_sheet

        save_image(transfer_sheet(benchmark, made), out / "transfers.png")
        write_text(out / "assessment.json", text + "\n")
    if json:
        print(text)
    else:
        assessment_tables(numbers, f"{run} on {root}")


def find_estimator(data: "Data", run: str | None) -> "Estimator | None":
    """That run, or the shipped one; if that cannot read the images of a run of `data`, none, and why.

    Raises HandsError for a run that was asked for and cannot.
    """
    from latent_hands.predictor import Model
    from latent_hands.studies.assess import Estimator

    found = Estimator(Model.load(run or "estimation"))
    try:
        found.check(data)
    except HandsError as error:
        if run:
            raise
        print(f"No estimator reads poses: {error}", file=sys.stderr)
        return None
    return found


def scenes_of(model: "Model", scenes: Path, limit: int | None = None) -> "list[Sample]":
    """Training images for judge and probes; HandsError if their joints are in another convention."""
    from latent_hands.data import open_data
    from latent_hands.data.crops import convention_of

    samples = open_data("rendered", scenes, "training", limit)
    found, wanted = convention_of(samples), model.experiment.data.convention
    if found != wanted:
        raise HandsError(f'joints of {scenes} follow "{found}"; legal for this run: "{wanted}"')
    return samples


def find_judge(
    model: "Model",
    scenes: Path | None,
    path: Path | None,
    backbone: "Backbone | None",
    epochs: int,
    advance: "Progress",
) -> "Judge | None":
    """The judge of that file, or one that learns now; None if neither was named.

    Raises HandsError for a file that is not there and no scenes to learn from.
    """
    from latent_hands.studies.assess import load_judge, save_judge, train_judge

    px, side = model.crop_px, model.experiment.data.side
    if path is not None and path.exists():
        return load_judge(path, px, side, backbone).to(model.device)
    if scenes is None:
        if path is not None:
            raise HandsError(f"there is no judge at {path}; legal: its file, or --scenes to train it on")
        return None
    images = scenes_of(model, scenes)
    judge = train_judge(
        images, px, side, backbone or "resnet18", epochs, device=model.device, progress=advance
    )
    if path is not None:
        save_judge(judge, path)
    return judge
