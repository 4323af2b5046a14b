"""The missing supplementary: errors, information and active units over beta and over the size d of z."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from latent_hands.studies.reproduce.drawing import GREY, INKS, Results, band, by_seed, tidy
from latent_hands.studies.reproduce.study import Plan

BETAS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
DIMENSIONS = (8, 16, 32, 64, 128)
PAPER = {"beta": 0.01, "dimension": 64}
AXES = {"beta": "beta", "dimension": "dimension d of z"}


def plans(sweep: str) -> dict[str, Plan]:
    """Return an experiment per value. The value of the paper is the run that other figures use too."""
    changes = {}
    for value in values_of(sweep):
        half = round(value / 2)
        changed = (f"--algorithm.beta={value}",)
        if sweep == "dimension":
            changed = (f"--latent.cpose={half}", f"--latent.viewpoint={half}")
        changes |= {f"{sweep}-{value:g}": changed} if value != PAPER[sweep] else {"dvae": ()}
    return {name: Plan("study_estimation", changed) for name, changed in changes.items()}


def values_of(sweep: str) -> tuple[float, ...]:
    """Return the values of a sweep, in the order of its plans."""
    return BETAS if sweep == "beta" else DIMENSIONS


def measure_sweep(
    sweep: str,
    scores: Mapping[str, Sequence[Mapping[str, Any]]],
    latents: Mapping[str, Sequence[Mapping[str, float]]],
) -> Results:
    """Collect the scores of the runs and the information in their latents, in the order of `plans`.

    Lists are over values, then seeds. `latents` has the results of `curves.information`.
    `reconstruction_epe_mm` is the error of poses encoded from their labels, a lower bound for poses from
    images.
    """
    runs = list(latents.values())
    keys = sorted({key for each in runs for run in each for key in run})
    return {
        "sweep": sweep,
        "values": values_of(sweep),
        "epe_mm": [[s["epe_mm"] for s in each] for each in scores.values()],
        "cpose_epe_mm": [[s["cpose_epe_mm"] for s in each] for each in scores.values()],
        **{key: [[run[key] for run in each] for each in runs] for key in keys},
    }


def draw_sweep(results: Results) -> Figure:
    """Draw errors, KL and active units over the values."""
    figure = Figure(figsize=(8.4, 2.6), layout="constrained")
    panels = figure.subplots(1, 3)
    x, sweep = results["values"], results["sweep"]
    errors = {"epe_mm": "3DPose", "cpose_epe_mm": "CPose", "reconstruction_epe_mm": "3DPose from its label"}
    _lines(panels[0], x, {name: results[key] for key, name in errors.items() if key in results})
    for panel, start in ((panels[1], "kl_"), (panels[2], "active_")):
        factors = {k.removeprefix(start): v for k, v in results.items() if k.startswith(start)}
        _lines(panel, x, {f"z {factor}": runs for factor, runs in factors.items()})
    if sweep == "dimension":
        panels[2].plot(x, [d / 2 for d in x], color=GREY, linewidth=0.9, linestyle="--", label="all units")
    seeds = len(results["epe_mm"][0])
    titles = (
        f"mean and range of {seeds} seed{'s' * (seeds > 1)}",
        "q(z | image)",
        "variance of the mean > 0.01",
    )
    for panel, y, title in zip(panels, ("mean EPE, mm", "KL, nats", "active units"), titles, strict=True):
        panel.set_xscale("log", base=10 if sweep == "beta" else 2)
        panel.axvline(PAPER[sweep], color=GREY, linewidth=0.8, linestyle=":")
        tidy(panel, AXES[sweep], y, title)
        panel.set_ylim(0, 1.5 * max(panel.dataLim.y1, 1.0))
        if sweep == "dimension":
            panel.set_xticks(x, [str(d) for d in x])
        panel.minorticks_off()
        panel.legend(loc="upper right")
    panels[0].annotate(
        "the paper", (PAPER[sweep], 0), (2, 3), textcoords="offset points", fontsize=6.5, color=GREY
    )
    return figure


def _lines(panel: Any, x: Sequence[float | int], lines: Mapping[str, Any]) -> None:
    for ink, (name, runs) in zip(INKS, lines.items(), strict=False):
        band(panel, x, by_seed(runs), ink, name, marker="o")
