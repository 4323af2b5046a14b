"""How reliable a confidence is, by data set and by what was given: expected and observed shares of joints."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from latent_hands.evaluation.logistic import calibration_error

FOUND, GIVEN, CUT_FOUND, CUT_GIVEN, WRONG_SIDE = (
    "as found",
    "box and side given",
    "cut by the border, as found",
    "cut by the border, side given",
    "wrong side given",
)
"""How a hand is read. In the middle two, the image is a part of itself whose border cuts a hand."""


@dataclass(frozen=True)
class ReadHand:
    """A reading of a labelled hand.

    Attributes:
        kind: how it was read, such as `FOUND`.
        features: the features of `Confidence`.
        share: the share of its visible joints within 30 mm of the truth.
        data: the name of its data set.
    """

    kind: str
    features: dict[str, float]
    share: float
    data: str = ""


@dataclass(frozen=True)
class ReliabilityRow:
    """The readings of one data set and kind.

    Attributes:
        data, kind: as in `ReadHand`.
        readings: their number.
        observed: mean share of joints within 30 mm.
        expected: the mean confidence, by the name of a rule.
        difference: `calibration_error`, by the name of a rule.
    """

    data: str
    kind: str
    readings: int
    observed: float
    expected: dict[str, float]
    difference: dict[str, float]


def to_fit(readings: Sequence[ReadHand]) -> list[tuple[dict[str, float], float]]:
    """Return features and shares of the readings that a confidence is fitted to.

    Those with the wrong side given are left out: no rule can know that a user errs.
    """
    return [(each.features, each.share) for each in readings if each.kind != WRONG_SIDE]


def reliability_rows(
    readings: Sequence[ReadHand], expected: Mapping[str, Sequence[float]]
) -> list[ReliabilityRow]:
    """Return one row for each data set and kind, in the order in which they come.

    Args:
        readings: the readings.
        expected: the confidence of each reading, by the name of a rule.
    """
    groups = dict[tuple[str, str], list[int]]()
    for i, each in enumerate(readings):
        groups.setdefault((each.data, each.kind), []).append(i)
    shares = np.array([each.share for each in readings])
    of_rule = {name: np.asarray(values, np.float64) for name, values in expected.items()}
    return [
        ReliabilityRow(
            *group,
            len(rows),
            float(shares[rows].mean()),
            {name: float(p[rows].mean()) for name, p in of_rule.items()},
            {name: calibration_error(p[rows], shares[rows]) for name, p in of_rule.items()},
        )
        for group, rows in groups.items()
    ]
