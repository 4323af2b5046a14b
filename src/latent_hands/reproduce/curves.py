"""What a run's metrics say of its learning: the time it took, its validation errors on pictures."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from latent_hands.experiment import Experiment

Line = dict[str, Any]
WITHOUT_PICTURES = ("disentangle", "embed_pose")
"""Phases of estimation in which poses are decoded from labels: their errors are no errors on pictures."""


class Spent(NamedTuple):
    """What a training took up to some point."""

    updates: int
    seconds: float
    crops: int


def clock(lines: Sequence[Line], experiment: Experiment) -> list[Spent]:
    """What was spent at every line that tells a rate, from nothing on; crops are pictures that were read."""
    told = [Spent(0, 0.0, 0)]
    for line in lines:
        if "samples_per_s" in line:
            before = told[-1]
            plan = experiment.phases.get(line["phase"])
            batch = (plan and plan.batch_size) or experiment.training.batch_size
            samples = (line["update"] - before.updates) * batch
            crops = 0 if line["phase"] in WITHOUT_PICTURES else samples
            seconds = before.seconds + samples / line["samples_per_s"]
            told.append(Spent(line["update"], seconds, before.crops + crops))
    return told


def learning_curve(lines: Sequence[Line], experiment: Experiment) -> dict[str, list[float]]:
    """Validation EPE on pictures over updates and seconds."""
    spent = clock(lines, experiment)
    checks = [line for line in lines if "epe_mm" in line and line["phase"] not in WITHOUT_PICTURES]
    updates = [line["update"] for line in checks]
    seconds = np.interp(updates, [s.updates for s in spent], [s.seconds for s in spent])
    return {"updates": updates, "seconds": seconds.tolist(), "epe_mm": [line["epe_mm"] for line in checks]}
