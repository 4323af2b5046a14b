"""Make the run that a training of `portraits128_u` starts with, from a model with tags.

    python benchmarks/start_without_tags.py synthesis START

The encoder of u begins as the encoder of contents. The decoder of poses also reads u, as Algorithm 2 demands:
its weights for u begin at zero, so it decodes the same poses.
"""

import argparse
from pathlib import Path

import torch

from latent_hands.build import build_vae
from latent_hands.configuration import load_experiment
from latent_hands.runs.folder import load_run, write_run

RENAMED = {"encoders.u": "encoders.content"}
FIRST_LAYER = "network.layers.0.weight"


def main() -> None:
    """Write the run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("start")
    parser.add_argument("out", type=Path)
    chosen = parser.parse_args()
    experiment = load_experiment("portraits128_u", ["--training.start="])
    vae, (given, _) = build_vae(experiment), load_run(chosen.start)
    for name, arrow in vae.arrows.items():
        weights = given.arrows[RENAMED.get(name, name)].state_dict()
        if name == "decoders.pose":
            further = arrow.state_dict()[FIRST_LAYER].shape[1] - weights[FIRST_LAYER].shape[1]
            weights[FIRST_LAYER] = torch.nn.functional.pad(weights[FIRST_LAYER], (0, further))
        arrow.load_state_dict(weights)
    print(write_run(chosen.out, experiment, vae.state_dict(), {"start": chosen.start}))


if __name__ == "__main__":
    main()
