"""A small copy of a run, to publish."""

from dataclasses import replace
from pathlib import Path

from latent_hands.configuration import Experiment
from latent_hands.configuration.algorithm import Algorithm1, Algorithm2
from latent_hands.runs.folder import load_run, write_run
from latent_hands.runs.hub import short_name


def shrink(run: str | Path, out: str | Path) -> Path:
    """Write a copy of a run with its matrices in half precision; return its folder.

    All commands accept the copy except `train --resume`, because it lacks Adam's moments. Its experiment
    does not name the folders of the machine that trained it. Vectors stay float32: they are small, and the
    variances of BatchNorm may exceed the range of half precision.

    Args:
        run: a run folder or the name of a shipped model.
        out: the folder of the copy.

    Raises HandsError if the run cannot be loaded and if `out` is not empty.
    """
    vae, experiment = load_run(run)
    weights = {name: t.half() if t.dim() > 1 else t for name, t in vae.state_dict().items()}
    return write_run(out, without_folders(experiment), weights, {"exported_from": short_name(run)})


def without_folders(experiment: Experiment) -> Experiment:
    """Return the experiment without the folders of its data, its photos and the run that it started with."""
    algorithm = experiment.algorithm
    if isinstance(algorithm, Algorithm1 | Algorithm2):
        algorithm = replace(algorithm, finished=False)
    return replace(
        experiment,
        algorithm=algorithm,
        data=replace(experiment.data, root=""),
        supervision=replace(experiment.supervision, photos=""),
        training=replace(experiment.training, start="", start_with=()),
    )
