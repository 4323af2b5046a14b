"""Does fine-tuning on a few labels help the hands that were held out?

    latent-hands render hands --count 900 --size-px 160 --evaluation-count 300
    python benchmarks/measure_fine_tuning.py OUT --ge2019 GE --control hands

The photographs are split into FOLDS blocks of neighbours. Each block is held out once, and the run is
fine-tuned on the others, or on FEW of them. Labels are the 3D joints, or their projections alone. Numbers are
means over the blocks, and changes have 95 % intervals of Student's t over the blocks. Rehearsal takes
hands of the training split of the control. A stopped call continues where it stopped.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.stats import t as student

import latent_hands as lh
from latent_hands.data import Sample
from latent_hands.data.translated import translated_sample
from latent_hands.files import write_text

FOLDS, FEW, CONTROL, APART = 4, 40, 120, 5
"""Blocks, hands of a small set, hands of the control, and photographs between two parts."""
LABELS = ("3D", "2D")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("out", type=Path, help="folder of the fine-tuned runs")
    parser.add_argument("--ge2019", type=Path, required=True, help="folder of Ge et al. 2019")
    parser.add_argument("--control", type=Path, required=True, help="rendered hands")
    parser.add_argument("--run", default="estimation")
    parser.add_argument("--updates", type=int, default=300)
    chosen = parser.parse_args()
    convention = lh.load(chosen.run).experiment.data.convention
    photographs = lh.open_data("ge2019", chosen.ge2019, split="evaluation")
    photographs = [translated_sample(sample, convention) for sample in photographs]
    control = lh.open_data("rendered", chosen.control, split="evaluation")[:CONTROL]
    rehearsal = lh.open_data("rendered", chosen.control)
    table = Table("labels", "hands", "error", *("before", "change") * 3, title="held out, learnt, rendered")
    for labels in LABELS:
        for few, rehearsed in ((None, ()), (FEW, ()), (None, rehearsal)):
            found = []
            for fold in range(FOLDS):
                out = chosen.out / f"{labels}_{few or 'all'}_{len(rehearsed)}_{fold}"
                split = parts(photographs, fold, few, labels == "2D")
                found.append(tuned(chosen.run, out, *split, control, rehearsed, chosen.updates))
            hands = f"{found[0]['learnt']['samples']}{' and rendered ones' if rehearsed else ''}"
            for error in found[0]["held_out"]["before"]:
                table.add_row(labels, hands, error, *cells(found, error))
    Console(width=160).print(table)


def parts(
    photographs: Sequence[Sample], fold: int, few: int | None, flat: bool
) -> tuple[list[Sample], list[Sample]]:
    """Return the photographs to learn from, and the block that is held out, whose neighbours are left out."""
    start, end = (len(photographs) * (fold + i) // FOLDS for i in (0, 1))
    learnt = [*photographs[: max(0, start - APART)], *photographs[end + APART :]]
    if few is not None:
        learnt = [learnt[i * len(learnt) // few] for i in range(few)]
    if flat:
        learnt = [replace(sample, xyz_mm=None, K=None) for sample in learnt]
    return learnt, list(photographs[start:end])


def tuned(
    run: str,
    out: Path,
    learnt: Sequence[Sample],
    held_out: Sequence[Sample],
    control: Sequence[Sample],
    rehearsal: Sequence[Sample],
    updates: int,
) -> Mapping[str, Any]:
    """Return the scores of a fine-tuning into `out`, or those that a former call wrote there."""
    file = out / "gain.json"
    if not file.exists():
        groups = dict.fromkeys((s.name for s in learnt), "learnt") | {s.name: "held out" for s in held_out}
        samples = [*learnt, *held_out]
        share = len(held_out) / len(samples)
        found = lh.fine_tune(
            *(run, samples, out),
            groups=groups,
            held_out=share,
            updates=updates,
            control=control,
            rehearsal=rehearsal,
        )
        write_text(file, json.dumps(found))
    return json.loads(file.read_text())


def cells(found: Sequence[Mapping[str, Any]], error: str) -> list[str]:
    """Return the mean error before, and its change with an interval, of each part."""
    shown = []
    for part in ("held_out", "learnt", "control"):
        before = [each[part]["before"].get(error, np.nan) for each in found]
        change = np.subtract([each[part]["after"].get(error, np.nan) for each in found], before)
        half = student.ppf(0.975, FOLDS - 1) * change.std(ddof=1) / np.sqrt(FOLDS)
        shown += [f"{np.mean(before):.4g}", f"{change.mean():+.3g} ± {half:.2g}"]
    return shown


if __name__ == "__main__":
    main()
