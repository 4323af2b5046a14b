"""The functions of `import latent_hands as lh`. Each calls the folder that does the work."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch

from latent_hands import doctor, training
from latent_hands.build import build_hands, build_phases, build_vae
from latent_hands.configuration import Experiment, load_experiment, packaged_experiments
from latent_hands.configuration.options import as_options
from latent_hands.data import READERS, Sample
from latent_hands.data import open_data as read_data
from latent_hands.data.readers.reading import check_limit
from latent_hands.data.sample import listed, with_handedness
from latent_hands.data.store import is_store
from latent_hands.data.windows import Windows
from latent_hands.doctor import Report
from latent_hands.errors import HandsError, as_list, as_path
from latent_hands.evaluation.scores import Scores
from latent_hands.evaluation.scoring import score_run, stored_windows
from latent_hands.predictor import Model, as_model
from latent_hands.progress import Progress, shown
from latent_hands.runs.shipped import shipped_models
from latent_hands.streaming import Live


def load(run: str | Path, device: str | torch.device | None = None) -> Model:
    """Load a trained run.

    Args:
        run: the name of a shipped model (`models()`); a run folder: a `Path`, or a text with a path separator
            such as "runs/mine" or "./mine"; or a run on the Hugging Face Hub, "hf-hub:owner/name@revision",
            where the revision is a commit, a tag or a branch. A download is kept, so it works offline later.
        device: a device of torch, such as "cpu", "cuda:1" or "mps"; by default a CUDA GPU if there is one.

    `Model.run` names what was loaded, with the commit on the Hub. Raises HandsError if there is no such run
    or device, and if a run on the Hub is private or cannot be reached.

    >>> model = lh.load("estimation")
    """
    return Model.load(run, device)


def live(
    source: int | str | Path = 0,
    run: Model | str | Path = "estimation",
    *,
    smooth: str = "online",
    handedness: str | None = None,
    bone_mm: float | None = None,
    focal_px: float | None = None,
    max_hands: int = 2,
    zoom: int = 1,
) -> Live:
    """Follow the hands in front of a camera: `for hands in lh.live(0): ...`.

    The result is an iterator over lists of `Hand`, one for each frame that is estimated; see `Live`. When the
    model is slower than the camera, older frames are dropped. `.frame` is the frame of the last hands,
    `.rates` states frames a second, latency and dropped frames, and `.close()` releases the camera.

    Args:
        source: a camera: its number from 0, "camera:NAME" or its device; or a video file, which plays in its
            own time.
        run: a model, or what `load` accepts.
        smooth: "online" filters with the frames so far, "none" gives each frame alone.
        handedness, bone_mm, max_hands, zoom: as in `Model.follow`.
        focal_px: the focal length in pixels of the first frame.

    Raises HandsError as `load` does, and as `Live` does for a camera that is missing or busy.

    >>> for hands in lh.live("clip.mp4"):                     # doctest: +SKIP
    ...     print([(hand.track, hand.uv_px[5]) for hand in hands])
    """
    return Live(
        source,
        as_model(run),
        smooth=smooth,
        handedness=handedness,
        bone_mm=bone_mm,
        focal_px=focal_px,
        max_hands=max_hands,
        zoom=zoom,
    )


def models() -> dict[str, str]:
    """Return the shipped models: what each one does, by name.

    >>> lh.models()["estimation"]
    '3D pose of a hand and its 21 joints in the image, from a crop of an RGB image.'
    """
    return shipped_models()


def data_sets() -> tuple[str, ...]:
    """Return the names of the data sets that `open_data` reads, with those of installed extensions.

    >>> "freihand" in lh.data_sets()
    True
    """
    return tuple(READERS)


def open_data(data: str, root: str | Path, split: str = "training", limit: int | None = None) -> list[Sample]:
    """Read a data set from disk as a list of samples. Images are opened later, when they are needed.

    Args:
        data: a name of `data_sets()`. "images" reads images without labels.
        root: the folder of the data set.
        split: "training" or "evaluation".
        limit: the number of samples to keep, from the first; all by default.

    Raises HandsError for an unknown name, and for a file that is missing or broken.

    >>> lh.open_data("images", "docs/pictures", "evaluation", limit=1)[0].image.name
    'animated.png'
    """
    return read_data(data, root, split, limit)


def experiments() -> dict[str, str]:
    """Return the experiments of the package, by name: the first line of each file.

    >>> "demo_estimation" in lh.experiments()
    True
    """
    return {name: _first_line(path) for name, path in packaged_experiments().items()}


def experiment(
    name_or_path: str | Path, overrides: Sequence[str] = (), **sections: Mapping[str, Any]
) -> Experiment:
    """Return an experiment: everything that decides a training.

    Args:
        name_or_path: a name of `experiments()`, or a TOML file.
        overrides: options as on the command line, such as "--training.epochs=3".
        sections: values by section. They are applied after `overrides`.

    Raises HandsError for an unknown section or key, and for a value that is out of range. Leave a key out to
    keep its value: None is not a value.

    >>> lh.experiment("demo_estimation", training={"epochs": 3, "seed": 1}).training.epochs
    3
    >>> lh.experiment("demo_estimation", ["--training.epochs=3"]).training.epochs
    3
    """
    return load_experiment(name_or_path, [*overrides, *as_options(sections)])


def train(
    experiment: Experiment | str | Path,
    out: str | Path,
    samples: Sequence[Sample] | None = None,
    *,
    validation: Sequence[Sample] | None = None,
    resume: bool = False,
) -> Model:
    """Train an experiment into a run folder and return the trained model.

    The same experiment and samples give the same weights. Ctrl-C saves the run and raises KeyboardInterrupt;
    `resume=True` continues it.

    Args:
        experiment: an experiment, its name, or its file.
        out: the run folder; it must not hold a run, unless `resume` is given.
        samples: the samples to train on. By default they are read from [data] name and root.
        validation: the samples to validate on. By default, with `samples`, they are the last [data]
            validation_share of them, or none if that is 0.
        resume: whether to continue the run in `out`.

    Raises HandsError before training if the graph or the data do not fit the experiment, and during training
    if a term of the bound is not finite.

    >>> short = {"epochs": 1, "batch_size": 4}
    >>> tiny = lh.experiment(
    ...     "demo_estimation",
    ...     data={"crop_px": 32, "window_px": 32, "margin": 1.0},
    ...     networks={"width": 4, "hidden": 16},
    ...     phases={"disentangle": short, "embed_pose": short, "embed_rgb": short},
    ... )
    >>> trained = lh.train(tiny, "runs/tiny", samples)
    """
    out = as_path(out, "out")
    if not isinstance(experiment, Experiment):
        experiment = load_experiment(experiment)
    hands = None
    if samples is not None:
        vae = build_vae(experiment)
        phases = build_phases(experiment, vae)
        held_out = None if validation is None else listed(validation)
        hands = build_hands(experiment, vae, phases, training=listed(samples), validation=held_out)
    elif validation is not None:
        raise HandsError("validation samples are given without training samples: give samples, too")
    if not training.train(experiment, out, resume, hands):
        raise KeyboardInterrupt(f"training was stopped; continue it with resume=True in {out}")
    return Model.load(out)


def evaluate(
    run: Model | str | Path,
    data: Sequence[Sample] | str,
    root: str | Path | None = None,
    split: str = "evaluation",
    *,
    rotations: int = 1,
    limit: int | None = None,
    exact_auc: bool = False,
    encoder: str | None = None,
    convention: str | None = None,
    handedness: str | None = None,
) -> Scores:
    """Score a run on labelled hands: errors of the joints, each with its 95 % interval.

    Handedness, bone length and camera of the labels are given to the run, as in the paper. `help(lh.Scores)`
    explains the keys of the result, which are also those of `latent-hands evaluate --json`.

    Args:
        run: a model, the name of a shipped model, or a run folder.
        data: samples, or the name of a data set.
        root: the folder of the data set, or a packed store of it.
        split: the split of the data set.
        rotations: number of rotated crops to average for each hand.
        limit: the number of samples to keep, from the first.
        exact_auc: integrate AUC 20-50 from 20 mm, not from the published 21.05 mm.
        encoder: the encoder that reads the images; by default one that reads rgb.
        convention: the joint convention of the labels, if the data set does not name it.
        handedness: the side of hands whose labels name none, "left" or "right".

    Samples without 3D joints are scored in the image ("in_image"). Raises HandsError if the run predicts no
    joints in the image there, for labels in a wrong unit, and as `open_data` does.

    >>> scores = lh.evaluate("estimation", samples)
    >>> low, high = scores["epe_mm_interval"]
    >>> low <= scores["epe_mm"] <= high
    True
    """
    check_limit(limit)
    model = as_model(run)
    if not isinstance(data, str):
        hands = listed(data)[:limit]
    elif is_store(folder := _folder(data, root)):
        hands = stored_windows(model, data, folder, split, rotations, limit, encoder)
    else:
        hands = open_data(data, folder, split, limit)
    if not isinstance(hands, Windows):
        hands = with_handedness(hands, handedness)
    return cast("Scores", score_run(model, hands, split, rotations, exact_auc, encoder, convention))


def check(
    data: Sequence[Sample] | str,
    root: str | Path | None = None,
    split: str | Sequence[str] = ("training", "evaluation"),
    limit: int | None = None,
    progress: Progress | bool = False,
) -> Report:
    """Examine a data set: units, joint order, handedness, axes, camera, broken files, outliers, duplicates.

    Args:
        data: samples, or the name of a data set.
        root: the folder of the data set.
        split: one or more splits of the data set to examine; absent ones are skipped.
        limit: the number of samples of each split to examine, from the first.
        progress: True shows progress bars; a function receives (split, samples done, all samples).

    Returns a report: `report.problems` is empty if nothing is wrong, `report.to_json()` holds everything.
    Raises HandsError for an unknown data set, if none of its splits exists, without samples, and if `limit`
    is below 1.

    >>> report = lh.check(samples)
    >>> for problem in report.problems:
    ...     print(problem)
    """
    check_limit(limit)
    if not isinstance(data, str):
        if not (samples := listed(data)):
            raise HandsError("there are no samples to examine: give one or more")
        with shown(progress) as progress:
            return doctor.check(samples[:limit], progress)
    splits = [split] if isinstance(split, str) else as_list(split, "split", "one or more names of splits")
    if not splits:
        raise HandsError("no split is named: give one or more")
    with shown(progress) as progress:
        return doctor.check_set(data, _folder(data, root), splits, limit, progress)


def _folder(data: str, root: str | Path | None) -> Path:
    """Return the folder of a data set. Raises HandsError for an unknown data set, and without a folder."""
    READERS.find(data)
    if root is None:
        raise HandsError(f'root is missing: give the folder of the data set "{data}"')
    return as_path(root, "root")


def _first_line(path: Path) -> str:
    return path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
