"""Which photographs help an estimator? Train one with and without each set of them, at equal updates.

    python benchmarks/label_photographs.py find PHOTOS labels.json --mediapipe-python MEDIAPIPE/bin/python
    python benchmarks/label_photographs.py write PHOTOS labels.json photos
    latent-hands render hands --count 6700 --evaluation-count 400 --size-px 160 --poses-per-scene 2
    python benchmarks/ablate_photographs.py OUT --rendered hands --photographs photos --ge2019 GE

A first run learns from rendered hands alone: EfficientNet-Lite0, embedded into the finished latent of
`estimation` (Eq. 8). Every variant continues it. Its images are the rendered hands, and in a quarter of them
photographs, drawn from the sets that the variant has:

* "rendered": no photographs, but the rendered hands that the others leave out.
* "all": the photographs of all SETS, with the pseudo-labels of MediaPipe.
* "without NAME": the same without one set.
* "own labels": all photographs, with poses by the first run, the mean over ROTATIONS rotated crops. Boxes and
  sides are still those of MediaPipe.

The seeds change order, augmentation, and which photographs are drawn. A stopped call continues where it
stopped.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import torch
from learn_from_synthesised import score
from rich.progress import track
from train_estimation import inside

from latent_hands.build import Hands, build_hands, build_phases, build_vae
from latent_hands.configuration import Experiment, load_experiment
from latent_hands.data import Sample, open_data
from latent_hands.data.windows import Windows
from latent_hands.predictor import Model
from latent_hands.runs.folder import EXPERIMENT
from latent_hands.studies.ablate import Scores
from latent_hands.training import train

SETS = ("subhih", "lebanese", "letters", "digits")
RENDERED, SHARE = "rendered", 0.25
"""The variant without photographs, and the share of photographs in the others."""
ROTATIONS = 8
SETTINGS = ("--data.crop_px=96", "--data.window_px=168", "--data.validation_share=0")


def variants(names: Sequence[str]) -> dict[str, list[bool]]:
    """Return which photographs each variant may draw, given their names. "own labels" is not among them."""
    found = {RENDERED: [], "all": [True] * len(names)}
    return found | {f"without {each}": [each not in name for name in names] for each in SETS}


def experiment_of(epochs: int, seed: int, start: Path | None = None) -> Experiment:
    """Return the experiment of a run; `start` is the run that it continues."""
    own = [
        *SETTINGS,
        f"--phases.embed_rgb.epochs={epochs}",
        f"--training.seed={seed}",
        "--training.warmup=50",
    ]
    if start is not None:
        own += [
            f"--training.start={start}",
            "--training.start_with=[]",
            "--phases.embed_rgb.learning_rate=5e-4",
        ]
    return load_experiment("photographs", own)


def windows_of(samples: Sequence[Sample]) -> Windows:
    """Return the windows of hands."""
    experiment = experiment_of(1, 0)
    vae = build_vae(experiment)
    plain = [replace(each, block=None, mask=None, depth=None, tag=None, factors=None) for each in samples]
    return build_hands(experiment, vae, build_phases(experiment, vae), training=plain).training


def relabelled(samples: Sequence[Sample], run: Path) -> list[Sample]:
    """Return hands with the poses that a run predicts, given the labelled box, side, bone and camera."""
    model = Model.load(run)
    return [
        replace(each, xyz_mm=model.estimate(each, rotations=ROTATIONS).xyz_mm, convention=None)
        for each in track(samples, "own labels", transient=True)
    ]


def drawn(pool: np.ndarray, count: int, rendered: int, seed: int) -> torch.Tensor:
    """Return the numbers of an epoch's images: rendered hands, and a share of photographs from a pool."""
    generator = np.random.default_rng(seed)
    photographs = int(SHARE * count) if len(pool) else 0
    chosen = [generator.permutation(rendered)[: count - photographs]]
    while photographs > 0:
        chosen.append(generator.permutation(pool)[:photographs])
        photographs -= len(chosen[-1])
    return torch.from_numpy(np.concatenate(chosen))


def learn(experiment: Experiment, out: Path, windows: Windows) -> None:
    """Train a run, or continue it. Ends the program if the training is stopped."""
    if not train(experiment, out, (out / EXPERIMENT).exists(), Hands(windows, None)):
        raise SystemExit("stopped; the same call continues")


def main() -> None:
    """Train and score what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("out", type=Path, help="the folder of all runs")
    parser.add_argument("--rendered", type=Path, required=True, help="a rendered set")
    parser.add_argument("--photographs", required=True, help="the COCO set of label_photographs.py")
    parser.add_argument("--ge2019", type=Path, required=True, help="the folder of Ge 2019, which is scored")
    parser.add_argument("--first-epochs", type=int, default=9, help="epochs of the first run (default: 9)")
    parser.add_argument("--epochs", type=int, default=4, help="epochs of each variant (default: 4)")
    parser.add_argument("--seeds", type=int, default=2, help="runs of each variant (default: 2)")
    chosen = parser.parse_args()
    rendered = open_data("rendered", chosen.rendered, "training")
    photographs = inside(open_data("coco", chosen.photographs, "training"))
    allowed = variants([each.name for each in photographs])
    sets = {
        "rendered": open_data("rendered", chosen.rendered, "evaluation"),
        "ge2019": open_data("ge2019", chosen.ge2019, "evaluation"),
    }
    print({name: sum(of) for name, of in allowed.items()})
    first = chosen.out / "first"
    windows = cache(lambda: windows_of([*rendered, *photographs]))
    if not (first / "scores.json").exists():
        learn(experiment_of(chosen.first_epochs, 0), first, windows().select(torch.arange(len(rendered))))
    print("first", json.dumps(score(first, sets)), flush=True)
    own = cache(lambda: windows_of([*rendered, *relabelled(photographs, first)]))
    found: dict[str, list[dict[str, Scores]]] = {}
    for seed in range(chosen.seeds):
        for name in (*allowed, "own labels"):
            out = chosen.out / f"{name.replace(' ', '_')}-seed{seed}"
            if not (out / "scores.json").exists():
                pool = len(rendered) + np.flatnonzero(allowed.get(name, allowed["all"]))
                index = drawn(pool, len(rendered), len(rendered), seed)
                source = own() if name == "own labels" else windows()
                learn(experiment_of(chosen.epochs, seed, first), out, source.select(index))
            found.setdefault(name, []).append(score(out, sets))
            print(f"{name} {seed}", json.dumps(found[name][-1]), flush=True)
    print(table(found))


def table(found: dict[str, list[dict[str, Scores]]]) -> str:
    """Return the scores of each variant over the seeds: their mean, and each of them."""
    columns = [(data, measure) for data in ("rendered", "ge2019") for measure in ("EPE", "PA")]
    lines = [f"| | {' | '.join(' '.join(each) for each in columns)} |", "|---" * (len(columns) + 1) + "|"]
    for name, seeds in found.items():
        cells = []
        for data, measure in columns:
            values = [each[data][measure] for each in seeds]
            cells.append(f"{np.mean(values):.1f} ({', '.join(f'{each:.1f}' for each in values)})")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
