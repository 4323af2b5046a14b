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
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
from one_euro import one_euro
from rich.console import Console
from rich.progress import track
from smoothing_film import film
from smoothing_series import (
    Sequence_,
    Series,
    followed,
    frame_by_frame,
    hands_of,
    read_in_true_crops,
    refiltered,
    sequences,
    series,
)

from latent_hands.predictor import Model, tracks
from latent_hands.rendering.sets.moving import render_moving

CUTOFFS, BETAS = (0.5, 1.0, 2.0, 3.0, 4.0, 6.0), (0.0, 0.003, 0.01, 0.02, 0.05)
"""One-Euro: hertz, and hertz per mm/s."""
UV_BETAS = (0.0, 0.02, 0.1, 0.5)
MOST_LATENCY = 8


@dataclass(frozen=True)
class Score:
    """The numbers of one way of smoothing, over all sequences."""

    jitter_mm: float
    median_mm: float
    acceleration_mm: float
    jitter_uv: float
    moving_mm: float
    moving_uv: float
    latency: float
    found: float


def score(found: list[Series], truth: list[Sequence_]) -> Score:
    """Score the series of all sequences together."""
    steps, bends, steps_uv, errors, errors_uv, seen = [], [], [], [], [], []
    correlation = np.zeros(2 * MOST_LATENCY + 1)
    for each, true in zip(found, truth, strict=True):
        side = np.ptp(true.uv_px, axis=1).max(axis=1)[:, None]
        still, still_twice = true.still, true.still & np.append(False, true.still[:-1])
        step = np.diff(each.xyz_mm, axis=0, prepend=np.nan)
        steps.append((step[still] ** 2).sum(-1))
        bends.append((np.diff(step, axis=0, prepend=np.nan)[still_twice] ** 2).sum(-1))
        step_uv = np.diff(each.uv_px, axis=0, prepend=np.nan)
        steps_uv.append(((step_uv**2).sum(-1) / side**2)[still])
        errors.append(np.linalg.norm(each.xyz_mm - true.xyz_mm, axis=-1)[~still])
        errors_uv.append((np.linalg.norm(each.uv_px - true.uv_px, axis=-1) / side)[~still])
        seen.append(np.isfinite(each.xyz_mm[:, 0, 0]))
        correlation += correlations(np.nan_to_num(step[1:]), np.diff(true.xyz_mm, axis=0))
    mean = lambda x: float(np.nanmean(np.concatenate(x)))  # noqa: E731
    rms = lambda x: float(np.sqrt(mean(x)))  # noqa: E731
    return Score(
        rms(steps),
        float(np.median([rms([each]) for each in steps if np.isfinite(each).any()])),
        rms(bends),
        100 * rms(steps_uv),
        mean(errors),
        100 * mean(errors_uv),
        peak(correlation),
        mean(seen),
    )


def correlations(velocity: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Return the products of the velocities with the true ones, shifted by -8 .. 8 frames."""
    n = len(true)
    shifts = range(-MOST_LATENCY, MOST_LATENCY + 1)
    return np.array(
        [(velocity[max(s, 0) : n + min(s, 0)] * true[max(-s, 0) : n - max(s, 0)]).sum() for s in shifts]
    )


def peak(correlation: np.ndarray) -> float:
    """Return the place of the maximum, in frames, from the parabola through it and its neighbours."""
    k = int(np.clip(correlation.argmax(), 1, len(correlation) - 2))
    a, b, c = correlation[k - 1 : k + 2]
    return float(k - MOST_LATENCY + 0.5 * (a - c) / (a - 2 * b + c))


def euro(found: list[Series], truth: list[Sequence_], cutoff: float, beta: float, uv: tuple) -> list[Series]:
    """Filter the series; in a frame without a hand the filter sees the one before."""
    return [
        Series(
            one_euro(held(each.xyz_mm), true.fps, cutoff, beta) + 0 * each.xyz_mm,
            one_euro(held(each.uv_px), true.fps, *uv) + 0 * each.uv_px,
        )
        for each, true in zip(found, truth, strict=True)
    ]


def compared(ways: dict[str, list[Series]]) -> dict[str, list[Series]]:
    """Return the series of all ways without the frames in which one of them has no hand."""
    seen = [
        np.logical_and.reduce([np.isfinite(x.xyz_mm) for x in same])
        for same in zip(*ways.values(), strict=True)
    ]
    blank = [np.where(each, 0.0, np.nan) for each in seen]
    return {
        name: [Series(x.xyz_mm + nan, x.uv_px + nan[..., :2]) for x, nan in zip(way, blank, strict=True)]
        for name, way in ways.items()
    }


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
    """Print how scores change with the constants of the process, one group at a time."""
    speed, share, memory = dict(tracks.SPEED), dict(tracks.NOISE_SHARE), tracks.MEMORY_S
    trials = [("memory_s", memory * f, speed, share) for f in (0.5, 1, 2)]
    for name, factor in product(speed, (0.25, 0.5, 2, 4)):
        trials.append((f"{name} speed x{factor}", memory, speed | {name: speed[name] * factor}, share))
    for title, tau, speeds, shares in trials:
        again = [refiltered(each, speeds, shares, tau) for each in steps]
        for smooth in ("online", "offline"):
            got = score(
                [series(hands_of(model, a, smooth), t) for a, t in zip(again, truth, strict=True)], truth
            )
            print(
                f"{title:24s} {tau:.3f} {smooth:8s}",
                *(f"{value:7.3f}" for value in vars(got).values()),
                flush=True,
            )
    tracks.SPEED, tracks.NOISE_SHARE, tracks.MEMORY_S = speed, share, memory


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
    parser.add_argument("--fit", action="store_true", help="print the effect of the constants of the process")
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
