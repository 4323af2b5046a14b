"""The mean of the weights of several runs (Wortsman et al. 2022, "Model soups")."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from latent_hands.build import build_vae
from latent_hands.configuration import Experiment
from latent_hands.errors import HandsError
from latent_hands.runs.folder import INPUTS, find_run, load_run, write_run
from latent_hands.runs.hub import short_name
from latent_hands.runs.tensors import load_weights

MEANING = ("reads", "writes", "factors", "over")
"""The keys of an arrow that decide what its numbers mean."""
LEAST_ALIKE = 0.5
"""The least correlation of the weights of runs that began with the same weights; of others it is near 0."""
_LOG = logging.getLogger(__name__)


def average(runs: Sequence[str | Path], out: str | Path) -> Path:
    """Write a run whose weights are the mean of the weights of several runs; return its folder.

    The mean is useful for runs that began with the same weights, such as a run and a run that continued
    from it by [training] start; a warning names networks that did not. The experiment of the new run is that
    of the last run.

    Args:
        runs: run folders or names of shipped models, at least one.
        out: the new run folder.

    Raises HandsError if `runs` is empty, if the graphs or the inputs differ, if a run cannot be loaded, and
    if `out` is not empty.
    """
    check_runs(runs)
    loaded = [load_run(run) for run in runs]
    experiment = loaded[-1][1]
    for run, (vae, other) in zip(runs, loaded, strict=True):
        load_weights(build_vae(experiment), dict(vae.state_dict()), str(run))
        check_arrows(experiment, other, f"{runs[-1]} and {run}")
        check_inputs(experiment, other, f"{runs[-1]} and {run}")
    for run, (vae, _) in zip(runs[:-1], loaded, strict=False):
        if names := unlike(vae.state_dict(), loaded[-1][0].state_dict()):
            text = (
                "%s of %s and %s did not begin with the same weights, so that their mean may predict nonsense"
            )
            _LOG.warning(text, ", ".join(names), run, runs[-1])
    mean = mean_weights([vae.state_dict() for vae, _ in loaded])
    return write_run(out, experiment, mean, {"mean_of": " ".join(short_name(run) for run in runs)})


def mean_weights(states: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Return the mean of every weight and of BatchNorm's statistics, and the integers of the last state."""
    return {
        name: torch.stack([state[name] for state in states]).mean(dim=0) if last.is_floating_point() else last
        for name, last in states[-1].items()
    }


def unlike(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> list[str]:
    """Return the arrows, such as "decoders.pose", whose matrices in two states hardly correlate."""
    matrices = dict[str, list[Tensor]]()
    for name, tensor in one.items():
        if tensor.is_floating_point() and tensor.ndim > 1:
            pair = torch.stack([tensor.flatten(), other[name].flatten()])
            matrices.setdefault(".".join(name.split(".")[:2]), []).append(pair)
    return [
        arrow for arrow, each in matrices.items() if torch.corrcoef(torch.cat(each, 1))[0, 1] < LEAST_ALIKE
    ]


def check_runs(runs: Sequence[str | Path]) -> None:
    """Raise HandsError if there is no run; announce runs that are given twice."""
    if not runs:
        raise HandsError("no run is given; at least one is needed")
    folders = [find_run(run).resolve() for run in runs]
    for i, folder in enumerate(folders):
        if folder in folders[:i]:
            _LOG.warning("%s is given twice, so it counts twice", runs[i])


def check_arrows(one: Experiment, other: Experiment, where: str) -> None:
    """Raise HandsError, naming the first difference, if arrows of one name are different in two runs.

    Weights of equal shapes fit arrows that read or write something else.
    """
    for kind in ("encoders", "decoders"):
        for name, arrow in getattr(one, kind).items():
            for key, value in vars(getattr(other, kind).get(name, arrow)).items():
                if key in MEANING and value != (own := getattr(arrow, key)):
                    raise HandsError(f"{kind}.{name} differs between {where}: {key} is {own}, and is {value}")


def check_inputs(one: Experiment, other: Experiment, where: str) -> None:
    """Raise HandsError, naming the first difference, if the networks of two runs read different inputs."""
    for name in INPUTS:
        if (first := getattr(one.data, name)) != (second := getattr(other.data, name)):
            raise HandsError(f"[data] {name} differs between {where}: {first} and {second}")
