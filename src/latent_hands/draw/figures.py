"""Figures with axes. Matplotlib takes half a second to import, so drawings of hands do without it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from latent_hands.draw.sheets import write_drawing
from latent_hands.draw.skeletons import INK, PALETTE, PREDICTION, TRUTH

Line = tuple[Sequence[float | int], Sequence[float | int]]


def curves(path: Path, panels: Mapping[str, Mapping[str, Line]], x_label: str, y_label: str = "") -> Path:
    """Write line plots side by side as an image: panel title -> line name -> (x, y)."""
    figure = Figure(figsize=(4.4 * len(panels), 3.0), layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for axis, (title, lines) in zip(axes, panels.items(), strict=True):
        _panel(axis, title, lines, x_label, y_label)
    return save_figure(figure, path, dpi=160)


def save_figure(figure: Figure, path: Path, dpi: int = 220) -> Path:
    """Write a figure in the format of the ending.

    Equal figures give equal files, because PDFs have no date.
    """
    undated = {"CreationDate": None} if path.suffix == ".pdf" else None
    return write_drawing(path, lambda temporary: figure.savefig(temporary, dpi=dpi, metadata=undated))


def _panel(axis: Axes, title: str, lines: Mapping[str, Line], x_label: str, y_label: str) -> None:
    inks = [PREDICTION, TRUTH, *PALETTE.values()]
    for (name, (x, y)), ink in zip(lines.items(), inks, strict=False):
        axis.plot(x, y, label=name, color=ink, linewidth=1.6, marker="." if len(x) < 3 else None)
    axis.set_title(title, fontsize=11, loc="left", color=INK)
    axis.set(xlabel=x_label, ylabel=y_label)
    axis.grid(color="#e6e6e2", linewidth=0.8)
    axis.spines[["top", "right"]].set_visible(False)
    if len(lines) > 1:
        axis.legend(frameon=False, fontsize=9)
