"""Common parts of the figures: files, style, images in JSON, sheets of images and hands."""

import base64
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from latent_hands import draw
from latent_hands.draw import PREDICTION, TRUTH, ImageArray
from latent_hands.draw.figures import save_figure
from latent_hands.files import write_text

Results = dict[str, Any]
"""The contents of a figure, as in its JSON file."""
STYLE: dict[Any, Any] = {
    "font.family": "STIXGeneral",
    "mathtext.fontset": "stix",
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 7,
    "legend.edgecolor": "none",
    "legend.framealpha": 0.85,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "pdf.fonttype": 42,
}
GREY, SOFT, INK, SOFT_INK = "#9a9a9a", "#e6e6e2", "#24272c", "#646a73"
INKS = (PREDICTION, TRUTH, "#2c9a57", "#e08a00", "#8a4fc9", INK, "#00939c")
CELL_IN, GAP_IN, WIDE_IN = 0.86, 0.04, 0.16
CELL_PX = 256
LETTERS_PER_IN = 18
"""Letters of a note on an inch of its line, roughly."""


def save(results: Results, drawing: Callable[[Results], Figure], path: Path) -> list[Path]:
    """Write `path`.json, and draw `path`.png and `path`.pdf from it. Return the three paths."""
    path.parent.mkdir(parents=True, exist_ok=True)
    files = [path.with_name(path.name + ending) for ending in (".json", ".png", ".pdf")]
    write_text(files[0], json.dumps(rounded(results), indent=1) + "\n")
    redraw(files[0], drawing)
    return files


def redraw(path: Path, drawing: Callable[[Results], Figure]) -> None:
    """Draw a figure again from its JSON file."""
    with matplotlib.rc_context(STYLE):
        figure = drawing(json.loads(path.read_text()))
        for ending in (".png", ".pdf"):
            save_figure(figure, path.with_suffix(ending))


def rounded(results: Any) -> Any:
    """Round numbers to six significant digits. NaN and infinity, which JSON lacks, become None."""
    if isinstance(results, Mapping):
        return {str(key): rounded(value) for key, value in results.items()}
    if isinstance(results, np.ndarray):
        return rounded(results.tolist())
    if isinstance(results, list | tuple):
        return [rounded(value) for value in results]
    if isinstance(results, float | np.floating):
        return float(f"{results:.6g}") if np.isfinite(results) else None
    return results


def to_text(image: ImageArray) -> str:
    """Encode an image as text for JSON."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def from_text(text: str) -> ImageArray:
    """Decode an image of `to_text`."""
    data = base64.b64decode(text.removeprefix("data:image/png;base64,"))
    return np.array(Image.open(io.BytesIO(data), formats=["PNG"]).convert("RGB"))  # noqa: TID251


def reach(poses: Iterable[Any]) -> float:
    """Return half the longest side of the largest pose in the image plane, as a common scale."""
    return float(max(np.ptp(np.asarray(pose)[:, :2], axis=0).max() for pose in poses)) / 2


def hand(pose: Any, size: float, ink: str | None = None) -> ImageArray:
    """Draw a 3DPose from the front, centred, at the scale of `reach`. Without `ink`, fingers have colours."""
    points = np.asarray(pose, float)
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    return draw.skeleton(points if ink is None else {ink: points}, size_px=CELL_PX, frame=(middle, size))


class Sheet:
    """A figure of square cells in rows and columns, with wider gaps after some, and margins for text."""

    def __init__(
        self,
        rows: int,
        columns: int,
        wide_after: tuple[Sequence[int], Sequence[int]],
        margins_in: tuple[float, float, float, float],
    ):
        """Lay out the cells.

        `wide_after` is (rows, columns), `margins_in` (left, top, right, bottom) in inches.
        """
        left, top, right, bottom = margins_in
        self.down = [top + i * (CELL_IN + GAP_IN) + _wide(i, wide_after[0]) for i in range(rows)]
        self.across = [left + j * (CELL_IN + GAP_IN) + _wide(j, wide_after[1]) for j in range(columns)]
        self.size = (self.across[-1] + CELL_IN + right, self.down[-1] + CELL_IN + bottom)
        self.figure = Figure(figsize=self.size)

    def show(self, row: int, column: int, image: ImageArray, framed: bool = False) -> Axes:
        """Draw an image in a cell, with a red frame for a given image."""
        width, height = self.size
        x, y = self.across[column], height - self.down[row] - CELL_IN
        axis = self.figure.add_axes((x / width, y / height, CELL_IN / width, CELL_IN / height))
        axis.set(xticks=[], yticks=[], xlim=(0, 1), ylim=(0, 1))
        axis.spines[:].set_visible(False)
        large = Image.fromarray(image).resize((CELL_PX, CELL_PX), Image.Resampling.BICUBIC)
        axis.imshow(np.array(large), extent=(0, 1, 0, 1), interpolation="antialiased", aspect="auto")
        if framed:
            axis.spines[:].set(visible=True, color=TRUTH, linewidth=2.2)
            axis.set_zorder(2)
        return axis

    def text(self, x_in: float, y_in: float, text: str, **options: Any) -> None:
        """Write text at a distance in inches from the upper left corner."""
        width, height = self.size
        options = {"ha": "center", "va": "center"} | options
        self.figure.text(x_in / width, 1 - y_in / height, text, **options)

    def with_note(self, text: str) -> Figure:
        """Write one or two lines of text below the cells and return the figure."""
        lines = fill(text, int(self.size[0] * LETTERS_PER_IN))
        self.text(self.size[0] / 2, self.size[1] - 0.13, lines, fontsize=8, linespacing=1.0)
        return self.figure


def _wide(place: int, after: Sequence[int]) -> float:
    return (WIDE_IN - GAP_IN) * sum(place > each for each in after)


def band(
    axis: Axes,
    x: Sequence[float | int],
    runs: Sequence[Sequence[float | int]],
    ink: str,
    label: str,
    marker: str = "",
) -> None:
    """Draw the mean of several runs (rows) as a line and their range as a band."""
    values = np.asarray(runs, float)
    axis.fill_between(x, values.min(axis=0), values.max(axis=0), color=ink, alpha=0.15, linewidth=0)
    marker = marker if len(x) > 2 else "o"
    axis.plot(x, values.mean(axis=0), color=ink, label=label, linewidth=1.4, marker=marker, markersize=3)


def learning(updates: Axes, seconds: Axes, curves: Sequence[Results], ink: str, label: str) -> None:
    """Draw the validation errors of several seeds over updates and over their mean seconds."""
    errors = [curve["epe_mm"] for curve in curves]
    band(updates, curves[0]["updates"], errors, ink, label)
    band(seconds, np.mean([curve["seconds"] for curve in curves], axis=0).tolist(), errors, ink, label)


def by_seed(values: Sequence[Sequence[float | int]]) -> list[list[float | int]]:
    """Transpose lists over seeds for each x to lists over x for each seed."""
    return [list(run) for run in zip(*values, strict=True)]


def tidy(axis: Axes, x_label: str, y_label: str, title: str = "") -> None:
    """Set labels, a light grid and a title at the left."""
    axis.set(xlabel=x_label, ylabel=y_label)
    axis.set_title(title, loc="left")
    axis.grid(color=SOFT, linewidth=0.6)
    axis.set_axisbelow(True)
