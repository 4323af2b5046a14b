"""A run as it is given to others: experiment.toml and half-precision weights, a quarter of the size.

    python tools/export_weights.py runs/mine OUT

The shipped weights were made so. Where training data lay, and what the run began with, stays untold. OUT is a
run folder that every command but `train --resume` takes.
"""

import argparse
from pathlib import Path

from latent_hands.errors import HandsError
from latent_hands.runs.folder import export_weights


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    try:
        export_weights(options.run, options.out)
    except (HandsError, OSError) as error:
        raise SystemExit(f"error: {error}") from None
    print(f"{options.out}: {sum(file.stat().st_size for file in options.out.iterdir()) / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
