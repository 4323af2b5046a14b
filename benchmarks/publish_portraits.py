"""Make the published run of a training of `portraits128` or `portraits128_u`.

    python benchmarks/publish_portraits.py RUN OUT

The weights have half precision. The encoder of contents learned from tags, but it can read any image of a
hand: in the published run it reads "rgb".
"""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

from latent_hands.runs.folder import WEIGHTS, load_run, write_run
from latent_hands.runs.shrink import shrink
from latent_hands.runs.tensors import read_tensors


def main() -> None:
    """Write the run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        small = shrink(chosen.run, Path(folder) / "small")
        _, experiment = load_run(small)
        weights, about = read_tensors(small / WEIGHTS)
    encoders = {
        name: replace(arrow, reads="rgb") if arrow.reads == "tag" else arrow
        for name, arrow in experiment.encoders.items()
    }
    print(write_run(chosen.out, replace(experiment, encoders=encoders), weights, about))


if __name__ == "__main__":
    main()
