"""Measure how memory and time of training grow with the number of hands in a packed store (Linux).

    python benchmarks/measure_scale.py [--hands 1000 10000 41000 200000] [--batches 20]

Each size runs in a process of its own and three times, in turns. The stores repeat a few rendered hands, and
their shards are links to one file, so that the largest needs little disk. Their images are therefore read
from memory; a disk would add its own time.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

SIZES = [1_000, 10_000, 41_000, 200_000]
ROUNDS = 3
COLUMNS = {
    "hands": "hands",
    "open_s": "open, s",
    "start_s": "first batch after, s",
    "batch_ms": "a batch, ms of CPU",
    "batch_wall_ms": "a batch, ms",
    "own_mb": "own memory, MB",
}


def measure(store: Path, batches: int) -> dict[str, float]:
    """Measure one store: from the imported program to the first batch, then augmented batches of 64."""
    import torch
    from tiled_store import convention_option

    from latent_hands.build import build_batches, build_hands, build_phases, build_vae
    from latent_hands.configuration import load_experiment
    from latent_hands.paper.algorithms import keys
    from latent_hands.training.feeds import check_data

    torch.set_num_threads(1)
    options = [f"--data.root={store}", "--data.name=rendered", convention_option(store), *SHARE]
    experiment = load_experiment("paper_rhd", options)
    vae = build_vae(experiment)
    phases = build_phases(experiment, vae)
    before_mb, started = own_mb(), time.perf_counter()
    hands = build_hands(experiment, vae, phases)
    opened = time.perf_counter()
    check_data(experiment, vae, phases, hands)
    phase = phases[-1]
    loader = build_batches(experiment, hands.training, phase, seed=0).epoch(0, keys(vae, phase.parts))
    next(loader)
    ready, cpu = time.perf_counter(), time.process_time()
    for _ in range(batches):
        next(loader)
    wall_ms, cpu_ms = (
        1000 * (now - then) / batches
        for now, then in ((time.perf_counter(), ready), (time.process_time(), cpu))
    )
    return {
        "hands": len(hands.training),
        "open_s": opened - started,
        "start_s": ready - opened,
        "batch_ms": cpu_ms,
        "batch_wall_ms": wall_ms,
        "own_mb": own_mb() - before_mb,
    }


SHARE = ["--data.validation_share=0.01", "--data.validation_limit=100"]


def own_mb() -> float:
    """Return the memory of this process in MB, without mapped files."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("RssAnon:")[1].split()[0]) / 1024


def write_stores(folder: Path, sizes: list[int], experiment: str = "paper_rhd") -> None:
    """Write a store for each size, with the windows of an experiment."""
    from tiled_store import write_tiled_store

    from latent_hands.configuration import load_experiment
    from latent_hands.data import open_data
    from latent_hands.data.crops import build_windows
    from latent_hands.data.store import Cut
    from latent_hands.rendering.sets.dataset import render_dataset

    data = load_experiment(experiment).data
    cut = Cut("rendered", data.crop, data.right_hands, data.margin, data.window_px)
    hands = render_dataset(folder / "hands", 16, 64, 0, 1, evaluation_count=0, progress=False)
    samples = open_data("rendered", hands, "training")
    windows = build_windows(samples, cut.crop, cut.margin, cut.window_px, cut.right_hands)
    for size in sizes:
        write_tiled_store(folder / str(size), windows, cut, size)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--hands", type=int, nargs="+", default=SIZES)
    parser.add_argument("--batches", type=int, default=20, help="batches to time (default: 20)")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--store", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.store:
        print(json.dumps(measure(options.store, options.batches)))
        return
    from rich.console import Console
    from rich.table import Table

    with tempfile.TemporaryDirectory() as folder:
        write_stores(Path(folder), options.hands)
        found: dict[int, list[dict[str, float]]] = {size: [] for size in options.hands}
        for _ in range(options.rounds):
            for size, rows in found.items():
                command = [sys.executable, __file__, "--store", f"{folder}/{size}"]
                command += ["--batches", str(options.batches)]
                done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
                rows.append(json.loads(done.stdout))
    table = Table(*COLUMNS.values())
    for rows in found.values():
        table.add_row(*(f"{median(row[name] for row in rows):.4g}" for name in COLUMNS))
    Console().print(table)


if __name__ == "__main__":
    main()
