"""Two phases, the joint objective of Eq. 5, the alternating training of Spurr et al.: which is stabler?"""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from latent_hands.studies.reproduce.comparison import TITLES
from latent_hands.studies.reproduce.curves import learning_curve, loss_curve
from latent_hands.studies.reproduce.figure import INKS, Found, band, learning, tidy
from latent_hands.studies.reproduce.study import Plan, Trial

CONSTANT = ("--training.schedule=constant", "--training.learning-rate=5e-4", "--training.validate-every=100")
"""A rate that falls to zero would make every curve calm."""
PLANS = {
    "two_phase": Plan("study_estimation", CONSTANT),
    "joint": Plan("study_joint", CONSTANT),
    "alternating": Plan("study_alternating", (*CONSTANT, "--training.validate-every=200")),
}
LAST = 5


def measure_joint(trials: Mapping[str, Sequence[Trial]], scores: Mapping[str, Sequence[Mapping]]) -> Found:
    """By method, lists over the seeds: learning and loss curves, their stability, final scores."""
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
    """How calm validation errors are, in mm.

    `wobble_mm`: standard deviation of a run's last 5 errors about their own straight line, mean of the seeds.
    `largest_rise_mm`: the largest rise from one validation to the next, of all seeds.
    `spread_of_seeds_mm`: standard deviation of the last error over the seeds.
    """
    rises = [max(np.diff(run), default=0.0) for run in runs_mm]
    return {
        "wobble_mm": float(np.mean([wobble(run[-LAST:]) for run in runs_mm])),
        "largest_rise_mm": max(0.0, *map(float, rises)),
        "spread_of_seeds_mm": float(np.std([run[-1] for run in runs_mm], ddof=min(1, len(runs_mm) - 1))),
    }


def wobble(values: Sequence[float]) -> float:
    """Standard deviation of a series about its straight line; 0 for fewer than three values."""
    if len(values) < 3:
        return 0.0
    x = np.arange(len(values))
    return float(np.std(values - np.polyval(np.polyfit(x, values, 1), x)))


def draw_joint(found: Found) -> Figure:
    """Validation error over updates and seconds, the loss over updates, and the numbers of stability."""
    figure = Figure(figsize=(8.8, 3.3), layout="constrained")
    updates, seconds, loss = figure.subplots(1, 3)
    told = []
    for ink, (name, method) in zip(INKS, found["methods"].items(), strict=False):
        losses = method["losses"]
        learning(updates, seconds, method["curves"], ink, SHORT[name])
        band(loss, losses[0]["updates"], [each["loss"] for each in losses], ink, SHORT[name])
        told.append(
            f"{SHORT[name]}: wobble {method['wobble_mm']:.2f}, largest rise {method['largest_rise_mm']:.1f}, "
            f"spread of seeds {method['spread_of_seeds_mm']:.2f}"
        )
    seeds = len(next(iter(found["methods"].values()))["epe_mm"])
    tidy(updates, "updates", "validation EPE, mm", f"mean and range of {seeds} seed{'s' * (seeds > 1)}")
    tidy(seconds, "seconds of training", "validation EPE, mm")
    tidy(loss, "updates", "training loss, -log p(3DPose | z)")
    loss.set_yscale("log")
    updates.legend()
    figure.supxlabel(
        "Equal numbers of images, constant learning rate; two phases read them in the last alone. "
        f"In mm, about the last {found['last']} validations:\n" + ";  ".join(told),
        fontsize=7,
    )
    return figure


SHORT = {name: TITLES[name] for name in PLANS} | {
    "two_phase": "two phases (Alg. 1)",
    "joint": "joint (Eq. 5)",
}
