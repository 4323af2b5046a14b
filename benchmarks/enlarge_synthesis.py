"""Make the run that a training of `portraits128` starts with, from a model of 64 px and an estimator.

    python benchmarks/enlarge_synthesis.py OUT [--small synthesis] [--estimator estimation]

Encoders and decoders of cpose, viewpoint and pose, and the encoder of images, are those of the estimator.
Encoder and decoder of tags and the coarse painter are those of the small model. Their weights for z_content
are kept, and those for z_pose stay random, because cpose and viewpoint replace it.
"""

import argparse
from pathlib import Path

import torch
from torch import Tensor, nn

from latent_hands.build import build_vae
from latent_hands.configuration import load_experiment
from latent_hands.paper.graph import DisentangledVAE
from latent_hands.runs.folder import load_run, write_run
from latent_hands.runs.shrink import without_folders
from latent_hands.training.beginning import start_with


def main() -> None:
    """Write the run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--small", default="synthesis")
    parser.add_argument("--estimator", default="estimation")
    chosen = parser.parse_args()
    experiment = without_folders(load_experiment("portraits128"))
    vae, (small, _) = build_vae(experiment), load_run(chosen.small)
    start_with(vae, chosen.estimator)
    copy_content(vae, small)
    print(write_run(chosen.out, experiment, vae.state_dict(), {"enlarged_from": chosen.small}))


def copy_content(vae: DisentangledVAE, small: DisentangledVAE) -> None:
    """Set the arrows of tags and the coarse painter to those of the small model."""
    for of, to in (
        (small.encoder("tag").network, vae.encoder("tag").network.network),
        (small.decoder("tag").network, vae.decoder("tag").network.network),
        (small.decoder("rgb").network, vae.decoder("rgb").network.coarse),
    ):
        assert isinstance(of, nn.Module)
        assert isinstance(to, nn.Module)
        content = vae.latent["content"]
        own, given = to.state_dict(), of.state_dict()
        to.load_state_dict({name: last_inputs(own[name], given[name], content) for name in own})


def last_inputs(own: Tensor, given: Tensor, count: int) -> Tensor:
    """Return the given weights, or own ones whose last `count` inputs are those of the given ones."""
    if own.shape == given.shape:
        return given
    weight = own.clone()
    if own.dim() == 4:  # transposed convolutions have the inputs first
        weight[-count:] = given[-count:]
    else:
        weight[:, -count:] = given[:, -count:]
    return weight


if __name__ == "__main__":
    with torch.no_grad():
        main()
