"""Encoders of photographs from several runs over the same latent, as one run, whose estimates average them.

    python tools/join_encoders.py runs/first runs/second .. --out runs/all

An encoder whose name is taken is named by its backbone besides. All else must be the same in all runs, as
where [algorithm] finished embedded each into the latent of one [training] start. Sizes of networks are the
last run's.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from average_runs import check_inputs
from torch import Tensor

from latent_hands.build import build_vae
from latent_hands.errors import HandsError
from latent_hands.experiment import EncoderArrow, Experiment
from latent_hands.paper.graph import DisentangledVAE
from latent_hands.runs.folder import WEIGHTS, load_run, restore_weights, start_run, write_tensors


def photographic(experiment: Experiment) -> dict[str, EncoderArrow]:
    """The encoders of photographs, each with its backbone."""
    own = experiment.networks.backbone
    arrows = {name: arrow for name, arrow in experiment.encoders.items() if arrow.reads == "rgb"}
    return {name: replace(arrow, backbone=arrow.backbone or own) for name, arrow in arrows.items()}


def latent_of(vae: DisentangledVAE, experiment: Experiment) -> dict[str, Tensor]:
    """All weights but those of the encoders of photographs."""
    left_out = tuple(f"encoders.{name}." for name in photographic(experiment))
    return {name: tensor for name, tensor in vae.state_dict().items() if not name.startswith(left_out)}


def check_same(one: dict[str, Tensor], other: dict[str, Tensor], where: str) -> None:
    """Raise HandsError, naming the first difference."""
    for name in sorted(one.keys() | other.keys()):
        if name not in one or name not in other or not torch.equal(one[name], other[name]):
            raise HandsError(f"{name} differs between {where}: their latents are not the same")


def join(runs: Sequence[str], out: Path) -> None:
    """Write the joint run. Raises HandsError for runs that differ in more than those encoders."""
    loaded = [load_run(run) for run in runs]
    weights, joined = latent_of(*loaded[0]), {}
    for run, (vae, experiment) in zip(runs, loaded, strict=True):
        check_inputs(loaded[0][1], experiment, f"{runs[0]} and {run}")
        check_same(latent_of(*loaded[0]), latent_of(vae, experiment), f"{runs[0]} and {run}")
        for arrow, settings in photographic(experiment).items():
            name = arrow
            while name in joined:
                name += f"_{settings.backbone}"
            joined[name] = settings
            held = vae.encoder(arrow).state_dict()
            weights |= {f"encoders.{name}.{each}": tensor for each, tensor in held.items()}
    first, last = loaded[0][1], loaded[-1][1]
    networks = replace(last.networks, backbone=first.networks.backbone)
    experiment = replace(first, encoders=first.encoders | joined, networks=networks)
    restore_weights(build_vae(experiment), weights, " with ".join(runs))
    start_run(out, experiment)
    write_tensors(out / WEIGHTS, weights, {"joined": " ".join(Path(run).name for run in runs)})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("runs", nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    try:
        join(options.runs, options.out)
    except HandsError as error:
        raise SystemExit(f"error: {error}") from None


if __name__ == "__main__":
    main()
