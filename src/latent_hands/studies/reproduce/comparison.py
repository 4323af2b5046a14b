"""The comparison of Sec. 4.4 on the same hands: dVAE, cross-modal VAE and regression."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from latent_hands.evaluation.scoring import given
from latent_hands.studies.reproduce.curves import learning_curve
from latent_hands.studies.reproduce.drawing import INK, INKS, SOFT_INK, Results, learning, tidy
from latent_hands.studies.reproduce.study import Plan, Trial

PLANS = {
    "dvae": Plan("study_estimation"),
    "cross_modal": Plan("study_cross_modal"),
    "regression": Plan("study_regression"),
}
TITLES = {
    "dvae": "dVAE (Alg. 1)",
    "cross_modal": "cross-modal VAE (Eq. 1)",
    "regression": "regression",
    "two_phase": "dVAE, constant rate",
    "simultaneous": "dVAE, simultaneous (Eq. 5)",
    "alternating": "alternating (Spurr)",
}
COLUMNS = {
    "epe_mm": ("3DPose EPE, mm", 1),
    "auc_20_50": ("AUC 20-50", 3),
    "cpose_epe_mm": ("CPose EPE, mm", 1),
    "viewpoint_deg": ("viewpoint, deg", 1),
    "pa_epe_mm": ("PA-EPE, mm", 1),
}
"""{key of a score: (heading, number of decimals)}. EPE is the mean joint error, PA- after alignment."""


def measure_comparison(
    trials: Mapping[str, Sequence[Trial]], scores: Mapping[str, Sequence[Mapping[str, Any]]]
) -> Results:
    """Return for each method its scores with intervals, its learning curves and its cost, by seed."""
    methods = {}
    for name, runs in trials.items():
        spent = [trial.spent() for trial in runs]
        results: Results = {key: [s[key] for s in scores[name]] for key in COLUMNS}
        results |= {f"{key}_interval": [s[f"{key}_interval"] for s in scores[name]] for key in COLUMNS}
        results |= {
            "updates": spent[0].updates,
            "crops": round(spent[0].crops),
            "seconds": [s.seconds for s in spent],
        }
        results["curves"] = [learning_curve(trial.lines(), trial.experiment) for trial in runs]
        methods[name] = results
    one = next(iter(scores.values()))[0]
    mean_pose = {key: one["mean_pose"][key] for key in COLUMNS if key in one["mean_pose"]}
    about = {key: one[key] for key in ("samples", "split", "frame")}
    return {"methods": methods, "mean_pose": mean_pose, **about}


def table_of(results: Results) -> tuple[list[str], list[list[str]]]:
    """Return headings and rows: mean over seeds, [95 % interval over hands], (range of the seeds)."""
    head = ["", *(heading for heading, _ in COLUMNS.values()), "updates", "crops", "seconds"]
    rows = []
    for name, method in results["methods"].items():
        row: list[str] = [TITLES[name]]
        for key, (_, digits) in COLUMNS.items():
            low, high = np.mean(method[f"{key}_interval"], axis=0)
            row.append(f"{np.mean(method[key]):.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]")
        values = method["epe_mm"]
        row[1] += f" ({min(values):.1f}..{max(values):.1f})" if len(values) > 1 else ""
        spent = (method["updates"], method["crops"], round(np.mean(method["seconds"])))
        rows.append([*row, *(f"{value:,}" for value in spent)])
    means = (
        f"{results['mean_pose'][k]:.{d}f}" if k in results["mean_pose"] else "-"
        for k, (_, d) in COLUMNS.items()
    )
    return head, [*rows, ["the mean pose", *means, "", "", ""]]


def notes(results: Results) -> str:
    """Return the note below the table, which explains its numbers."""
    seeds = max(len(method["epe_mm"]) for method in results["methods"].values())
    return (
        f"{results['set']}: {results['samples']:,} hands of {results['split']}, "
        f"trained on {results['trained_on']}; "
        f"mean of {seeds} seed{'s' * (seeds > 1)}, [95 % bootstrap interval over hands], (range of seeds); "
        f"{given(results['frame'])} given."
    )


def markdown(results: Results) -> str:
    """Return the table as Markdown."""
    head, rows = table_of(results)
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in lines) + f"\n\n{notes(results)}\n"


def draw_table(results: Results) -> Figure:
    """Draw the table: values, and below them their intervals in small print."""
    head, rows = table_of(results)
    widths = [1.55, *[1.0] * len(COLUMNS), 0.6, 0.75, 0.6]
    step, width = 0.38, sum(widths)
    height = 0.3 + step * len(rows) + 0.4
    figure = Figure(figsize=(width + 0.2, height))
    axis = figure.add_axes((0, 0, 1, 1))
    axis.set(xlim=(-0.1, width + 0.1), ylim=(0, height))
    axis.set_axis_off()
    x = [0.0, *(sum(widths[:j]) + widths[j] / 2 for j in range(1, len(head)))]
    y = height - 0.22
    for j, text in enumerate(head):
        axis.text(x[j], y, text, ha="center")
    for rule, thick in ((y + 0.16, 1.0), (y - 0.08, 0.6), (y - 0.1 - step * len(rows), 1.0)):
        axis.plot([0, width], [rule, rule], color=INK, linewidth=thick)
    for row in rows:
        y -= step
        for j, text in enumerate(row):
            value, _, rest = text.partition(" [") if j else (text, "", "")
            lift = 0.1 if rest else 0.06
            axis.text(x[j], y + lift, value, ha="center" if j else "left")
            axis.text(x[j], y - 0.03, rest and f"[{rest}", ha="center", fontsize=6.5, color=SOFT_INK)
    axis.text(0, 0.12, notes(results), fontsize=7, color=SOFT_INK)
    return figure


def draw_baselines(results: Results) -> Figure:
    """Draw the error of each method, one dot per seed, and validation errors over updates and seconds."""
    figure = Figure(figsize=(8.6, 2.8), layout="constrained")
    dots, updates, seconds = figure.subplots(1, 3, width_ratios=(0.8, 1, 1))
    methods = results["methods"]
    for i, (ink, (name, method)) in enumerate(zip(INKS, methods.items(), strict=False)):
        low, high = np.mean(method["epe_mm_interval"], axis=0)
        dots.fill_between([i - 0.25, i + 0.25], low, high, color=ink, alpha=0.2, linewidth=0)
        seeds = len(method["epe_mm"])
        offsets = 0.08 * (np.arange(seeds) - (seeds - 1) / 2)
        dots.plot(i + offsets, method["epe_mm"], "o", color=ink, markersize=3)
        learning(updates, seconds, method["curves"], ink, TITLES[name])
    dots.set_xticks(range(len(methods)), [TITLES[name].replace(" (", "\n(") for name in methods], fontsize=7)
    dots.set_xlim(-0.6, len(methods) - 0.4)
    tidy(dots, "", "mean EPE, mm", f"seeds and 95 % interval over {results['samples']:,} hands")
    tidy(updates, "updates", "validation EPE, mm", "mean and range of the seeds")
    tidy(seconds, "seconds of training", "validation EPE, mm")
    text = f"{results['set']}; the mean pose has {results['mean_pose']['epe_mm']:.1f} mm"
    dots.text(0.98, 0.97, text, transform=dots.transAxes, ha="right", va="top", fontsize=6.5, color=SOFT_INK)
    dots.margins(y=0.2)
    updates.legend()
    return figure
