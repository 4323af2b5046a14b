"""The stability of two phases, of simultaneous training (Eq. 5) and of the alternation of Spurr et al."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from latent_hands.studies.reproduce.comparison import TITLES
from latent_hands.studies.reproduce.curves import learning_curve, loss_curve
from latent_hands.studies.reproduce.drawing import INKS, Results, band, learning, tidy
from latent_hands.studies.reproduce.study import Plan, Trial

CONSTANT = ("--training.schedule=constant", "--training.learning-rate=5e-4", "--training.validate-every=100")
"""A learning rate that falls to zero would make every curve look stable."""
PLANS = {
    "two_phase": Plan("study_estimation", CONSTANT),
    "simultaneous": Plan("study_simultaneous", CONSTANT),
    "alternating": Plan("study_alternating", (*CONSTANT, "--training.validate-every=200")),
}
LAST = 5


def measure_simultaneous(
    trials: Mapping[str, Sequence[Trial]], scores: Mapping[str, Sequence[Mapping]]
) -> Results:
    """Return for each method learning and loss curves, their stability, and final scores, by seed."""
    methods = {}
    for name, runs in trials.items():
        curves = [learning_curve(trial.lines(), trial.experiment) for trial in runs]
        methods[name] = {
            "updates": runs[0].spent().updates,
            "seconds": [trial.spent().seconds for trial in runs],
            "curves": curves,
            "losses": [loss_curve(trial.lines(), trial.experiment) for trial in runs],
            "epe_mm": [s["epe_mm"] for s in scores[name]],
            **stability([curve["epe_mm"] for curve in curves]),
        }
    return {"methods": methods, "last": LAST}


def stability(runs_mm: Sequence[Sequence[float]]) -> dict[str, float]:
    """Measure the stability of validation errors in mm.

    * `wobble_mm`: standard deviation of the last 5 errors of a run about their straight line, averaged over
      seeds.
    * `largest_rise_mm`: the largest rise from one validation to the next, over all seeds.
    * `spread_of_seeds_mm`: standard deviation of the last error over the seeds.
    """
    rises = [max(np.diff(run), default=0.0) for run in runs_mm]
    return {
        "wobble_mm": float(np.mean([wobble(run[-LAST:]) for run in runs_mm])),
        "largest_rise_mm": max(0.0, *map(float, rises)),
        "spread_of_seeds_mm": float(np.std([run[-1] for run in runs_mm], ddof=min(1, len(runs_mm) - 1))),
    }


def wobble(values: Sequence[float]) -> float:
    """Return the standard deviation of a series about its straight line, 0 for fewer than three values."""
    if len(values) < 3:
        return 0.0
    x = np.arange(len(values))
    return float(np.std(values - np.polyval(np.polyfit(x, values, 1), x)))


def draw_simultaneous(results: Results) -> Figure:
    """Draw validation errors over updates and seconds, the loss over updates, and the stability."""
    figure = Figure(figsize=(8.8, 3.3), layout="constrained")
    updates, seconds, loss = figure.subplots(1, 3)
    lines = []
    for ink, (name, method) in zip(INKS, results["methods"].items(), strict=False):
        losses = method["losses"]
        learning(updates, seconds, method["curves"], ink, SHORT[name])
        band(loss, losses[0]["updates"], [each["loss"] for each in losses], ink, SHORT[name])
        lines.append(
            f"{SHORT[name]}: wobble {method['wobble_mm']:.2f}, largest rise {method['largest_rise_mm']:.1f}, "
            f"spread of seeds {method['spread_of_seeds_mm']:.2f}"
        )
    seeds = len(next(iter(results["methods"].values()))["epe_mm"])
    tidy(updates, "updates", "validation EPE, mm", f"mean and range of {seeds} seed{'s' * (seeds > 1)}")
    tidy(seconds, "seconds of training", "validation EPE, mm")
    tidy(loss, "updates", "training loss, -log p(3DPose | z)")
    loss.set_yscale("log")
    updates.legend()
    figure.supxlabel(
        "Equal numbers of images, constant learning rate; two phases read images only in the last phase. "
        f"In mm, of the last {results['last']} validations:\n" + ";  ".join(lines),
        fontsize=7,
    )
    return figure


SHORT = {name: TITLES[name] for name in PLANS} | {
    "two_phase": "two phases (Alg. 1)",
    "simultaneous": "simultaneous (Eq. 5)",
}
