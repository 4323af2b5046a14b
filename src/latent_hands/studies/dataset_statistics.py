"""Statistics of several data sets in one figure: poses, viewpoints, sizes and colours of the hands.

    python -m latent_hands.studies.dataset_statistics rendered=hands rhd:evaluation=RHD_published_v2 \
        stb-poses=STB [--out statistics.png] [--limit 2000] [--images 300]

A set is NAME=ROOT or NAME:SPLIT=ROOT. The default split is training. Poses, viewpoints and sizes come from
the labels, by the same rules for every set. Colours come from the image files that exist.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from latent_hands.data import open_data
from latent_hands.draw.skeletons import INK, PALETTE
from latent_hands.studies.hand_statistics import Statistics, measure

COLOURS = (PALETTE["ring"], PALETTE["thumb"], PALETTE["middle"], PALETTE["index"], PALETTE["little"])
FEW = 30
"""With fewer values than this, a plot marks each value instead of their distribution."""


def distribution(axis: Axes, values: dict[str, np.ndarray], bins: np.ndarray, title: str) -> None:
    """Draw one histogram of area 1 per set. A set with few values has one mark per value."""
    for (_, each), colour in zip(values.items(), COLOURS, strict=False):
        if len(each) >= FEW:
            axis.hist(each, bins.tolist(), density=True, histtype="stepfilled", color=colour, alpha=0.12)
            axis.hist(each, bins.tolist(), density=True, histtype="step", color=colour, linewidth=1.5)
        elif len(each):
            axis.plot(each, np.zeros(len(each)), "|", color=colour, markersize=10, clip_on=False)
    axis.set_title(title, fontsize=10, loc="left", color=INK)
    axis.set(yticks=[], xlim=(bins[0], bins[-1]))
    axis.tick_params(labelsize=8)
    axis.spines[["top", "right", "left"]].set_visible(False)


def sphere(axis: Axes, towards: np.ndarray, colour: str, title: str) -> None:
    """Draw the directions from the hand to the camera in an equal-area (Mollweide) projection."""
    x, y, z = towards.T
    size = 2.4 if len(towards) > 500 else 4.5
    place = np.arctan2(x, -z), np.arcsin((-y).clip(-1, 1))
    axis.plot(*place, ".", color=colour, markersize=size, alpha=0.55, mew=0)
    axis.set_title(title, fontsize=10, color=INK)
    axis.set_xticks([-np.pi / 2, 0, np.pi / 2], ["", "", ""])
    axis.set_yticks([0], [""])
    axis.grid(color="#d8d8d4", linewidth=0.8)
    names = {
        "thumb": (-1.57, 0),
        "palm": (0, 0),
        "little": (1.57, 0),
        "fingertips": (0, 1.25),
        "wrist": (0, -1.25),
    }
    halo = {"boxstyle": "round,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.75}
    for name, (longitude, latitude) in names.items():
        axis.text(longitude, latitude, name, fontsize=8, color=INK, ha="center", va="center", bbox=halo)


def draw(sets: dict[str, Statistics]) -> Figure:
    """Draw the statistics of all sets, by name, on one page."""
    figure = Figure(figsize=(14, 7.8), layout="constrained")
    rows: Any = figure.subfigures(3, 1, height_ratios=[1, 0.72, 1])

    def of(value: Callable[[Statistics], np.ndarray]) -> dict[str, np.ndarray]:
        return {name: value(each) for name, each in sets.items()}

    first = next(iter(sets.values()))
    for axis, joint in zip(rows[0].subplots(1, 5), first.flexion_deg, strict=True):
        bins = np.linspace(*((0, 90) if joint.startswith("thumb") else (-40, 120)), 41)
        distribution(axis, of(lambda s: s.flexion_deg[joint]), bins, f"{joint} flexion, degrees")  # noqa: B023
    grid = rows[1].add_gridspec(1, len(sets) + 1)
    for i, ((name, each), colour) in enumerate(zip(sets.items(), COLOURS, strict=False)):
        axis = rows[1].add_subplot(grid[i], projection="mollweide")
        sphere(axis, each.towards_camera[:: -(-each.hands // 1500)], colour, f"{name}, camera direction")
    turned = rows[1].add_subplot(grid[-1])
    distribution(
        turned, of(lambda s: s.turn_deg), np.linspace(-180, 180, 37), "rotation in the image, degrees"
    )
    turned.set_xticks([-180, -90, 0, 90, 180], ["down", "left", "up", "right", "down"])
    axes = rows[2].subplots(1, 6)
    ranges = ((0, 320), (0, 1500), (0, 20))
    for axis, size, extent in zip(axes[:3], first.sizes, ranges, strict=True):
        distribution(axis, of(lambda s: s.sizes[size]), np.linspace(*extent, 41), size)  # noqa: B023
    unit = np.linspace(0, 1, 26)
    distribution(axes[3], of(lambda s: s.colours["hand"]), unit, "luminance of the hand")
    distribution(axes[4], of(lambda s: s.colours["saturation"]), unit, "saturation of the hand")
    for each, colour in zip(sets.values(), COLOURS, strict=False):
        axes[5].plot(
            each.colours["background"], each.colours["hand"], ".", color=colour, ms=4, alpha=0.6, mew=0
        )
    axes[5].plot([0, 1], [0, 1], color="#c8c8c4", linewidth=0.8, zorder=0)
    axes[5].set_title("hand and background", fontsize=10, loc="left", color=INK)
    axes[5].set(xlim=(0, 1), ylim=(0, 1), box_aspect=1)
    axes[5].set_xlabel("luminance of the background", fontsize=8)
    axes[5].set_ylabel("of the hand", fontsize=8)
    axes[5].tick_params(labelsize=8)
    axes[5].spines[["top", "right"]].set_visible(False)
    legend(figure, sets)
    return figure


def legend(figure: Figure, sets: dict[str, Statistics]) -> None:
    """Write the name, colour and size of each set at the top of the figure."""
    lines = []
    for (name, each), colour in zip(sets.items(), COLOURS, strict=False):
        images = len(each.colours["hand"])
        label = f"{name}: {each.hands:,} hands, {images or 'no'} images"
        lines.append(Line2D([], [], color=colour, linewidth=4, label=label))
    figure.legend(handles=lines, loc="outside upper center", ncols=len(lines), frameon=False, fontsize=11)


def main() -> None:
    """Measure the given sets and write the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("sets", nargs="+", metavar="NAME[:SPLIT]=ROOT")
    parser.add_argument("--out", type=Path, default=Path("statistics.png"))
    parser.add_argument("--limit", type=int, help="use only the first hands of every set")
    parser.add_argument(
        "--images", type=int, default=300, help="images per set for the colours (default: 300)"
    )
    options = parser.parse_args()
    sets = {}
    for text in options.sets:
        name, _, root = text.partition("=")
        name, _, split = name.partition(":")
        sets[name] = measure(open_data(name, root, split or "training", options.limit), options.images)
    draw(sets).savefig(options.out, dpi=110)
    print(options.out)


if __name__ == "__main__":
    main()
