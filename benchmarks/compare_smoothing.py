"""Compare ways of smoothing hands over time, on rendered sequences of moving hands with ground truth.

    python benchmarks/compare_smoothing.py estimation --root runs/moving --sequences 8
    python benchmarks/compare_smoothing.py estimation --root runs/moving --fit
    python benchmarks/compare_smoothing.py estimation --root runs/moving --film docs/pictures/followed.webp

The set is rendered into --root first, unless it is there. Settings (of One-Euro, and of our process with
--fit) are chosen on its training sequences; the table is of its evaluation sequences. Side, bone and camera
are given.

* jitter: root mean square of the displacement of joints from frame to frame while the hand rests, its
  median over the sequences, and the same of the second difference, in mm; also in the image, in % of the
  side of the hand's box.
* moving: mean error of the joints relative to the palm while the hand moves, in mm; also in the image.
* found: share of all frames with a hand. All other numbers are of the frames in which every way has one.
* latency: the shift of the velocities that correlates best with the true ones, in frames.
"""

import argparse
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
from one_euro import one_euro
from rich.console import Console
from rich.progress import track
from smoothing_film import film
from smoothing_fit import Constants, fitted
from smoothing_scores import Score, compared, score
from smoothing_series import (
    Sequence_,
    Series,
    followed,
    frame_by_frame,
    hands_of,
    read_in_true_crops,
    sequences,
    series,
)

from latent_hands.predictor import Model
from latent_hands.rendering.sets.moving import render_moving

CUTOFFS, BETAS = (0.5, 1.0, 2.0, 3.0, 4.0, 6.0), (0.0, 0.003, 0.01, 0.02, 0.05)
"""One-Euro: hertz, and hertz per mm/s."""
UV_BETAS = (0.0, 0.02, 0.1, 0.5)


def euro(found: list[Series], truth: list[Sequence_], cutoff: float, beta: float, uv: tuple) -> list[Series]:
    """Filter the series; in a frame without a hand the filter sees the one before."""
    return [
        Series(
            one_euro(held(each.xyz_mm), true.fps, cutoff, beta) + 0 * each.xyz_mm,
            one_euro(held(each.uv_px), true.fps, *uv) + 0 * each.uv_px,
        )
        for each, true in zip(found, truth, strict=True)
    ]


def held(x: np.ndarray) -> np.ndarray:
    """Fill frames without a hand with the frame before, or the first frame with a hand."""
    seen = np.isfinite(x[:, 0, 0])
    if not seen.any():
        return np.zeros_like(x)
    last = np.maximum.accumulate(np.where(seen, np.arange(len(x)), seen.argmax()))
    return x[last]


def best_euro(found: list[Series], truth: list[Sequence_], most: Score) -> tuple[float, float, tuple]:
    """Return the setting of least jitter whose error on moving hands is at most that of `most`."""
    settings = {s: score(euro(found, truth, *s, (s[0], 0.0)), truth) for s in product(CUTOFFS, BETAS)}
    cutoff, beta = steadiest(settings, most, "jitter_mm", "moving_mm")
    uv = {s: score(euro(found, truth, cutoff, beta, s), truth) for s in product(CUTOFFS, UV_BETAS)}
    return cutoff, beta, steadiest(uv, most, "jitter_uv", "moving_uv")


def steadiest(settings: dict[tuple, Score], most: Score, jitter: str, error: str) -> tuple:
    """Return the setting of least jitter among those of no larger error, or else that of least error."""
    legal = [s for s, each in settings.items() if getattr(each, error) <= getattr(most, error)]
    if legal:
        return min(legal, key=lambda s: getattr(settings[s], jitter))
    return min(settings, key=lambda s: getattr(settings[s], error))


def fit(model: Model, steps: list, truth: list[Sequence_]) -> None:
    """Print each step of a fit of the constants of the process, and its scores."""

    def report(change: str, constants: Constants, scores: tuple[Score, Score]) -> None:
        rows = dict(zip(("online", "offline"), scores, strict=True))
        print_rows(f"{change}: {constants}", rows)

    fitted(model, steps, truth, report)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run", help="a run folder or the name of a shipped run")
    parser.add_argument(
        "--root", type=Path, required=True, help="a folder of rendered sequences, or a new one"
    )
    parser.add_argument(
        "--sequences", type=int, default=8, help="sequences of 3 s for the settings and the table"
    )
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--crops", choices=("followed", "truth"), default="followed", help="crops to read")
    parser.add_argument("--fit", action="store_true", help="fit the constants of the process")
    parser.add_argument("--only-followed", action="store_true", help="only score followed hands")
    parser.add_argument("--film", type=Path, help="also write a film of followed hands: .webp, .gif or .mp4")
    options = parser.parse_args()
    count = 90 * options.sequences
    if not (options.root / "evaluation/anno_evaluation.pickle").is_file():
        render_moving(options.root, count, 192, options.seed, evaluation_count=count)
    model = Model.load(options.run)
    if options.film:
        print(film(model, sequences(options.root, "evaluation"), options.film))
        return
    true_crops = options.crops == "truth"

    def follow(truth: list[Sequence_], title: str) -> list:
        if true_crops:
            return [read_in_true_crops(model, each, i) for i, each in enumerate(progress(truth, title))]
        return [followed(model, each) for each in progress(truth, title)]

    if options.fit:
        truth = sequences(options.root, "training")[: options.sequences]
        fit(model, follow(truth, "follow"), truth)
        return
    if options.only_followed:
        truth = sequences(options.root, "evaluation")[: options.sequences]
        steps = follow(truth, "follow")
        print_rows(
            f"evaluation: {len(truth)} sequences",
            {
                smooth: score(
                    [series(hands_of(model, a, smooth), t) for a, t in zip(steps, truth, strict=True)], truth
                )
                for smooth in ("none", "online", "offline")
            },
        )
        return
    chosen = {}
    for split in ("training", "evaluation"):
        truth, every = sequences(options.root, split)[: options.sequences], {}
        steps = follow(truth, f"{split}: follow")
        ways = {
            smooth: [series(hands_of(model, a, smooth), t) for a, t in zip(steps, truth, strict=True)]
            for smooth in ("none", "online", "offline")
        }
        raw = {"frame by frame": ways["none"]}
        if not true_crops:
            single = [frame_by_frame(model, each) for each in progress(truth, f"{split}: frame by frame")]
            raw["frame by frame"] = [series(*pair) for pair in zip(single, truth, strict=True)]
            raw["followed, not smoothed"] = ways["none"]
        for name, found in raw.items():
            if split == "training":
                chosen[name] = best_euro(found, truth, score(found, truth))
            every[name] = found
            every[f"{name}, One-Euro"] = euro(found, truth, *chosen[name])
        every |= {f"followed, {smooth}": ways[smooth] for smooth in ("online", "offline")}
        rows = {name: score(way, truth) for name, way in compared(every).items()}
        for name, way in every.items():
            rows[name] = replace(rows[name], found=score(way, truth).found)
        print_rows(f"{split}: {len(truth)} sequences", rows)
    print("\nOne-Euro: cutoff in hertz, beta, and both in the image:", chosen)


def progress(truth: list[Sequence_], title: str):
    return track(truth, title, console=Console(stderr=True))


def print_rows(title: str, rows: dict[str, Score]) -> None:
    """Print a table in Markdown."""
    names = (
        "jitter mm",
        "median mm",
        "acceleration mm",
        "jitter uv %",
        "moving mm",
        "moving uv %",
        "latency",
        "found",
    )
    lines = [["", *names], ["---"] * (len(names) + 1)]
    lines += [[name, *(f"{value:.2f}" for value in vars(row).values())] for name, row in rows.items()]
    print(f"\n{title}\n", *(f"| {' | '.join(line)} |" for line in lines), sep="\n", flush=True)


if __name__ == "__main__":
    main()
