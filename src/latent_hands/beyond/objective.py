"""The registry of objectives: how each changes the phases of an algorithm.

An objective is one file: a frozen dataclass with the methods of `latent_hands.paper.bound.Objective`, and a
function, registered by its name in [objectives], that adds it to the steps of an algorithm.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from torch import nn

from latent_hands.paper.algorithms import Phase, Step
from latent_hands.paper.bound import Bound, Objective
from latent_hands.paper.graph import DisentangledVAE
from latent_hands.registry import Registry


@dataclass(frozen=True)
class Recipe:
    """The parts that an objective may use to change the phases of an algorithm.

    Attributes:
        vae: the graph.
        encode: the encoders of the disentangling step.
        embed: the encoders that are embedded.
        trained: the encoders that are finished when an added phase begins; none for algorithms without
            an embedding.
        bound: (encoders, phase name) -> the bound of Eq. 2, 4 or 8 with the lambda and beta of that phase.
        epochs: epochs of a phase that an objective adds.
    """

    vae: DisentangledVAE
    encode: tuple[str, ...]
    embed: tuple[str, ...]
    trained: tuple[str, ...]
    bound: Callable[[tuple[str, ...], str], Bound]
    epochs: int


Attach = Callable[[Recipe, tuple[Phase, ...], Mapping[str, float]], tuple[Phase, ...]]
"""(recipe, phases, {arrow: weight} of [objectives]) -> the phases with the objective."""


@dataclass(frozen=True)
class Entry:
    """An objective in the registry.

    Attributes:
        attach: adds the objective to the phases.
        adds_phases: whether it adds phases of its own; such objectives are attached first, so that the others
            apply to those phases, too.
    """

    attach: Attach
    adds_phases: bool = False


@runtime_checkable
class Opponent(Protocol):
    """An objective with a network that learns in the same steps and is not part of the model."""

    @property
    def name(self) -> str:
        """Return the name under which the network is saved."""
        ...

    @property
    def network(self) -> nn.Module:
        """Return the network."""
        ...


def networks(phases: Iterable[Phase]) -> dict[str, nn.Module]:
    """Return the networks of the objectives of some phases, by name."""
    objectives = [each for phase in phases for part in phase.parts for each in part.bound.extra]
    return {each.name: each.network for each in objectives if isinstance(each, Opponent)}


def add_to_steps(
    phases: Sequence[Phase],
    added: Objective,
    where: Callable[[Step], bool] = lambda step: True,
    first: bool = False,
) -> tuple[Phase, ...]:
    """Add an objective to the bound of each step for which `where` is true, after its others or `first`."""

    def extended(step: Step) -> Step:
        if not where(step):
            return step
        extra = (added, *step.bound.extra) if first else (*step.bound.extra, added)
        return replace(step, bound=replace(step.bound, extra=extra))

    return tuple(replace(phase, steps=tuple(map(extended, phase.steps))) for phase in phases)


OBJECTIVES: Registry[Entry] = Registry("objective")


def objective(name: str, adds_phases: bool = False) -> Callable[[Attach], Attach]:
    """Register a function that attaches an objective: `@objective("agreement")`."""

    def register(attach: Attach) -> Attach:
        OBJECTIVES.register(name, Entry(attach, adds_phases))
        return attach

    return register
