"""The commands runs: new runs from trained runs."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import arg

from latent_hands.cli.options import Data, Json, Limit, Root, Run, Runs, Split
from latent_hands.cli.tables import print_json, print_table

if TYPE_CHECKING:
    from latent_hands.evaluation.calibration import Calibration

Out = Annotated[Path, arg(metavar="DIR", help="The new run folder.")]


def average(runs: Runs, out: Out) -> None:
    """Average the weights of runs into one run (model soups, Wortsman et al. 2022).

    $ latent-hands runs average runs/first runs/second --out runs/mean

    Output: a run folder with the experiment of the last run.

    The average is useful for runs that began with the same weights, such as a run and a run that continued
    from it ([training] start). Runs with other graphs, crops or frames are an error.
    """
    from latent_hands.runs.average import average as write

    print(write(runs, out))


def join(runs: Runs, out: Out) -> None:
    """Join the image encoders of runs into one run, whose predictions average them.

    $ latent-hands runs join runs/first runs/second --out runs/all

    Output: a run folder with the image encoders of all runs. An encoder whose name is taken gets the name of
    its network as a suffix.

    All other weights must be equal. They are if every run embedded its encoder into the same finished latent
    ([algorithm] finished, [training] start). Other weights are an error that names the first difference.
    """
    from latent_hands.runs.join import join as write

    print(write(runs, out))


def shrink(run: Run, out: Out) -> None:
    """Copy a run with weights of half precision, to publish it: a quarter of the size.

    $ latent-hands runs shrink runs/mine --out published

    Output: a run folder without the names of local folders and without the state of the optimiser.

    All commands accept it except `train --resume`.
    """
    from latent_hands.runs.shrink import shrink as write

    folder = write(run, out)
    size = sum(file.stat().st_size for file in folder.iterdir())
    print(f"{folder}: {size / 1e6:.1f} MB")


def calibrate(
    run: Run,
    data: Data,
    root: Root,
    split: Split = "evaluation",
    limit: Limit = None,
    write: bool = False,
    json: Json = False,
) -> None:
    """Fit the temperature of draws, so that their spread equals the error of their mean.

    $ latent-hands runs calibrate runs/mine --data rendered --root hands
    $ latent-hands runs calibrate runs/mine --data rendered --root hands --write

    Output: the temperature, and error over spread before and after: 1 is calibrated, more than 1 is too
    certain (docs/assess.md). The temperature is fitted to one half of the scenes. The other half is the test.

    Use hands like those that the run will predict, but none of its training hands. Labels of a single scene
    are an error.

    Args:
        write: Write the temperature into experiment.toml of the run.
    """
    from latent_hands.cli.sources import find_samples
    from latent_hands.evaluation.calibration import calibrate as fit

    result = fit(run, find_samples(data, root, split, (), limit), write)
    if json:
        print_json(asdict(result))
    else:
        print_calibration(result, f"{run} on {split} of {data}: error over spread")


def print_calibration(result: "Calibration", title: str) -> None:
    """Print error over spread before and after a calibration."""
    lines = {"temperature 1": result.before, f"temperature {result.temperature:.2f}": result.after}
    rows = [[name, *(f"{number:.2f}" for number in halves)] for name, halves in lines.items()]
    print_table(["", "fitted half", "other half"], rows, title)
