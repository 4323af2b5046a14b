"""What a run's metrics say of its learning: the time it took, its validation errors on images."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from latent_hands.build import build_phases, build_vae
from latent_hands.experiment import Experiment

Line = dict[str, Any]
Curve = dict[str, list[int] | list[float]]


class Spent(NamedTuple):
    """What a training took up to some point; crops are images that were read."""

    updates: int
    seconds: float
    crops: float


class Reading(NamedTuple):
    """The step of a phase that reads hands from images.

    `key` is what its values are called by in the metrics, in front of their names; `share` of the phase's
    updates take it.
    """

    key: str
    share: float


def readings(experiment: Experiment) -> dict[str, Reading]:
    """By phase, the first step that reads labelled images alone; phases without one are left out."""
    with torch.device("meta"):
        vae = build_vae(experiment)
    found: dict[str, Reading] = {}
    for phase in build_phases(experiment, vae):
        for number, step in enumerate(phase.steps, start=1):
            reads = {vae.encoder(arrow).reads for arrow in step.bound.encoders}
            if reads == {"rgb"} and step.feed == "labelled" and phase.name not in found:
                share = 1 / len(phase.steps) if phase.in_turn else 1.0
                found[phase.name] = Reading("" if number == 1 else f"step{number}_", share)
    return found


def clock(lines: Sequence[Line], experiment: Experiment) -> list[Spent]:
    """What was spent at every line that tells a rate, from nothing on."""
    told, reads = [Spent(0, 0.0, 0.0)], readings(experiment)
    for line in lines:
        if "samples_per_s" in line:
            before, phase = told[-1], line["phase"]
            plan = experiment.phases.get(phase)
            batch = (plan and plan.batch_size) or experiment.training.batch_size
            samples = (line["update"] - before.updates) * batch
            crops = before.crops + samples * (reads[phase].share if phase in reads else 0)
            told.append(Spent(line["update"], before.seconds + samples / line["samples_per_s"], crops))
    return told


def learning_curve(lines: Sequence[Line], experiment: Experiment) -> Curve:
    """Validation EPE of images over updates and seconds."""
    spent, reads = clock(lines, experiment), readings(experiment)
    updates, errors = _values(lines, reads, "epe_mm")
    seconds = np.interp(updates, [s.updates for s in spent], [s.seconds for s in spent])
    return {"updates": updates, "seconds": seconds.tolist(), "epe_mm": errors}


def loss_curve(lines: Sequence[Line], experiment: Experiment) -> Curve:
    """-E log p(pose | z) with z from training images, which all methods have, over the updates."""
    updates, values = _values(lines, readings(experiment), "log_p_pose")
    return {"updates": updates, "loss": [-value for value in values]}


def information(lines: Sequence[Line], experiment: Experiment) -> dict[str, float]:
    """At the end, KL in nats and active units by factor of q(z | image), and poses' EPE from labels."""
    phase, (key, _) = list(readings(experiment).items())[-1]
    last: Line = {}
    for line in lines:
        last |= line if line["phase"] == phase else {}
    found = {name.removeprefix(key): value for name, value in last.items() if name.startswith(key)}
    kept = {name: value for name, value in found.items() if name.startswith(("kl_", "active_"))}
    labels = [line["epe_mm"] for line in lines if line["phase"] == "disentangle" and "epe_mm" in line]
    return kept | ({"reconstruction_epe_mm": labels[-1]} if labels else {})


def _values(lines: Sequence[Line], reads: dict[str, Reading], name: str) -> tuple[list[int], list[float]]:
    keyed = [(line, f"{reads[line['phase']].key}{name}") for line in lines if line["phase"] in reads]
    there = [(line["update"], line[key]) for line, key in keyed if key in line]
    return [update for update, _ in there], [value for _, value in there]
