"""Make the published run of a training of `portraits128`.

    python benchmarks/publish_portraits.py RUN OUT

The weights have half precision. Decoders that only helped to learn are left out. The encoder of tags can read
any image of a hand. In the published run its name is "content" and it reads "rgb".
"""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

from latent_hands.configuration import Experiment
from latent_hands.runs.folder import WEIGHTS, load_run, write_run
from latent_hands.runs.shrink import shrink
from latent_hands.runs.tensors import read_tensors

LEFT_OUT = ("decoders.cpose", "decoders.viewpoint", "decoders.tag")


def main() -> None:
    """Write the run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        small = shrink(chosen.run, Path(folder) / "small", LEFT_OUT)
        _, experiment = load_run(small)
        weights, about = read_tensors(small / WEIGHTS)
    renamed = {name.replace("encoders.tag.", "encoders.content."): tensor for name, tensor in weights.items()}
    print(write_run(chosen.out, reading_images(experiment), renamed, about))


def reading_images(experiment: Experiment) -> Experiment:
    """Return the experiment with the encoder of tags as one of images."""
    encoders = dict(experiment.encoders)
    encoders["content"] = replace(encoders.pop("tag"), reads="rgb")
    encode = tuple("content" if name == "tag" else name for name in experiment.algorithm.encode)
    return replace(experiment, encoders=encoders, algorithm=replace(experiment.algorithm, encode=encode))


if __name__ == "__main__":
    main()
