"""The finished share of a phase, and the learning rate that follows from it."""

import logging
import math

from latent_hands.configuration import Training
from latent_hands.paper.algorithms import Phase
from latent_hands.runs.folder import Place

_LOG = logging.getLogger(__name__)


def share_done(phase: Phase, place: Place, per_epoch: int) -> float:
    """Return the finished share of a phase, by its epochs or its minutes, whichever is larger.

    `per_epoch` is the number of updates in an epoch. The phase is done at 1.
    """
    done = place.phase_update / (phase.epochs * per_epoch)
    return max(done, place.phase_seconds / (60 * phase.minutes)) if phase.minutes else done


def learning_rate(training: Training, phase: Phase, place: Place, per_epoch: int) -> float:
    """Return the learning rate of the next update: a linear warm-up, then constant or half a cosine to 0."""
    rate = phase.learning_rate
    if training.schedule == "cosine":
        rate *= 0.5 * (1 + math.cos(math.pi * min(1.0, share_done(phase, place, per_epoch))))
    return rate * min(1.0, (place.phase_update + 1) / (training.warmup + 1))


def check_warmup(training: Training, phase: Phase, per_epoch: int) -> None:
    """Announce a warm-up that is longer than a phase, whose learning rate is then never reached."""
    updates = phase.epochs * per_epoch
    if training.warmup >= updates:
        _LOG.warning(
            "phase %s has %s updates, all in the warm-up of %s: its learning rate is not reached",
            *(phase.name, f"{updates:,}", f"{training.warmup:,}"),
        )
