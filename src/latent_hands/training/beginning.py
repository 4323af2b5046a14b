"""The initial weights of a training: random, pretrained, those of another run, or its own saved ones."""

import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import fields, is_dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from latent_hands.configuration import Experiment, load_experiment
from latent_hands.configuration.algorithm import is_finished
from latent_hands.data.labels import image_keys
from latent_hands.errors import HandsError
from latent_hands.paper.algorithms import Phase
from latent_hands.paper.graph import DisentangledVAE, Encoder
from latent_hands.runs.folder import EXPERIMENT, RESUME, WEIGHTS, Place, find_run, load_place, load_run
from latent_hands.runs.tensors import load_weights

_LOG = logging.getLogger(__name__)


def begin(vae: DisentangledVAE, experiment: Experiment, phases: tuple[Phase, ...]) -> None:
    """Set the weights of [training] start, and the pretrained weights of other encoders that offer them.

    A network offers pretrained weights by a method `pretrained()` that loads them. Raises HandsError as
    `start_with`, `check_finished` and `check_convention` do.
    """
    training = experiment.training
    started = start_with(vae, training.start, training.start_with) if training.start else ()
    for name in training.frozen:
        if name not in started:
            raise HandsError(
                f"[training] frozen: {name} would keep its random weights, because [training] start "
                f"{'is empty' if not training.start else f'does not bring it: {training.start}'}; "
                "remove it from frozen"
            )
    check_finished(experiment, phases, started)
    check_convention(experiment, phases, started)
    for name in vae.encoders:
        pretrained = getattr(vae.encoder(name).network, "pretrained", None)
        if pretrained is not None and f"encoders.{name}" not in started:
            pretrained()


def start_with(vae: DisentangledVAE, run: str | Path, only: Collection[str] = ()) -> tuple[str, ...]:
    """Copy the weights of the arrows that the graph and a run have in common; return their names.

    An encoder may infer more or fewer factors than that of the run (`grown`).

    Args:
        only: the names of the arrows to copy, such as "decoders.rgb"; all common arrows by default.

    Raises HandsError if no arrow is common, if one has another size, or if one of `only` is not common.
    """
    source, _ = load_run(run)
    given, common = source.arrows, []
    for name, arrow in vae.arrows.items():
        if name not in given or (only and name not in only):
            continue
        weights, own = grown(arrow, given[name]), arrow.state_dict()
        if weights.keys() != own.keys():
            raise HandsError(
                f"{name} of {run} is another network: a run cannot start with it. Name the same network in "
                "[networks] or in the arrow, or leave the arrow out of [training] start_with"
            )
        if {n: t.shape for n, t in weights.items()} != {n: t.shape for n, t in own.items()}:
            raise HandsError(f"{name} of {run} has another size: a run cannot start with it")
        announce_other_meaning(name, arrow, given[name], run)
        arrow.load_state_dict(weights)
        common.append(name)
    for name in only:
        if name not in common:
            raise HandsError(f'[training] start_with: "{name}" is not an arrow of this graph and of {run}')
    if not common:
        names = ", ".join([*vae.encoders, *vae.decoders])
        raise HandsError(f"{run} has no arrow of this graph to start with; it needs at least one of {names}")
    return tuple(common)


def announce_other_meaning(name: str, arrow: nn.Module, given: nn.Module, run: str | Path) -> None:
    """Announce an arrow that reads or writes something else in the run whose weights it gets."""
    for key in ("reads", "writes") if isinstance(arrow, Encoder) else ("reads", "writes", "factors"):
        own, other = getattr(arrow, key, None), getattr(given, key, None)
        if own != other:
            _LOG.warning(
                "%s: %s is %s, but %s in %s, whose weights it begins with", name, key, own, other, run
            )


def grown(arrow: nn.Module, given: nn.Module) -> dict[str, Tensor]:
    """Return the weights of `given` for `arrow`, which may be an encoder of more or fewer factors.

    The outputs of the factors that both infer are copied. Those of further factors stay as they are: random,
    in a new graph.
    """
    weights = given.state_dict()
    if not isinstance(arrow, Encoder) or not isinstance(given, Encoder) or arrow.sizes == given.sizes:
        return weights
    shared = arrow.sizes.keys() & given.sizes.keys()
    if not shared or any(arrow.sizes[factor] != given.sizes[factor] for factor in shared):
        return weights
    to, of = (torch.tensor(output_rows(each.sizes, sorted(shared))) for each in (arrow, given))
    outputs = 2 * sum(given.sizes.values())
    for name, own in arrow.state_dict().items():
        if name in weights and own.shape != weights[name].shape and len(weights[name]) == outputs:
            weights[name] = own.index_copy(0, to, weights[name][of])
    return weights


def output_rows(sizes: Mapping[str, int], factors: Iterable[str]) -> list[int]:
    """Return which outputs of an encoder's network are the means, then the log-variances, of some factors."""
    starts = dict(zip(sizes, accumulate(sizes.values(), initial=0), strict=False))
    means = [starts[factor] + i for factor in factors for i in range(sizes[factor])]
    return means + [sum(sizes.values()) + row for row in means]


def difference(former: Any, given: Any, key: str = "") -> str:
    """Return the first setting that differs between two values of a section, with both values."""
    one, other = (vars(each) if is_dataclass(each) else each for each in (former, given))
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        differing = (name for name in (*one, *other) if one.get(name) != other.get(name))
        name = next(differing)
        return difference(one.get(name), other.get(name), f"{key}.{name}" if key else name)
    return f"{key} was {former}, and is now {given}"


def continue_run(
    out: Path, experiment: Experiment, vae: DisentangledVAE, phases: int
) -> tuple[Place, dict[str, Tensor]]:
    """Set the weights of a stopped run; return its place and its state, which holds Adam's moments.

    A run that was never saved continues from its beginning, with an empty state. Raises HandsError if the
    folder holds the run of another experiment, weights without a state, or a state that does not fit its
    number of phases. The place of the data may differ.
    """
    saved = load_experiment(find_run(out) / EXPERIMENT, earlier=True)
    saved = replace(
        saved, data=replace(saved.data, root=experiment.data.root, workers=experiment.data.workers)
    )
    for section in fields(experiment):
        former, given = (getattr(each, section.name) for each in (saved, experiment))
        if former != given:
            raise HandsError(
                f"{out} holds a run with another [{section.name}]: {difference(former, given)}. "
                f"Its {EXPERIMENT} has the settings to resume it with"
            )
    if not (out / RESUME).exists():
        if (out / WEIGHTS).exists():
            raise HandsError(
                f"{out} has weights but no {RESUME}, so it cannot be resumed, and its weights would be lost: "
                "name it as [training] start of a new run to train it further"
            )
        return Place(), {}
    state, place = load_place(out)
    if not state:
        return Place(), {}
    if place.phase > phases:
        raise HandsError(f"{out / RESUME} is in phase {place.phase}, but the experiment has {phases}")
    weights = {n.removeprefix("weights/"): t for n, t in state.items() if n.startswith("weights/")}
    load_weights(vae, weights, str(out))
    return place, state


def check_finished(experiment: Experiment, phases: tuple[Phase, ...], started: Collection[str]) -> None:
    """Raise HandsError if [algorithm] finished is set, but an arrow that the phases use is untrained."""
    if not is_finished(experiment.algorithm):
        return
    steps = [step for phase in phases for step in phase.steps]
    used = {f"decoders.{arrow}" for step in steps for arrow in step.bound.decoders}
    learnt = {name for step in steps for name in step.learning}
    objectives = [objective for step in steps for objective in step.bound.extra]
    used |= {f"encoders.{arrow}" for each in objectives for arrow in each.encoders()} - learnt
    for arrow in sorted(used - set(started)):
        raise HandsError(
            f"[algorithm] finished: {experiment.training.start} lacks {arrow}; it must have all arrows that "
            "the phases use and do not train"
        )


def check_convention(experiment: Experiment, phases: tuple[Phase, ...], started: Collection[str]) -> None:
    """Raise HandsError if poses would stay in another joint convention than [data] names.

    They do if a decoder of joints is that of a run of another convention and does not learn.
    """
    if not started:
        return
    start, own = experiment.training.start, experiment.data.convention
    given = load_experiment(find_run(start) / EXPERIMENT, earlier=True).data.convention
    learnt = {name for phase in phases for step in phase.steps for name in step.learning}
    joints = {f"decoders.{n}" for n, arrow in experiment.decoders.items() if arrow.writes not in image_keys()}
    kept = sorted((joints & set(started)) - learnt)
    if kept and given != own:
        raise HandsError(
            f'[data] convention is "{own}", but {start} was trained with "{given}", and {", ".join(kept)} of '
            f'it would not learn, so that poses would stay in "{given}": translate the labels, as '
            f"`latent-hands fine-tune {start}` does"
        )
