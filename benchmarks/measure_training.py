"""Compare training from a packed store with the bare networks, a plain implementation and the matmul peak.

    python benchmarks/measure_training.py [--rounds 5] [--seconds 4]

All rows take turns in each round, because machines are noisy: read the ratios. A round measures each row for
some seconds of wall time, and the processor time of the program and its helpers. The row "epoch" is what
`train` does with a ResNet-18 (`paper_rhd`, phase embed_rgb): windows of a packed store, augmentation in a
thread, the step. "bare networks" is the same step on one constant batch.
"""

import argparse
import itertools
import json
import math
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import torch
from plain_training import plain_updates
from rich.console import Console
from rich.table import Table
from tiled_store import write_tiled_store
from torch.optim import AdamW
from torch.utils.flop_counter import FlopCounterMode

from latent_hands.build import build_batches, build_phases, build_vae
from latent_hands.configuration import load_experiment
from latent_hands.data import open_data
from latent_hands.data.crops import build_windows
from latent_hands.data.shard_files import open_windows
from latent_hands.data.store import Cut
from latent_hands.paper.algorithms import keys
from latent_hands.paper.modality import Batch
from latent_hands.rendering.sets.dataset import render_dataset
from latent_hands.training.learning import parameters, take_step

HANDS, MATMUL = 64, 2048
PLAIN, BARE, EPOCH = "plain implementation", "bare networks", "epoch from a packed store"
AUGMENTED, PEAK = "augmented batches alone, one thread", "matmul, bf16"


@dataclass
class Row:
    """A work that can be continued at any time: each step returns the images, or multiplications, it did.

    wall_s, user_s and system_s are seconds for each of them, one number a round.
    """

    work: Iterator[int]
    wall_s: list[float] = field(default_factory=list)
    user_s: list[float] = field(default_factory=list)
    system_s: list[float] = field(default_factory=list)

    def measure(self, seconds: float) -> None:
        """Work for some seconds, after one step that is not counted."""
        next(self.work)
        wall, before, count = time.perf_counter(), os.times(), 0
        while time.perf_counter() - wall < seconds:
            count += next(self.work)
        after = os.times()
        self.wall_s.append((time.perf_counter() - wall) / count)
        self.user_s.append((after.user - before.user) / count)
        self.system_s.append((after.system - before.system) / count)


class Training:
    """The phase embed_rgb of `paper_rhd` on a store of rendered hands."""

    def __init__(self, folder: Path, px: int) -> None:
        """Render hands, pack them, and build the networks."""
        self.experiment = load_experiment("paper_rhd", ["--data.name=rendered"])
        data = self.experiment.data
        cut = Cut("rendered", data.crop, data.right_hands, data.margin, data.window_px)
        root = render_dataset(folder / "hands", HANDS, px, evaluation_count=0, progress=False)
        self.samples = open_data("rendered", root, "training")
        windows = build_windows(self.samples, cut.crop, cut.margin, cut.window_px, cut.right_hands)
        write_tiled_store(folder / "store", windows, cut, 6000)
        self.windows = open_windows(folder / "store", "training", cut)
        self.vae = build_vae(self.experiment)
        self.phase = build_phases(self.experiment, self.vae)[-1]
        self.optimiser = AdamW(parameters(self.vae, self.phase).values(), fused=True)
        self.batches = build_batches(self.experiment, self.windows, self.phase, seed=0)
        self.keys = keys(self.vae, self.phase.parts)

    def update(self, batch: Batch) -> None:
        """Take one step on a batch."""
        step = self.phase.steps[0]
        take_step(self.vae, step, {step.parts[0].feed: batch}, self.optimiser)

    def bare(self) -> Iterator[int]:
        """Take the step on one constant batch."""
        batch = self.batches.batch(0, 0, self.keys)
        while True:
            self.update(batch)
            yield self.phase.batch_size

    def epoch(self) -> Iterator[int]:
        """Take the step on augmented batches of the store."""
        for batch in self.batches.stream(self.keys):
            self.update(batch)
            yield self.phase.batch_size

    def augmented(self) -> Iterator[int]:
        """Make augmented batches on one thread, without a step."""
        for number in itertools.count():
            self.batches.batch(*divmod(number, len(self.batches)), self.keys)
            yield self.phase.batch_size

    def plain(self, workers: int) -> Iterator[int]:
        """Take steps of the plain implementation."""
        return plain_updates(self.samples, self.experiment.data.crop_px, self.phase.batch_size, workers)

    def flops(self) -> float:
        """Return the floating-point operations of a step for one image, twice the multiplications."""
        batch = self.batches.batch(0, 0, self.keys)
        with FlopCounterMode(display=False) as counter:
            self.update(batch)
        return counter.get_total_flops() / self.phase.batch_size


def multiplications() -> Iterator[int]:
    """Multiply large matrices in bfloat16."""
    a, b = torch.randn(2, MATMUL, MATMUL).bfloat16()
    while True:
        a @ b
        yield 1


def measured(rounds: int, seconds: float, px: int, workers: int) -> tuple[dict[str, Row], float]:
    """Measure all rows in turns; return them, and the operations of a step for one image."""
    with tempfile.TemporaryDirectory() as folder:
        training = Training(Path(folder), px)
        works: dict[str, Callable[[], Iterator[int]]] = {
            PLAIN: lambda: training.plain(workers),
            BARE: training.bare,
            EPOCH: training.epoch,
            AUGMENTED: training.augmented,
            PEAK: multiplications,
        }
        rows = {name: Row(work()) for name, work in works.items()}
        for _ in range(rounds):
            for row in rows.values():
                row.measure(seconds)
        return rows, training.flops()


def summary(rows: dict[str, Row], flops: float) -> dict[str, dict[str, float]]:
    """Return the numbers of each row by the name of the column."""
    peak = 2 * MATMUL**3 / min(rows[PEAK].wall_s)
    table = {}
    operations = dict.fromkeys(rows, flops) | {PEAK: 2 * MATMUL**3, AUGMENTED: math.nan}
    for name, row in rows.items():
        rates = [1 / each for each in row.wall_s]
        pairs = zip(row.wall_s, rows[PLAIN].wall_s, strict=True)
        bare = zip(row.wall_s, rows[BARE].wall_s, strict=True)
        table[name] = {
            "best, 1/s": max(rates),
            "median, 1/s": median(rates),
            "user, ms": 1000 * median(row.user_s),
            "system, ms": 1000 * median(row.system_s),
            "over plain": median(plain / own for own, plain in pairs),
            "over bare": median(other / own for own, other in bare),
            "share of peak": operations[name] * max(rates) / peak,
        }
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4, help="seconds of a row in a round (default: 4)")
    parser.add_argument("--size-px", type=int, default=160, help="side of the images (default: 160)")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="of the DataLoader (all cores)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = summary(*measured(options.rounds, options.seconds, options.size_px, options.workers))
    if options.json:
        print(json.dumps(found))
        return
    table = Table("row", *next(iter(found.values())))
    for name, row in found.items():
        table.add_row(name, *(f"{value:.3g}" for value in row.values()))
    Console(width=130).print(table)


if __name__ == "__main__":
    main()
