"""Figures and tables by name: all that `latent-hands reproduce` makes."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from latent_hands.errors import HandsError, did_you_mean
from latent_hands.lock import one_writer
from latent_hands.studies.reproduce import budget
from latent_hands.studies.reproduce.figures import (
    baselines,
    eq5,
    fig4,
    fig5,
    fig6,
    fig7,
    fig8,
    fig9,
    sweep,
    table,
)
from latent_hands.studies.reproduce.study import Study

FIGURES: dict[str, Callable[[Study], list[Path]]] = {
    "fig4": fig4,
    "fig5": fig5,
    "fig6": fig6,
    "fig7": fig7,
    "fig8": fig8,
    "baselines": baselines,
    "simultaneous": eq5,
    "table": table,
    "beta": partial(sweep, swept="beta"),
    "dimension": partial(sweep, swept="dimension"),
    "fig9": fig9,
}
"""Figures by name, in the order of "all": the fastest first."""
ONE_MODEL = ("fig4", "fig5", "fig6", "fig7", "fig8")
SHOWING = ("fig4", "fig5", "fig6", "fig8")
"""Figures of a few hands, without scores of a whole set."""


def reproduce(what: str, study: Study) -> list[Path]:
    """Make a figure by name, or "all" of them. Return the written files.

    Raises HandsError for an unknown name, for a `run` with a figure that compares several runs, for `shares`
    that are not from 1 to 100 or that are given for another figure than fig9, and if another process writes
    to the folder. Raises KeyboardInterrupt after a stopped training is saved.
    """
    if what not in (*FIGURES, "all"):
        raise HandsError(f'unknown figure "{what}"; {did_you_mean(what, (*FIGURES, "all"))}')
    if study.run is not None and what not in ONE_MODEL:
        raise HandsError(
            f"run is {study.run}, but {what} compares several runs; use run with {', '.join(ONE_MODEL)}"
        )
    if study.shares and what not in ("fig9", "all"):
        raise HandsError(
            f"shares is {study.shares}, but {what} has no shares of labels; they are those of fig9"
        )
    budget.chosen_shares(study.shares)
    files = []
    with one_writer(study.sets.out):
        for name in FIGURES if what == "all" else [what]:
            study.print(name, "bold")
            files += FIGURES[name](study)
    return files
