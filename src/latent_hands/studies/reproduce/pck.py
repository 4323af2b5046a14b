"""Fig. 7: the PCK curve of a model on each set with published curves, and a table of mean errors.

PCK is the share of joints with an error below a threshold. EPE is the mean joint error.
"""

from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from latent_hands.evaluation.scoring import given
from latent_hands.studies.reproduce.drawing import GREY, INK, INKS, SOFT_INK, Results, tidy
from latent_hands.studies.reproduce.sets import TITLES

EPE_MM = {
    "Zimmermann & Brox 2017": {"rhd": 30.42, "stb": 8.68},
    "Spurr et al. 2018": {"rhd": 19.73, "stb": 8.56},
    "dVAE (the paper)": {"rhd": 19.95, "stb": 8.66},
}
"""Method -> set -> published mean EPE of the 3DPose, with handedness and scale given, trained on this set."""
AUC_20_50 = {
    "Zimmermann & Brox 2017": {"rhd": 0.675, "stb": 0.948},
    "Spurr et al. 2018": {"rhd": 0.849, "stb": 0.983},
    "Mueller et al. 2018": {"stb": 0.965},
    "Panteleris et al. 2018": {"stb": 0.941},
    "Cai et al. 2018": {"rhd": 0.887, "stb": 0.994},
    "dVAE (the paper)": {"rhd": 0.849, "stb": 0.991},
}
RHD_THRESHOLDS_MM = (21.05, 25.0, 30.0, 35.0, 40.0, 45.0, 50.0)
STB_THRESHOLDS_MM = tuple(50 * i / 19 for i in range(8, 20))
PCK = {
    "rhd": {
        "Zimmermann & Brox 2017": (RHD_THRESHOLDS_MM, (0.440, 0.527, 0.621, 0.696, 0.747, 0.796, 0.823)),
        "Spurr et al. 2018": (RHD_THRESHOLDS_MM, (0.653, 0.738, 0.817, 0.872, 0.906, 0.933, 0.941)),
        "dVAE (the paper)": (RHD_THRESHOLDS_MM, (0.643, 0.731, 0.817, 0.872, 0.906, 0.937, 0.947)),
    },
    "stb": {
        "Spurr et al. 2018": (
            STB_THRESHOLDS_MM,
            (0.948, 0.961, 0.970, 0.977, 0.982, 0.986, 0.989, 0.991, 0.993, 0.994, 0.995, 0.996),
        ),
    },
}
"""Set -> method -> (thresholds in mm, share of joints within each).

Not published as numbers: CPose errors.
"""
STYLES = ("--", ":", "-")
NUMBERS = ("epe_mm", "cpose_epe_mm", "auc_20_50", "samples")


def measure_fig7(scores: Mapping[str, Mapping[str, Any]], trained_on: Mapping[str, str]) -> Results:
    """Collect the scores of `score_run` by set, the training set of each model, and the published numbers."""
    sets = {}
    for name, numbers in scores.items():
        kept = {key: numbers[key] for key in numbers if key.removesuffix("_interval") in NUMBERS}
        published_set = "stb" if name == "stb" else "rhd"
        sets[name] = kept | {
            "pck": numbers["pck"],
            "frame": numbers["frame"],
            "translated": {key: numbers.get("translated", {}).get(key) for key in ("epe_mm", "auc_20_50")},
            "trained_on": trained_on[name],
            "published": {
                "set": published_set,
                "pck": {who: {"thresholds_mm": x, "shares": y} for who, (x, y) in PCK[published_set].items()},
                "epe_mm": {who: values[published_set] for who, values in EPE_MM.items()},
                "auc_20_50": {
                    who: values[published_set] for who, values in AUC_20_50.items() if published_set in values
                },
            },
        }
    return {"sets": sets}


def draw_fig7(results: Results) -> Figure:
    """Draw a panel for each set, and the table."""
    sets = results["sets"]
    figure = Figure(figsize=(2.75 * len(sets) + 3.7, 3.1), layout="constrained")
    axes = figure.subplots(1, len(sets) + 1, width_ratios=[*[1.0] * len(sets), 1.35], squeeze=False)[0]
    for axis, (name, numbers) in zip(axes, sets.items(), strict=False):
        _panel(axis, name, numbers)
    _table(axes[-1], sets)
    return figure


def _panel(axis: Axes, name: str, numbers: Results) -> None:
    published = numbers["published"]
    for style, (who, curve) in zip(STYLES, published["pck"].items(), strict=False):
        label = f"{who} ({published['auc_20_50'][who]:.3f})"
        axis.plot(curve["thresholds_mm"], curve["shares"], style, color=GREY, linewidth=0.9, label=label)
    x, y = numbers["pck"]["thresholds_mm"], numbers["pck"]["shares"]
    axis.plot(x, y, color=INKS[0], linewidth=1.6, label=f"this model ({numbers['auc_20_50']:.3f})")
    tidy(axis, "error threshold, mm", "3D PCK", f"{TITLES[name]}, {numbers['samples']:,} hands")
    axis.set(xlim=(0, 50), ylim=(0, 1))
    note = (
        f"grey: published, trained and scored on {TITLES[published['set']]};\n"
        f"ours: trained on {numbers['trained_on']} (AUC 20-50)"
    )
    below = {"loc": "upper center", "bbox_to_anchor": (0.45, -0.2), "ncols": 2, "columnspacing": 1.0}
    axis.legend(**below, fontsize=6.5, title=note, title_fontsize=6.5)


def _table(axis: Axes, sets: Mapping[str, Results]) -> None:
    axis.set_axis_off()
    axis.set(xlim=(0, 1), ylim=(0, 1))
    axis.set_title("Mean EPE, mm", loc="left")
    head, rows = table_of(sets)
    x = [0.0, *(0.45 + 0.55 * (j + 0.5) / (len(head) - 1) for j in range(len(head) - 1))]
    y = 0.80
    for j, text in enumerate(head):
        axis.text(x[j], y + 0.03, text, ha="center", va="bottom", linespacing=1.1, fontsize=8)
    axis.plot([0, 1], [y, y], color=INK, linewidth=0.8)
    for row in rows:
        ours = row[0].startswith("this model")
        y -= 0.1
        for j, text in enumerate(row):
            value, _, interval = text.partition(" ") if j else (text, "", "")
            place = "left" if j == 0 else "center"
            axis.text(
                x[j], y, value, ha=place, weight="bold" if ours else None, color=INK if ours else SOFT_INK
            )
            axis.text(x[j], y - 0.06, interval, ha=place, fontsize=6.5, color=SOFT_INK)
        y -= 0.05 * any("[" in text for text in row)
    y -= 0.05
    axis.plot([0, 1], [y, y], color=INK, linewidth=0.8)
    note = "grey: published, trained on RHD or STB; CPose errors are not available\n"
    frame = "ray" if any(numbers["frame"] == "ray" for numbers in sets.values()) else "camera"
    note += f"[95 % interval]; {given(frame)} given"
    note += "\ntranslated: in the joint convention of the labels" * rows[-1][0].startswith("...")
    axis.text(0, y - 0.03, note, fontsize=6.5, color=SOFT_INK, va="top")


def table_of(sets: Mapping[str, Results]) -> tuple[list[str], list[list[str]]]:
    """Return headings and rows: published methods, then CPose and 3DPose of this model on every set."""
    names = list(sets) + [name for name in ("rhd", "stb") if name not in sets and list(sets) == ["rendered"]]
    head = [""]
    rows = [[who] for who in EPE_MM] + [["this model"], ["... translated"]]
    for name in names:
        title = TITLES[name].split()[0]
        published = [f"{values[name]:.2f}" if name in values else "-" for values in EPE_MM.values()]
        if name in sets:
            head.append(f"{title}\nCPose")
            for row, text in zip(
                rows, [*["-"] * len(EPE_MM), f"{sets[name]['cpose_epe_mm']:.1f}", "-"], strict=True
            ):
                row.append(text)
        head.append(f"{title}\n3DPose")
        for row, text in zip(rows, [*published, *_ours(sets.get(name))], strict=True):
            row.append(text)
    has_translation = any(numbers["translated"]["epe_mm"] for numbers in sets.values())
    return head, rows if has_translation else rows[:-1]


def _ours(numbers: Results | None) -> tuple[str, str]:
    if numbers is None:
        return "-", "-"
    low, high = numbers["epe_mm_interval"]
    translated = numbers["translated"]["epe_mm"]
    return (
        f"{numbers['epe_mm']:.1f} [{low:.1f}, {high:.1f}]",
        "-" if translated is None else f"{translated:.1f}",
    )
