"""The command train."""

import sys
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, Suppress, arg

from latent_hands.cli.options import unset


def train(
    experiment: Annotated[str, Positional, arg(metavar="EXPERIMENT")],
    out: Annotated[Path | None, unset("runs/EXPERIMENT", "DIR", "The new run folder.")] = None,
    resume: bool = False,
    overrides: Annotated[tuple[str, ...], Suppress] = (),
) -> None:
    """Train an experiment: a TOML file, or a shipped one by name.

    $ latent-hands train demo_estimation --data.root hands --out runs/mine
    $ latent-hands train my.toml --training.batch-size 64 --training.seed 3
    $ latent-hands train my.toml --out runs/mine --resume

    Output: a run folder with experiment.toml (all settings), weights and metrics.jsonl (terms of the bound
    and validation results). Other commands take it as RUN.

    --section.key VALUE changes any value of the experiment. Most used: --data.root DIR, --training.epochs N
    and --training.batch-size N; docs/experiments.md has all keys. An unknown key is an error that names the
    nearest known key. `latent-hands models` lists the shipped experiments.

    Ctrl-C, SIGTERM and SIGHUP save the training; --resume continues it with the same result, bit for bit.
    A warning names a factor of the latent that carries no information.

    Args:
        experiment: A TOML file, or the name of a shipped experiment.
        resume: Continue an interrupted run.
    """
    from latent_hands.configuration import load_experiment
    from latent_hands.training import train as run_training

    chosen = load_experiment(experiment, overrides)
    if not run_training(chosen, out or Path("runs") / Path(experiment).stem, resume=resume):
        print("Continue it with --resume.", file=sys.stderr)
        raise KeyboardInterrupt
