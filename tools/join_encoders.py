"""Encoders of photographs from two runs over the same latent, as one run: its estimates are their average.

    python tools/join_encoders.py runs/first runs/second --out runs/both

The second run's encoder of photographs joins the first's, named by its backbone. All else must be the same in
both, as where [algorithm] finished embedded each into the latent of one [training] start.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import torch

from latent_hands.build import build_vae
from latent_hands.checkpoint import WEIGHTS, load_run, restore_weights, start_run, write_tensors
from latent_hands.errors import HandsError

RGB = "encoders.rgb."


def join(first: str, second: str, out: Path) -> None:
    """Write the joint run. Raises HandsError for runs that differ in more than that encoder."""
    (mine, experiment), (theirs, other) = load_run(first), load_run(second)
    weights, added = dict(mine.state_dict()), dict(theirs.state_dict())
    for name in sorted(weights.keys() | added.keys()):
        same = name in weights and name in added and torch.equal(weights[name], added[name])
        if not name.startswith(RGB) and not same:
            raise HandsError(f"{name} differs between {first} and {second}: their latents are not the same")
    backbone = other.networks.backbone
    name = f"rgb_{backbone}"
    own = replace(experiment.encoders["rgb"], backbone=experiment.networks.backbone)
    joined = replace(other.encoders["rgb"], backbone=backbone)
    experiment = replace(
        experiment,
        encoders=experiment.encoders | {"rgb": own, name: joined},
        networks=replace(other.networks, backbone=experiment.networks.backbone),
    )
    new = {f"encoders.{name}.{n.removeprefix(RGB)}": t for n, t in added.items() if n.startswith(RGB)}
    restore_weights(build_vae(experiment), weights | new, f"{first} with {second}")
    start_run(out, experiment)
    write_tensors(out / WEIGHTS, weights | new, {"joined": f"{Path(first).name} {Path(second).name}"})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("first")
    parser.add_argument("second")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    try:
        join(options.first, options.second, options.out)
    except HandsError as error:
        raise SystemExit(f"error: {error}") from None


if __name__ == "__main__":
    main()
