"""Compare a packed store with image files, and measure how long training waits for data.

    latent-hands render hands --count 400 --size-px 160
    python benchmarks/measure_store.py hands [--repeat 3] [--updates 30]

Everything is measured in one run, because machines are noisy: read the ratios. All files were read before, so
the speed of the disk has no influence. On a busy machine the threads of a training step wait for each other.
Steps then take longer and the share of waiting looks smaller. OMP_NUM_THREADS=1 measures steps of one thread.
"""

import argparse
import os
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from torch.optim import AdamW

from latent_hands.build import build_batches, build_phases, build_vae
from latent_hands.configuration import load_experiment
from latent_hands.data import open_data
from latent_hands.data.crops import build_windows
from latent_hands.data.prepare import prepare
from latent_hands.data.shard_files import open_windows
from latent_hands.data.store import Cut
from latent_hands.data.windows import Windows
from latent_hands.paper.algorithms import keys
from latent_hands.training.learning import parameters, take_step

THREADS = torch.get_num_threads()
EXPERIMENT, PHASE = load_experiment("estimation"), "embed_rgb"
CUT = Cut("rendered", "box", "mirror", EXPERIMENT.data.margin, EXPERIMENT.data.window_px)


def resident_mb() -> float:
    """Return the memory of this process in MB, without mapped files (Linux)."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("RssAnon:")[1].split()[0]) / 1024


def loading(hands: Path, store: Path) -> dict[str, float]:
    """Measure the processor seconds of the same windows, and the memory of the open store in MB.

    The windows are cut from images, opened in the store, or opened and copied. Processor seconds depend
    little on other work of the machine.
    """
    torch.set_num_threads(1)  # the processor time of waiting threads would count as work
    clock = [time.process_time()]
    samples = open_data("rendered", hands, "training")
    build_windows(samples, CUT.crop, CUT.margin, CUT.window_px, CUT.right_hands, workers=os.cpu_count() or 1)
    clock.append(time.process_time())
    before = resident_mb()
    windows = open_windows(store, "training", CUT)
    held = resident_mb() - before
    clock.append(time.process_time())
    assert isinstance(windows.rgb[:], torch.Tensor)
    clock.append(time.process_time())
    cut, opened, copied = (b - a for a, b in pairwise(clock))
    return {
        "images, processor s": cut,
        "store opened, processor s": opened,
        "store copied, processor s": opened + copied,
        "store opened, MB": held,
        "images / opened": cut / opened,
        "images / copied": cut / (opened + copied),
    }


def waiting(windows: Windows) -> dict[str, float]:
    """Measure one epoch of training on images: the first batch, waiting for other batches, the steps."""
    torch.set_num_threads(THREADS)
    vae = build_vae(EXPERIMENT)
    phase = next(phase for phase in build_phases(EXPERIMENT, vae) if phase.name == PHASE)
    step = phase.steps[0]
    optimiser = AdamW(parameters(vae, phase).values(), fused=True)
    batches = build_batches(EXPERIMENT, windows, phase, seed=0)
    needed, waits, steps = keys(vae, phase.parts), [], []
    clock = time.perf_counter()
    for batch in batches.epoch(0, needed):
        waits.append(time.perf_counter() - clock)
        take_step(vae, step, {step.parts[0].feed: batch}, optimiser)
        steps.append(time.perf_counter() - clock - waits[-1])
        clock = time.perf_counter()
    waited, worked = sum(waits[1:]), sum(steps[1:])
    share = 100 * waited / (waited + worked)
    return {
        "first batch, s": waits[0],
        "waiting, s": waited,
        "steps, s": worked,
        "share of waiting, %": share,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("hands", type=Path, help="a rendered set")
    parser.add_argument("--repeat", type=int, default=3, help="repetitions (default: 3)")
    parser.add_argument("--updates", type=int, default=30, help="updates per repetition (default: 30)")
    options = parser.parse_args()
    table = Table("what", *(f"run {i + 1}" for i in range(options.repeat)))
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store"
        prepare(options.hands, store, {"training": CUT}, os.cpu_count() or 1)
        opened = open_windows(store, "training", CUT)
        many = opened.select(torch.arange(64 * (options.updates + 1)) % len(opened))
        runs = [loading(options.hands, store) | waiting(many) for _ in range(options.repeat)]
    for name in runs[0]:
        table.add_row(name, *(f"{run[name]:.3g}" for run in runs))
    Console().print(table)


if __name__ == "__main__":
    main()
