"""Fig. 9: the error over the share of labelled hands, full, semi-, weak and semi- plus weak."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from latent_hands.errors import HandsError
from latent_hands.studies.reproduce.figure import GREY, INK, INKS, SOFT_INK, Found, band, by_seed, tidy
from latent_hands.studies.reproduce.published import UP_TO_PERCENT
from latent_hands.studies.reproduce.study import Plan

SHARES = (5, 10, 20, 40, 60, 80, 100)
SEMI, WEAK = "--supervision.semi=true", "--supervision.weak.viewpoint=1.0"
KINDS = {"full": (), "semi": (SEMI,), "weak": (WEAK,), "semi_weak": (SEMI, WEAK)}
TITLES = {"full": "full", "semi": "semi", "weak": "weak", "semi_weak": "semi + weak"}
WHOLE = "dvae"
"""The run of all labels, which all kinds share, and other figures too."""


def run_name(kind: str, share: int) -> str:
    """What the run of a kind of supervision at a share of labels, %, is called."""
    return WHOLE if share == 100 else f"{kind}-{share:03d}"


def chosen_shares(asked: Sequence[int]) -> tuple[int, ...]:
    """The shares of labels to draw, %: those asked for and 100, or the paper's if none are.

    Raises HandsError for one that is no percentage.
    """
    for share in asked:
        if not 1 <= share <= 100:
            raise HandsError(f"a share of labelled hands is {share} %; legal: 1 .. 100")
    return tuple(sorted({*asked, 100})) if asked else SHARES


def plans(shares: Sequence[int] = SHARES) -> dict[str, Plan]:
    """The experiments, 25 for the paper's shares.

    All take the same number of updates, since epochs count all hands. An update of the embedding is one step,
    or with weak labels two: the second on the images that are not labelled.
    """
    found = {WHOLE: Plan("study_estimation")}
    for share in shares[:-1]:
        for kind, settings in KINDS.items():
            labelled = f"--supervision.labelled={share / 100}"
            found[run_name(kind, share)] = Plan("study_estimation", (labelled, *settings))
    return found


def relative_gain(epe_mm: float, full_mm: float) -> float:
    """By how much of the fully supervised error another one is smaller, %."""
    return 100 * (full_mm - epe_mm) / full_mm


def measure_fig9(scores: Mapping[str, Sequence[Mapping[str, Any]]], shares: Sequence[int] = SHARES) -> Found:
    """From the scores of every run by its name, a list over the seeds."""
    epe_mm = {k: [[s["epe_mm"] for s in scores[run_name(k, m)]] for m in shares] for k in KINDS}
    cpose = {k: [[s["cpose_epe_mm"] for s in scores[run_name(k, m)]] for m in shares] for k in KINDS}
    gains = {
        kind: [relative_gain(float(np.mean(x)), float(np.mean(full))) for x, full in _beside(epe_mm, kind)]
        for kind in KINDS
        if kind != "full"
    }
    each_seed = {
        kind: [
            [relative_gain(a, b) for a, b in zip(x, full, strict=True)] for x, full in _beside(epe_mm, kind)
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


def _beside(epe_mm: Mapping[str, Sequence], kind: str) -> zip:
    return zip(epe_mm[kind], epe_mm["full"], strict=True)


def draw_fig9(found: Found) -> Figure:
    """Left the errors, right the gains over full supervision, mean and spread of the seeds."""
    figure = Figure(figsize=(7.0, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    x = found["labelled_percent"]
    for ink, (kind, runs) in zip(INKS, found["epe_mm"].items(), strict=False):
        band(left, x, by_seed(runs), ink, TITLES[kind], marker="o")
        if kind != "full":
            best = found["up_to"][kind]
            label = f"{TITLES[kind]}: up to {best['percent']:.1f} % (at {best['labelled_percent']} %)"
            gains = by_seed(found["gain_percent_by_seed"][kind])
            band(right, x, gains, ink, label, marker="o")
    for kind, percent in found["published_up_to_percent"].items():
        right.axhline(percent, color=GREY, linewidth=0.8, linestyle=(0, (4, 3)))
        told = f"the paper on RHD, {TITLES[kind]}: up to {percent} %"
        box = {"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 0.5}
        right.text(100, percent + 0.1, told, ha="right", va="bottom", fontsize=6.5, color=SOFT_INK, bbox=box)
    right.axhline(0, color=INK, linewidth=0.6)
    seeds = len(found["epe_mm"]["full"][0])
    tidy(left, "labelled hands, %", "mean EPE, mm")
    tidy(right, "labelled hands, %", "relative gain over full, %")
    for axis, columns in ((left, 2), (right, 1)):
        axis.set_xticks(x)
        axis.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, alignment="left")
    left.get_legend().set_title(f"mean and range of {seeds} seed{'s' * (seeds > 1)}")
    return figure
