"""Fig. 9: error over the share of labelled hands, with full, semi- and weak supervision.

All runs take equally many steps, on equally many crops of labelled images. Further images cost further crops
in the same steps.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from latent_hands.errors import HandsError
from latent_hands.studies.reproduce.drawing import GREY, INK, INKS, SOFT_INK, Results, band, by_seed, tidy
from latent_hands.studies.reproduce.study import Plan

EXPERIMENT = "study_weak"
SHARES = (1, 5, 10, 20, 50, 100)
SEMI, VIEWPOINT = "--supervision.semi=true", "--supervision.weak.viewpoint=30.0"
UV, IMAGES = "--supervision.weak.uv=11.0", "--supervision.weak.rgb=0.04"
KINDS = {
    "full": Plan(EXPERIMENT),
    "semi": Plan(EXPERIMENT, (SEMI,)),
    "viewpoint": Plan(EXPERIMENT, (VIEWPOINT,)),
    "uv": Plan(EXPERIMENT, (UV,)),
    "all": Plan(EXPERIMENT, (SEMI, VIEWPOINT, UV)),
    "images": Plan(f"{EXPERIMENT}_images", (IMAGES,)),
}
TITLES = {
    "full": "full",
    "semi": "semi: poses",
    "viewpoint": "weak: viewpoint",
    "uv": "weak: 2D joints",
    "all": "semi + both weak",
    "images": "images alone",
}
UP_TO_PERCENT = {"semi": 3.5, "viewpoint": 7.5}
"""The largest gains over full supervision, in percent, that the paper reports for Fig. 9."""


def run_name(kind: str, share: int) -> str:
    """Return the name of the run with a kind of supervision and a share of labels in percent."""
    return f"{'full' if share == 100 else kind}-{share:03d}"


def chosen_shares(given: Sequence[int]) -> tuple[int, ...]:
    """Return the shares of labels in percent: the given ones and 100, or `SHARES` without any.

    Raises HandsError for a share that is not from 1 to 100.
    """
    for share in given:
        if not 1 <= share <= 100:
            raise HandsError(f"a share of labelled hands is {share} %; it must be from 1 to 100")
    return tuple(sorted({*given, 100})) if given else SHARES


def plans(shares: Sequence[int] = SHARES) -> dict[str, Plan]:
    """Return the experiments by run name: 31 for the usual shares. All kinds share the run of 100 %."""
    experiments = {run_name("full", 100): KINDS["full"]}
    for share in shares[:-1]:
        for kind, plan in KINDS.items():
            labelled = f"--supervision.labelled={share / 100}"
            experiments[run_name(kind, share)] = Plan(plan.experiment, (labelled, *plan.overrides))
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
        "viewpoint_deg": {
            k: [[s["viewpoint_deg"] for s in scores[run_name(k, m)]] for m in shares] for k in KINDS
        },
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
            where = f"up to {best['percent']:.1f} % (at {best['labelled_percent']} %)"
            label = f"{TITLES[kind]}: {where if best['percent'] > 0 else 'no gain'}"
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
        axis.set_xscale("log")
        axis.set_xticks(x, [str(share) for share in x])
        axis.minorticks_off()
        axis.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, alignment="left")
    left.get_legend().set_title(f"mean and range of {seeds} seeds" if seeds > 1 else "one seed")
    return figure
