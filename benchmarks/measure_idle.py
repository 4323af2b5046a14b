"""Measure everything that docs/results/speed.md states about two idle cores, in about five minutes.

    python benchmarks/measure_idle.py > speed.txt

Nothing else may use the machine: the numbers are absolute.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
DEFAULT_WAIT = {"OMP_WAIT_POLICY": "ACTIVE"}
PROGRAMS: tuple[tuple[str, list[str], dict[str, str]], ...] = (
    ("training", ["measure_training.py", "--rounds", "4", "--seconds", "4"], {}),
    (
        "training, waiting threads spin",
        ["measure_training.py", "--rounds", "2", "--seconds", "3"],
        DEFAULT_WAIT,
    ),
    ("scale", ["measure_scale.py", "--rounds", "1"], {}),
    ("rendering", ["measure_speed.py", "--only", "rendering"], {}),
    ("processes", ["measure_processes.py", "--rounds", "1"], {}),
)


def main() -> None:
    print(f"load before: {os.getloadavg()[0]:.2f}; it must be near 0", flush=True)
    for title, (program, *options), environment in PROGRAMS:
        print(f"\n== {title}: {program} {' '.join(options)} {environment or ''}", flush=True)
        started = time.monotonic()
        command = [sys.executable, str(HERE / program), *options]
        subprocess.run(command, env=os.environ | {"COLUMNS": "130"} | environment, check=False)
        print(f"{time.monotonic() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
