"""The reliability diagram: the observed share over the predicted one."""

from collections.abc import Sequence

from matplotlib.figure import Figure


def reliability_diagram(rows: Sequence[tuple[float, float, int]]) -> Figure:
    """Return the diagram of (mean prediction, mean observation, number of hands) of each bin."""
    figure = Figure(figsize=(4, 4), layout="constrained")
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color="#9a9a9a", linewidth=0.8, linestyle="--", label="calibrated")
    predicted, observed, counts = zip(*rows, strict=True) if rows else ((), (), ())
    most = max(counts, default=1)
    axes.plot(predicted, observed, color="#1b7f79", linewidth=1.2)
    axes.scatter(predicted, observed, s=[60 * count / most for count in counts], color="#1b7f79")
    axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axes.set(xlabel="expected share of joints within 30 mm", ylabel="observed share")
    axes.legend(frameon=False, loc="upper left")
    return figure
