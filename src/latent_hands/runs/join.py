"""One run with the image encoders of several runs that share a latent."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from latent_hands.build import build_vae
from latent_hands.configuration import EncoderArrow, Experiment
from latent_hands.errors import HandsError
from latent_hands.paper.graph import DisentangledVAE
from latent_hands.runs.average import check_arrows, check_inputs, check_runs
from latent_hands.runs.folder import load_run, write_run
from latent_hands.runs.hub import short_name
from latent_hands.runs.tensors import load_weights


def join(runs: Sequence[str | Path], out: str | Path) -> Path:
    """Write a run with the encoders of rgb of all runs; its predictions average them. Return its folder.

    All other weights must be equal. They are when each run embedded its encoder into the finished latent of
    the same run ([algorithm] finished, [training] start). An encoder whose name is taken gets the name of its
    network as a suffix. The sizes of the networks are those of the last run.

    Args:
        runs: run folders or names of shipped models, at least one.
        out: the new run folder.

    Raises HandsError if `runs` is empty, if other weights or the inputs differ, if a run cannot be loaded,
    and if `out` is not empty.
    """
    check_runs(runs)
    loaded = [load_run(run) for run in runs]
    vae, first = loaded[0]
    shared = other_weights(vae, first)
    weights, encoders = dict(shared), dict[str, EncoderArrow]()
    for run, (vae, experiment) in zip(runs, loaded, strict=True):
        check_inputs(first, experiment, f"{runs[0]} and {run}")
        check_arrows(others(first), experiment, f"{runs[0]} and {run}")
        check_equal(shared, other_weights(vae, experiment), f"{runs[0]} and {run}")
        for arrow, settings in rgb_encoders(experiment).items():
            name = free_name(arrow, encoders, f"_{settings.network}")
            encoders[name] = settings
            state = vae.encoder(arrow).state_dict()
            weights |= {f"encoders.{name}.{key}": tensor for key, tensor in state.items()}
    networks = replace(loaded[-1][1].networks, image_encoder=first.networks.image_encoder)
    experiment = replace(first, encoders=first.encoders | encoders, networks=networks)
    load_weights(build_vae(experiment), weights, " with ".join(map(str, runs)))
    return write_run(out, experiment, weights, {"joined": " ".join(short_name(run) for run in runs)})


def rgb_encoders(experiment: Experiment) -> dict[str, EncoderArrow]:
    """Return the encoders of rgb by name, each with its network."""
    default = experiment.networks.image_encoder
    arrows = {name: arrow for name, arrow in experiment.encoders.items() if arrow.reads == "rgb"}
    return {name: replace(arrow, network=arrow.network or default) for name, arrow in arrows.items()}


def others(experiment: Experiment) -> Experiment:
    """Return the experiment without its encoders of rgb."""
    images = rgb_encoders(experiment)
    kept = {name: arrow for name, arrow in experiment.encoders.items() if name not in images}
    return replace(experiment, encoders=kept)


def other_weights(vae: DisentangledVAE, experiment: Experiment) -> dict[str, Tensor]:
    """Return all weights except those of the encoders of rgb."""
    excluded = tuple(f"encoders.{name}." for name in rgb_encoders(experiment))
    return {name: tensor for name, tensor in vae.state_dict().items() if not name.startswith(excluded)}


def free_name(name: str, taken: Mapping[str, object], suffix: str) -> str:
    """Return the name, with the suffix as often as needed to make it new."""
    while name in taken:
        name += suffix
    return name


def check_equal(one: Mapping[str, Tensor], other: Mapping[str, Tensor], where: str) -> None:
    """Raise HandsError, naming the first difference, if two sets of weights differ."""
    for name in sorted(one.keys() | other.keys()):
        if name not in one or name not in other or not torch.equal(one[name], other[name]):
            raise HandsError(f"{name} differs between {where}: only encoders of rgb may differ")
