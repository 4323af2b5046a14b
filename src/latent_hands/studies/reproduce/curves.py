"""Learning curves from the metrics of a run: validation errors on images over updates and seconds."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from latent_hands.build import build_phases
from latent_hands.build.graph import sketch_vae
from latent_hands.configuration import Experiment

Line = dict[str, Any]
Curve = dict[str, list[int] | list[float]]


class Spent(NamedTuple):
    """The cost of a training up to some update. `crops` counts the images that were read."""

    updates: int
    seconds: float
    crops: float


class ImageStep(NamedTuple):
    """The step of a phase that reads poses from images.

    `prefix` is the prefix of its values in the metrics. `share` is the share of the phase's updates with
    this step.
    """

    prefix: str
    share: float


def image_steps(experiment: Experiment) -> dict[str, ImageStep]:
    """Return for each phase its first step that reads only labelled images, if it has one."""
    vae = sketch_vae(experiment)
    steps: dict[str, ImageStep] = {}
    for phase in build_phases(experiment, vae):
        for number, step in enumerate(phase.steps, start=1):
            reads = {vae.encoder(arrow).reads for arrow in step.bound.encoders}
            if reads == {"rgb"} and step.feed == "labelled" and phase.name not in steps:
                share = 1 / len(phase.steps) if phase.in_turn else 1.0
                steps[phase.name] = ImageStep("" if number == 1 else f"step{number}_", share)
    return steps


def clock(lines: Sequence[Line], experiment: Experiment) -> list[Spent]:
    """Return the cost at the start and at every line of metrics that has a rate."""
    spent, reads = [Spent(0, 0.0, 0.0)], image_steps(experiment)
    for line in lines:
        if "samples_per_s" in line:
            before, phase = spent[-1], line["phase"]
            plan = experiment.phases.get(phase)
            batch = (plan and plan.batch_size) or experiment.training.batch_size
            samples = (line["update"] - before.updates) * batch
            crops = before.crops + samples * (reads[phase].share if phase in reads else 0)
            spent.append(Spent(line["update"], before.seconds + samples / line["samples_per_s"], crops))
    return spent


def learning_curve(lines: Sequence[Line], experiment: Experiment) -> Curve:
    """Return the validation errors (EPE) of images over updates and seconds."""
    spent, reads = clock(lines, experiment), image_steps(experiment)
    updates, errors = _values(lines, reads, "epe_mm")
    seconds = np.interp(updates, [s.updates for s in spent], [s.seconds for s in spent])
    return {"updates": updates, "seconds": seconds.tolist(), "epe_mm": errors}


def loss_curve(lines: Sequence[Line], experiment: Experiment) -> Curve:
    """Return -E log p(pose | z) with z from training images over updates. All methods have this term."""
    updates, values = _values(lines, image_steps(experiment), "log_p_pose")
    return {"updates": updates, "loss": [-value for value in values]}


def information(lines: Sequence[Line], experiment: Experiment) -> dict[str, float]:
    """Return the final KL in nats and active units of each factor of q(z | image).

    `reconstruction_epe_mm` is the final error of poses that are encoded from their labels.
    """
    phase, (prefix, _) = list(image_steps(experiment).items())[-1]
    last: Line = {}
    for line in lines:
        last |= line if line["phase"] == phase else {}
    results = {name.removeprefix(prefix): value for name, value in last.items() if name.startswith(prefix)}
    kept = {name: value for name, value in results.items() if name.startswith(("kl_", "active_"))}
    labels = [line["epe_mm"] for line in lines if line["phase"] == "disentangle" and "epe_mm" in line]
    return kept | ({"reconstruction_epe_mm": labels[-1]} if labels else {})


def _values(lines: Sequence[Line], reads: dict[str, ImageStep], name: str) -> tuple[list[int], list[float]]:
    keyed = [(line, f"{reads[line['phase']].prefix}{name}") for line in lines if line["phase"] in reads]
    values = [(line["update"], line[key]) for line, key in keyed if key in line]
    return [update for update, _ in values], [value for _, value in values]
