"""The mean of several runs' weights, as a run of its own (Wortsman et al. 2022, "Model soups").

    python tools/average_runs.py runs/first runs/second --out runs/mean

Sensible for runs that began with the same weights, such as a run and one that [training] start continued from
it. The experiment is that of the last run; its training settings are what its own part was trained by.
"""

import argparse
from pathlib import Path

import torch
from torch import Tensor

from latent_hands.build import build_vae
from latent_hands.errors import HandsError
from latent_hands.experiment import Experiment
from latent_hands.runs.folder import WEIGHTS, load_run, restore_weights, start_run, write_tensors


def mean_of(states: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Means, number by number, BatchNorm's statistics included; what is no real number is the last run's."""
    return {
        name: torch.stack([state[name] for state in states]).mean(dim=0) if last.is_floating_point() else last
        for name, last in states[-1].items()
    }


def check_inputs(one: Experiment, other: Experiment, where: str) -> None:
    """Raise HandsError for runs that are shown images in other ways, naming the first difference."""
    for name in ("crop", "crop_px", "frame", "side", "convention"):
        if (ours := getattr(one.data, name)) != (theirs := getattr(other.data, name)):
            raise HandsError(f"[data] {name} of {where} differ: {ours} and {theirs}")


def average(runs: list[str], out: Path) -> None:
    """Write the mean run. Raises HandsError for runs of different graphs, and as opening them does."""
    loaded = [load_run(run) for run in runs]
    experiment = loaded[-1][1]
    for run, (vae, _) in zip(runs, loaded, strict=True):
        restore_weights(build_vae(experiment), dict(vae.state_dict()), run)
    for run, (_, other) in zip(runs, loaded, strict=True):
        check_inputs(experiment, other, f"{runs[-1]} and {run}")
    start_run(out, experiment)
    mean = mean_of([dict(vae.state_dict()) for vae, _ in loaded])
    write_tensors(out / WEIGHTS, mean, {"mean_of": " ".join(Path(run).name for run in runs)})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("runs", nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    try:
        average(options.runs, options.out)
    except HandsError as error:
        raise SystemExit(f"error: {error}") from None


if __name__ == "__main__":
    main()
