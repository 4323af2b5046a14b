"""Train the shipped synthesis model of 128 px with rendered scenes, and with photographs.

    python benchmarks/train_portraits.py OUT --rendered scenes --photographs PHOTOS --faces faces.json \\
        --seed 21

`portrait_hands.py` describes the data. Everything else is the experiment `portraits128`, or another one
(`--experiment`). A training that was
stopped continues if it is started again with the same arguments.
"""

import argparse
from pathlib import Path

import portrait_hands

from latent_hands.configuration import load_experiment
from latent_hands.training import train


def main() -> None:
    """Train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("out", type=Path)
    portrait_hands.add_arguments(parser)
    parser.add_argument("--experiment", default="portraits128")
    parser.add_argument("--settings", nargs="*", default=[], help="further settings: SECTION.KEY=VALUE")
    chosen = parser.parse_args()
    settings = [f"--training.seed={chosen.seed}", *(f"--{each}" for each in chosen.settings)]
    experiment = load_experiment(chosen.experiment, settings)
    hands = portrait_hands.open_hands(chosen, experiment)
    train(experiment, chosen.out, hands=hands, resume=chosen.out.exists())


if __name__ == "__main__":
    main()
