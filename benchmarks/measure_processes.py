"""Measure the speed-up of training in two processes, as on two machines, over one process (CPU, gloo).

    python benchmarks/measure_processes.py [--rounds 2] [--updates 40]

One process with one thread, one with two threads and two with one thread each take turns. The experiment is
`study_estimation` on a store of rendered hands; a rate is the median of its last phase in metrics.jsonl.
Gradients are averaged after each update, so the images of an update double with the processes.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

VARIANTS = {
    "1 process, 1 thread": (1, 1),
    "1 process, 2 threads": (1, 2),
    "2 processes, 1 thread each": (2, 1),
}
BATCH, HANDS = 64, 64
PROGRAM = "import sys; from latent_hands.cli import main; sys.exit(main())"


def rate(store: Path, out: Path, processes: int, threads: int, updates: int) -> float:
    """Return the images per second of the embedding of images."""
    from tiled_store import convention_option

    from latent_hands.runs.metrics import read_metrics

    epochs = max(1, updates * BATCH * processes // 1212)
    options = [
        f"--data.root={store}",
        convention_option(store),
        "--data.validation_share=0.01",
        "--training.validate_every=100000",
    ]
    options += ["--phases.disentangle.epochs=1", "--phases.embed_pose.epochs=1"]
    options += [f"--phases.embed_rgb.epochs={epochs}", f"--phases.embed_rgb.batch_size={BATCH}"]
    program = out.parent / "program.py"
    program.write_text(PROGRAM)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]
    command += [str(processes), str(program), "train", "study_estimation", "--out", str(out), *options]
    environment = os.environ | {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    lines = [
        line
        for line in read_metrics(out / "metrics.jsonl")
        if line["phase"] == "embed_rgb" and "samples_per_s" in line
    ]
    return median(float(line["samples_per_s"]) for line in lines)


def main() -> None:
    from measure_scale import write_stores

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--updates", type=int, default=40)
    options = parser.parse_args()
    found: dict[str, list[float]] = {name: [] for name in VARIANTS}
    with tempfile.TemporaryDirectory() as folder:
        write_stores(Path(folder), [1200], "study_estimation")
        for number in range(options.rounds):
            for name, (processes, threads) in VARIANTS.items():
                out = Path(folder) / f"{number}-{processes}-{threads}"
                found[name].append(rate(Path(folder) / "1200", out, processes, threads, options.updates))
    table = Table("training", "images/s, best", "over 1 process, 1 thread")
    base = max(next(iter(found.values())))
    for name, rates in found.items():
        table.add_row(name, f"{max(rates):.1f}", f"{max(rates) / base:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
