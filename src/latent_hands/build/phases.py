"""The phases of an experiment: its algorithm on its graph, objectives, supervision and budgets."""

import logging
from collections.abc import Collection
from dataclasses import replace
from functools import singledispatch

from latent_hands.beyond import OBJECTIVES, Recipe
from latent_hands.beyond.photographs import with_photographs
from latent_hands.beyond.regression import regression
from latent_hands.configuration import Experiment
from latent_hands.configuration.algorithm import (
    EMBEDDING,
    Algorithm1,
    Algorithm2,
    Alternating,
    CrossModal,
    Regression,
    Simultaneous,
    embedded,
    is_finished,
)
from latent_hands.errors import HandsError, did_you_mean
from latent_hands.paper.algorithms import (
    Phase,
    Step,
    algorithm_1,
    algorithm_2,
    alternating,
    check,
    cross_modal,
    embedding,
    simultaneous,
)
from latent_hands.paper.bound import Bound
from latent_hands.paper.graph import DisentangledVAE
from latent_hands.paper.supervision import with_unpaired_labels, with_weak_labels
from latent_hands.paper.weights import lambda_and_beta

_LOG = logging.getLogger(__name__)


def build_phases(experiment: Experiment, vae: DisentangledVAE) -> tuple[Phase, ...]:
    """Return the algorithm on this graph, with each phase's budget.

    Raises HandsError for mistakes in the graph, and for a section [phases.NAME] of an unknown phase.
    """
    check_arrows(experiment, vae)
    phases = phases_of(experiment.algorithm, experiment, vae)
    phases = supervise(experiment, vae, add_objectives(experiment, vae, phases))
    names = [phase.name for phase in phases]
    if not experiment.training.start:
        warn_of_idle_arrows(phases, vae)
    phases = without_learning(phases, experiment.training.frozen, vae)
    if experiment.training.frozen and not phases:
        raise HandsError("[training] frozen names every arrow that would learn: nothing would be trained")
    skipped: set[str] = set()
    if is_finished(experiment.algorithm):
        skipped = {"disentangle", *(f"embed_{arrow}" for arrow in vae.encoders)}
    for name in experiment.phases:
        if name not in names and name not in skipped:
            raise HandsError(f'[phases]: unknown phase "{name}"; {did_you_mean(name, names)}')
    phases = tuple(budget(experiment, phase) for phase in phases)
    check(vae, phases)
    return phases


def warn_of_idle_arrows(phases: tuple[Phase, ...], vae: DisentangledVAE) -> None:
    """Announce arrows that keep their random weights: no step of an algorithm teaches them."""
    steps = [step for phase in phases for step in phase.steps]
    learning = {f"encoders.{arrow}" for step in steps for arrow in step.phi}
    learning |= {f"decoders.{arrow}" for step in steps for arrow in step.theta}
    if idle := [arrow for arrow in vae.arrows if arrow not in learning]:
        _LOG.warning("no phase of [algorithm] teaches %s: their weights stay random", ", ".join(idle))


def check_arrows(experiment: Experiment, vae: DisentangledVAE) -> None:
    """Raise HandsError naming the key if [algorithm] or [supervision] name an unknown arrow.

    Likewise for a factor of [latent] that no decoder reads.
    """
    algorithm = experiment.algorithm
    read = {factor for arrow in experiment.decoders.values() for factor in arrow.factors}
    for factor in experiment.latent:
        if factor not in read:
            raise HandsError(
                f"[latent] {factor}: no decoder reads this factor, so nothing teaches it; remove it, or name "
                'it in the "factors" of a decoder'
            )
    for key, arrows, find in (
        ("[algorithm] encode", algorithm.encode, vae.encoder),
        ("[algorithm] embed", embedded(algorithm), vae.encoder),
        ("[supervision] weak", experiment.supervision.weak, vae.decoder),
    ):
        for arrow in arrows:
            if list(arrows).count(arrow) > 1:
                raise HandsError(f"{key} names {arrow} twice: leave one of them out")
            try:
                find(arrow)
            except HandsError as error:
                raise HandsError(f"{key}: {error}") from error


@singledispatch
def phases_of(algorithm: object, experiment: Experiment, vae: DisentangledVAE) -> tuple[Phase, ...]:
    """Return the phases of an algorithm, all with the epochs of [training]."""
    raise TypeError(f"no phases for {type(algorithm).__name__}")


@phases_of.register
def _(algorithm: Algorithm1, experiment: Experiment, vae: DisentangledVAE) -> tuple[Phase, ...]:
    embed, epochs = embedding_bounds(experiment, vae), experiment.training.epochs
    if algorithm.finished:
        return embedding(embed, epochs)
    return algorithm_1(bound(experiment, vae, algorithm.encode, "disentangle"), embed, epochs, epochs)


@phases_of.register
def _(algorithm: Algorithm2, experiment: Experiment, vae: DisentangledVAE) -> tuple[Phase, ...]:
    embed, epochs = embedding_bounds(experiment, vae), experiment.training.epochs
    if algorithm.finished:
        return embedding(embed, epochs)
    eq_6 = bound(experiment, vae, algorithm.encode, "disentangle")
    phi_y = label_encoders(experiment, vae)
    x = {vae.encoder(arrow).reads for arrow in algorithm.encode if arrow not in phi_y}
    explained = {d: lam for d, lam in eq_6.decoders.items() if vae.decoder(d).writes not in x}
    y_alone = replace(eq_6, decoders=explained)
    t2 = algorithm.noise_steps
    return algorithm_2(eq_6, y_alone, phi_y, algorithm.noise, embed, t1=epochs, t2=t2, t3=epochs)


@phases_of.register
def _(algorithm: Simultaneous, experiment: Experiment, vae: DisentangledVAE) -> tuple[Phase, ...]:
    embed = [bound(experiment, vae, (arrow,), "simultaneous") for arrow in algorithm.embed]
    eq_2 = bound(experiment, vae, algorithm.encode, "simultaneous")
    return simultaneous(eq_2, embed, experiment.training.epochs)


@phases_of.register
def _(algorithm: CrossModal, experiment: Experiment, vae: DisentangledVAE) -> tuple[Phase, ...]:
    return cross_modal(bound(experiment, vae, algorithm.encode, "cross_modal"), experiment.training.epochs)


@phases_of.register
def _(algorithm: Alternating, experiment: Experiment, vae: DisentangledVAE) -> tuple[Phase, ...]:
    bounds = [bound(experiment, vae, (arrow,), "alternating") for arrow in algorithm.encode]
    return alternating(bounds, experiment.training.epochs)


@phases_of.register
def _(algorithm: Regression, experiment: Experiment, vae: DisentangledVAE) -> tuple[Phase, ...]:
    plan = experiment.phases.get("regression")
    for where, beta in (("algorithm", algorithm.beta), ("phases.regression", plan and plan.beta)):
        if beta:
            raise HandsError(f"[{where}] beta is {beta:g}, but least squares have no beta: remove it")
    return regression(bound(experiment, vae, algorithm.encode, "regression"), experiment.training.epochs)


def embedding_bounds(experiment: Experiment, vae: DisentangledVAE) -> list[Bound]:
    """Return Eq. 4 or Eq. 8 for each encoder that is embedded in a phase of its own.

    An encoder that infers only some of the factors explains only what decoders write from these.
    """
    bounds = []
    for arrow in embedded(experiment.algorithm):
        whole, inferred = bound(experiment, vae, (arrow,), f"embed_{arrow}"), {*vae.encoder(arrow).factors}
        explained = {
            d: lam for d, lam in whole.decoders.items() if inferred.issuperset(vae.decoder(d).factors)
        }
        plan = experiment.phases.get(f"embed_{arrow}")
        for decoder in plan.lam if plan else ():
            if decoder in whole.decoders.keys() - explained.keys():
                raise HandsError(
                    f'[phases.embed_{arrow}] lam: decoder "{decoder}" reads '
                    f'{", ".join(vae.decoder(decoder).factors)}, which encoder "{arrow}" does not all infer, '
                    "so this phase does not explain it; remove it"
                )
        bounds.append(replace(whole, decoders=explained))
    return bounds


def label_encoders(experiment: Experiment, vae: DisentangledVAE) -> tuple[str, ...]:
    """Return the encoders of the y_i: those of the disentangling step that infer no z_u.

    Raises HandsError for one that infers z_u together with another factor.
    """
    algorithm, found = experiment.algorithm, []
    noise = set(algorithm.noise) if isinstance(algorithm, Algorithm2) else set()
    for arrow in algorithm.encode:
        factors = set(vae.encoder(arrow).factors)
        if factors & noise and factors - noise:
            raise HandsError(
                f'[algorithm] noise: encoder "{arrow}" infers {", ".join(sorted(factors))}; '
                f"{', '.join(sorted(factors & noise))} must have an encoder of its own"
            )
        if not factors & noise:
            found.append(arrow)
    return tuple(found)


def add_objectives(
    experiment: Experiment, vae: DisentangledVAE, phases: tuple[Phase, ...]
) -> tuple[Phase, ...]:
    """Return the phases with the objectives of [objectives]."""
    algorithm = experiment.algorithm
    trained: tuple[str, ...] = ()
    if isinstance(algorithm, EMBEDDING):
        trained = tuple(vae.encoders)
        if not is_finished(algorithm):
            trained = (*algorithm.encode, *algorithm.embed)
    for name, weights in experiment.objectives.items():
        if idle := [arrow for arrow, weight in weights.items() if weight == 0]:
            raise HandsError(
                f"[objectives] {name}: {idle[0]} has the weight 0, so it has no effect: remove it"
            )
    recipe = Recipe(
        vae=vae,
        encode=algorithm.encode,
        embed=embedded(algorithm),
        trained=trained,
        bound=lambda encoders, phase: bound(experiment, vae, encoders, phase),
        epochs=experiment.training.epochs,
    )
    chosen = [(entry, name) for name, entry in OBJECTIVES.items() if experiment.objectives.get(name)]
    for entry, name in sorted(chosen, key=lambda each: not each[0].adds_phases):
        phases = entry.attach(recipe, phases, experiment.objectives[name])
    return phases


def supervise(experiment: Experiment, vae: DisentangledVAE, phases: tuple[Phase, ...]) -> tuple[Phase, ...]:
    """Return the phases with the steps that [supervision] adds."""
    supervision = experiment.supervision
    for decoder, lam in supervision.weak.items():
        if lam == 0:
            raise HandsError(
                f"[supervision] weak: {decoder} has the weight 0, so it has no effect: remove it"
            )
    if supervision.weak:
        phases = with_weak_labels(vae, phases, supervision.weak, alone=supervision.labelled == 0)
    if supervision.semi:
        if supervision.labelled == 1:
            _LOG.warning("[supervision] semi has no effect with labelled = 1.0: make labelled smaller")
        phases = with_unpaired_labels(vae, phases)
    return with_photographs(vae, phases) if supervision.photos else phases


def without_learning(
    phases: tuple[Phase, ...], frozen: Collection[str], vae: DisentangledVAE
) -> tuple[Phase, ...]:
    """Return the phases in which the arrows of [training] frozen do not learn, without idle steps and phases.

    Raises HandsError for an arrow that the graph does not have.
    """
    for name in frozen:
        if name not in vae.arrows:
            raise HandsError(f'[training] frozen: unknown arrow "{name}"; {did_you_mean(name, vae.arrows)}')

    def kept(step: Step) -> Step:
        phi = tuple(arrow for arrow in step.phi if f"encoders.{arrow}" not in frozen)
        return replace(step, phi=phi, theta=tuple(a for a in step.theta if f"decoders.{a}" not in frozen))

    learning = (
        replace(phase, steps=tuple(step for step in map(kept, phase.steps) if step.phi or step.theta))
        for phase in phases
    )
    return tuple(phase for phase in learning if phase.steps) if frozen else phases


def bound(experiment: Experiment, vae: DisentangledVAE, encoders: tuple[str, ...], phase: str) -> Bound:
    """Return the bound of a phase: these encoders give q, and every decoder must explain its modality.

    A decoder whose lam is 0 is left out, and so is the KL of the factors that no other decoder reads.
    """
    algorithm, plan = experiment.algorithm, experiment.phases.get(phase)
    y = None
    if isinstance(algorithm, EMBEDDING):
        y = {vae.encoder(arrow).reads for arrow in label_encoders(experiment, vae)}
    written = {name: vae.decoder(name).modality for name in experiment.decoders}
    lam, beta = lambda_and_beta(algorithm.preset, written, y)
    for name, given in (("algorithm", algorithm), (f"phases.{phase}", plan)):
        if given is None:
            continue
        for arrow in given.lam:
            if arrow not in written:
                raise HandsError(f'[{name}] lam: unknown decoder "{arrow}"; {did_you_mean(arrow, written)}')
        lam |= given.lam
        beta = beta if given.beta is None else given.beta
    return Bound(encoders, {arrow: weight for arrow, weight in lam.items() if weight > 0}, beta)


def budget(experiment: Experiment, phase: Phase) -> Phase:
    """Return a phase with its epochs, minutes, batch size and learning rate."""
    plan, training = experiment.phases.get(phase.name), experiment.training
    return replace(
        phase,
        epochs=(plan and plan.epochs) or training.epochs,
        minutes=plan and plan.minutes,
        batch_size=(plan and plan.batch_size) or training.batch_size,
        learning_rate=(plan and plan.learning_rate) or training.learning_rate,
    )
