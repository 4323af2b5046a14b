"""A small copy of a run, to publish."""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from latent_hands.build.graph import sketch_vae
from latent_hands.configuration import Experiment
from latent_hands.configuration.algorithm import Algorithm1, Algorithm2
from latent_hands.errors import HandsError
from latent_hands.runs.folder import load_run, write_run
from latent_hands.runs.hub import short_name


def shrink(run: str | Path, out: str | Path, without: Collection[str] = ()) -> Path:
    """Write a copy of a run with its weights in half precision; return its folder.

    All commands accept the copy except `train --resume`, because it lacks Adam's moments. Its experiment
    does not name the folders of the machine that trained it. Variances of BatchNorm stay float32, because
    they may exceed the range of half precision.

    Args:
        run: a run folder or the name of a shipped model.
        out: the folder of the copy.
        without: arrows that the copy lacks, such as "decoders.tag".

    Raises HandsError if the run cannot be loaded, if it lacks one of the arrows, if an arrow that stays needs
    one of them, and if `out` is not empty.
    """
    vae, experiment = load_run(run)
    left_out = tuple(f"{arrow}." for arrow in without)
    weights = {
        name: t.half() if t.is_floating_point() and not name.endswith("running_var") else t
        for name, t in vae.state_dict().items()
        if not name.startswith(left_out)
    }
    small = without_arrows(without_folders(experiment), without)
    sketch_vae(small)
    return write_run(out, small, weights, {"exported_from": short_name(run)})


def without_arrows(experiment: Experiment, arrows: Collection[str]) -> Experiment:
    """Return the experiment without some arrows, such as "decoders.tag".

    The algorithm no longer names them. Raises HandsError with the name of an unknown arrow.
    """
    every = {"encoders": experiment.encoders, "decoders": experiment.decoders}
    known = [f"{kind}.{name}" for kind, names in every.items() for name in names]
    for arrow in arrows:
        if arrow not in known:
            raise HandsError(f'this run has no arrow "{arrow}"; its arrows are {", ".join(known)}')
    kept = {
        kind: {name: arrow for name, arrow in names.items() if f"{kind}.{name}" not in arrows}
        for kind, names in every.items()
    }
    steps = {
        key: tuple(name for name in getattr(experiment.algorithm, key) if name in kept["encoders"])
        for key in ("encode", "embed")
        if hasattr(experiment.algorithm, key)
    }
    lam = {name: value for name, value in experiment.algorithm.lam.items() if name in kept["decoders"]}
    return replace(experiment, **kept, algorithm=replace(experiment.algorithm, lam=lam, **steps))


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
