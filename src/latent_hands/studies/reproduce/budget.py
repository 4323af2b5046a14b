"""Fig. 9: error over the share of labelled hands, with full, semi- and weak supervision."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from latent_hands.errors import HandsError
from latent_hands.studies.reproduce.drawing import GREY, INK, INKS, SOFT_INK, Results, band, by_seed, tidy
from latent_hands.studies.reproduce.study import Plan

SHARES = (5, 10, 20, 40, 60, 80, 100)
SEMI, WEAK = "--supervision.semi=true", "--supervision.weak.viewpoint=1.0"
KINDS = {"full": (), "semi": (SEMI,), "weak": (WEAK,), "semi_weak": (SEMI, WEAK)}
TITLES = {"full": "full", "semi": "semi", "weak": "weak", "semi_weak": "semi + weak"}
WHOLE = "dvae"
"""The run with all labels. All kinds of supervision and other figures share it."""
UP_TO_PERCENT = {"semi": 3.5, "semi_weak": 7.5}
"""The largest gains over full supervision, in percent, that the paper reports for Fig. 9."""


def run_name(kind: str, share: int) -> str:
    """Return the name of the run with a kind of supervision and a share of labels in percent."""
    return WHOLE if share == 100 else f"{kind}-{share:03d}"


def chosen_shares(given: Sequence[int]) -> tuple[int, ...]:
    """Return the shares of labels in percent: the given ones and 100, or those of the paper without any.

    Raises HandsError for a share that is not from 1 to 100.
    """
    for share in given:
        if not 1 <= share <= 100:
            raise HandsError(f"a share of labelled hands is {share} %; it must be from 1 to 100")
    return tuple(sorted({*given, 100})) if given else SHARES


def plans(shares: Sequence[int] = SHARES) -> dict[str, Plan]:
    """Return the experiments by run name: 25 for the shares of the paper.

    All have the same number of updates, because an epoch counts all hands. An update of the embedding is one
    step. With weak labels it is two, the second on the images without labels.
    """
    experiments = {WHOLE: Plan("study_estimation")}
    for share in shares[:-1]:
        for kind, settings in KINDS.items():
            labelled = f"--supervision.labelled={share / 100}"
            experiments[run_name(kind, share)] = Plan("study_estimation", (labelled, *settings))
    return experiments


def relative_gain(epe_mm: float, full_mm: float) -> float:
    """Return by how many percent of the fully supervised error another error is smaller."""
    return 100 * (full_mm - epe_mm) / full_mm


def measure_fig9(
    scores: Mapping[str, Sequence[Mapping[str, Any]]], shares: Sequence[int] = SHARES
) -> Results:
    """Return the errors and gains, from {run name: scores of each seed}."""
    epe_mm = {k: [[s["epe_mm"] for s in scores[run_name(k, m)]] for m in shares] for k in KINDS}
    cpose = {k: [[s["cpose_epe_mm"] for s in scores[run_name(k, m)]] for m in shares] for k in KINDS}
    gains = {
        kind: [relative_gain(float(np.mean(x)), float(np.mean(full))) for x, full in _with_full(epe_mm, kind)]
        for kind in KINDS
        if kind != "full"
    }
    each_seed = {
        kind: [
            [relative_gain(a, b) for a, b in zip(x, full, strict=True)]
            for x, full in _with_full(epe_mm, kind)
        ]
        for kind in gains
    }
    best = {kind: int(np.argmax(values)) for kind, values in gains.items()}
    return {
        "labelled_percent": shares,
        "epe_mm": epe_mm,
        "cpose_epe_mm": cpose,
        "gain_percent": gains,
        "gain_percent_by_seed": each_seed,
        "up_to": {
            kind: {"percent": gains[kind][i], "labelled_percent": shares[i]} for kind, i in best.items()
        },
        "published_up_to_percent": UP_TO_PERCENT,
    }


def _with_full(epe_mm: Mapping[str, Sequence], kind: str) -> zip:
    return zip(epe_mm[kind], epe_mm["full"], strict=True)


def draw_fig9(results: Results) -> Figure:
    """Draw the errors and the gains over full supervision, with mean and range of the seeds."""
    figure = Figure(figsize=(7.0, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    x = results["labelled_percent"]
    for ink, (kind, runs) in zip(INKS, results["epe_mm"].items(), strict=False):
        band(left, x, by_seed(runs), ink, TITLES[kind], marker="o")
        if kind != "full":
            best = results["up_to"][kind]
            label = f"{TITLES[kind]}: up to {best['percent']:.1f} % (at {best['labelled_percent']} %)"
            gains = by_seed(results["gain_percent_by_seed"][kind])
            band(right, x, gains, ink, label, marker="o")
    for kind, percent in results["published_up_to_percent"].items():
        right.axhline(percent, color=GREY, linewidth=0.8, linestyle=(0, (4, 3)))
        text = f"the paper on RHD, {TITLES[kind]}: up to {percent} %"
        box = {"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 0.5}
        right.text(100, percent + 0.1, text, ha="right", va="bottom", fontsize=6.5, color=SOFT_INK, bbox=box)
    right.axhline(0, color=INK, linewidth=0.6)
    seeds = len(results["epe_mm"]["full"][0])
    tidy(left, "labelled hands, %", "mean EPE, mm")
    tidy(right, "labelled hands, %", "relative gain over full, %")
    for axis, columns in ((left, 2), (right, 1)):
        axis.set_xticks(x)
        axis.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, alignment="left")
    left.get_legend().set_title(f"mean and range of {seeds} seed{'s' * (seeds > 1)}")
    return figure
