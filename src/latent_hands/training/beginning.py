"""What a training begins with: fresh weights, those of another run, or those of its own stopped self."""

from collections.abc import Collection
from dataclasses import fields, replace
from pathlib import Path

from torch import Tensor

from latent_hands.errors import HandsError
from latent_hands.experiment import Experiment, load_experiment
from latent_hands.networks.efficientnet import EfficientNetLite0
from latent_hands.paper.algorithms import Phase
from latent_hands.paper.graph import DisentangledVAE
from latent_hands.runs.folder import (
    EXPERIMENT,
    RESUME,
    Place,
    find_run,
    load_place,
    load_run,
    restore_weights,
)


def begin(vae: DisentangledVAE, experiment: Experiment, phases: tuple[Phase, ...]) -> None:
    """Give arrows the weights of [training] start, and other backbones that are meant for it ImageNet's."""
    begun: Collection[str] = ()
    if experiment.training.start:
        begun = begin_with(vae, experiment.training.start, experiment.training.start_with)
        check_finished(experiment, phases, begun)
    for name, encoder in vae.encoders.items():
        for network in encoder.children():
            if isinstance(network, EfficientNetLite0) and f"encoders.{name}" not in begun:
                network.learnt_on_imagenet()


def begin_with(vae: DisentangledVAE, run: str | Path, only: Collection[str] = ()) -> tuple[str, ...]:
    """Give the arrows that a run has too, by role and name, its weights; the names of those arrows.

    `only` chooses some of them, such as "decoders.rgb". Raises HandsError if the run has none of them, or one
    of another size, or if one that is asked for is not in both.
    """
    source, _ = load_run(run)
    common = []
    for role, arrows, held in (
        ("encoders", vae.encoders, source.encoders),
        ("decoders", vae.decoders, source.decoders),
    ):
        for name, arrow in arrows.items():
            if name not in held or (only and f"{role}.{name}" not in only):
                continue
            weights, own = held[name].state_dict(), arrow.state_dict()
            if {n: t.shape for n, t in weights.items()} != {n: t.shape for n, t in own.items()}:
                raise HandsError(f"{role}.{name} of {run} is of another size: a run cannot start with it")
            arrow.load_state_dict(weights)
            common.append(f"{role}.{name}")
    for name in only:
        if name not in common:
            raise HandsError(f'[training] start_with: "{name}" is not an arrow of this graph and of {run}')
    if not common:
        legal = ", ".join([*vae.encoders, *vae.decoders])
        raise HandsError(f"{run} has no arrow of this graph to start with; legal: one of {legal}")
    return tuple(common)


def continue_run(out: Path, experiment: Experiment, vae: DisentangledVAE) -> tuple[Place, dict[str, Tensor]]:
    """Set the weights of a stopped run; its place and Adam's moments. If it never saved: the start."""
    held = load_experiment(find_run(out) / EXPERIMENT)
    held = replace(held, data=replace(held.data, root=experiment.data.root, workers=experiment.data.workers))
    for section in fields(experiment):
        if getattr(held, section.name) != getattr(experiment, section.name):
            raise HandsError(
                f"{out} holds a run with another [{section.name}]: resume it as its {EXPERIMENT} says"
            )
    if not (out / RESUME).exists():
        return Place(), {}
    state, place = load_place(out)
    weights = {n.removeprefix("weights/"): t for n, t in state.items() if n.startswith("weights/")}
    restore_weights(vae, weights, str(out))
    return place, state


def check_finished(experiment: Experiment, phases: tuple[Phase, ...], begun: Collection[str]) -> None:
    """Raise HandsError if a latent is said to be finished, but what is used of it begins at random."""
    steps = [step for phase in phases for step in phase.steps]
    used = {f"decoders.{arrow}" for step in steps for arrow in step.bound.decoders}
    learnt = {f"encoders.{arrow}" for step in steps for arrow in step.phi}
    used |= {f"encoders.{again.encoder}" for step in steps for again in step.bound.reread} - learnt
    for arrow in sorted(used):
        if experiment.algorithm.finished and arrow not in begun:
            raise HandsError(
                f"[algorithm] finished: {experiment.training.start} lacks {arrow}; "
                "legal: a run that has all that the phases use and do not learn"
            )
