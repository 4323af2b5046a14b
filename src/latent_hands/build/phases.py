"""The phases of an experiment: its algorithm on its graph, with weights, supervision and budgets."""

from dataclasses import replace

from latent_hands.beyond.rereading import Reread
from latent_hands.errors import HandsError, did_you_mean
from latent_hands.experiment import EMBEDDING, Experiment
from latent_hands.networks.efficientnet import imagenet_file
from latent_hands.paper.algorithms import (
    Phase,
    algorithm_1,
    algorithm_2,
    alternating,
    check,
    cross_modal,
    embedding,
    joint,
    refinement,
    regression,
)
from latent_hands.paper.bound import Bound
from latent_hands.paper.graph import DisentangledVAE
from latent_hands.paper.modality import modality
from latent_hands.paper.supervision import with_photos, with_unpaired_labels, with_weak_labels
from latent_hands.paper.weights import weights
from latent_hands.synthesis import content_factors


def build_phases(experiment: Experiment, vae: DisentangledVAE) -> tuple[Phase, ...]:
    """The algorithm on this graph, with each phase's budget. Raises HandsError for mistakes in the graph."""
    check_features(experiment)
    phases = supervise(experiment, vae, algorithm_phases(experiment, vae))
    names = [phase.name for phase in phases]
    left_out = {"disentangle", *(f"embed_{arrow}" for arrow in vae.encoders)}
    for name in experiment.phases:
        if name not in names and not (experiment.algorithm.finished and name in left_out):
            raise HandsError(f'[phases]: unknown phase "{name}"; {did_you_mean(name, names)}')
    phases = tuple(budget(experiment, phase) for phase in phases)
    check(vae, phases)
    return phases


def algorithm_phases(experiment: Experiment, vae: DisentangledVAE) -> tuple[Phase, ...]:
    """The phases of the algorithm of that name."""
    algorithm, epochs = experiment.algorithm, experiment.training.epochs
    name, encode = algorithm.name, algorithm.encode
    if name == "alternating":
        return alternating([bound(experiment, vae, (arrow,), name) for arrow in encode], epochs)
    if name not in EMBEDDING:
        baseline = cross_modal if name == "cross_modal" else regression
        return baseline(bound(experiment, vae, encode, name), epochs)
    both = name if name == "joint" else None
    embed = [
        replace(bound(experiment, vae, (arrow,), both or f"embed_{arrow}"), agree=algorithm.agree)
        for arrow in algorithm.embed
    ]
    disentangle = bound(experiment, vae, encode, both or "disentangle")
    then = refinement([refined(experiment, vae, arrow) for arrow in algorithm.refine], epochs)
    if algorithm.finished:
        return (*embedding(embed, epochs), *then)
    if name == "joint":
        return (*joint(disentangle, embed, epochs), *then)
    if name == "algorithm_1":
        return (*algorithm_1(disentangle, embed, epochs, epochs), *then)
    phi_y = label_encoders(experiment, vae)
    y = {vae.encoder(arrow).reads for arrow in phi_y}
    explained = {d: lam for d, lam in disentangle.decoders.items() if vae.decoder(d).writes in y}
    y_alone = replace(disentangle, decoders=explained)
    t2 = algorithm.noise_steps
    both_steps = algorithm_2(disentangle, y_alone, phi_y, algorithm.noise, embed, epochs, t2, epochs)
    return (*both_steps, *then)


def refined(experiment: Experiment, vae: DisentangledVAE, arrow: str) -> Bound:
    """Eq. 2 for the decoder alone that writes what an encoder reads, which reads it again in other scenes.

    Raises HandsError for an encoder that reads no image which is written, and for one that never learns.
    """
    algorithm, encoder = experiment.algorithm, vae.encoder(arrow)
    eq_2 = bound(experiment, vae, algorithm.encode, f"refine_{arrow}")
    writing = [d for d in eq_2.decoders if vae.decoder(d).writes == encoder.reads]
    if not writing or modality(encoder.reads).sizes != (3,):
        raise HandsError(
            f'[algorithm] refine: "{arrow}" reads {encoder.reads}; legal: colour images which are written'
        )
    if not algorithm.finished and arrow not in (*algorithm.encode, *algorithm.embed):
        raise HandsError(f'[algorithm] refine: "{arrow}" never learns to read; legal: one of encode or embed')
    lent = tuple(factor for factor in encoder.factors if factor in content_factors(vae))
    again = Reread(arrow, writing[0], algorithm.refine[arrow], lent)
    return replace(eq_2, decoders={writing[0]: eq_2.decoders[writing[0]]}, reread=(again,))


def label_encoders(experiment: Experiment, vae: DisentangledVAE) -> tuple[str, ...]:
    """The encoders of the y_i: those of the disentangling step that infer no z_u.

    Raises HandsError for one that infers a z_u and another factor.
    """
    noise, found = set(experiment.algorithm.noise), []
    for arrow in experiment.algorithm.encode:
        factors = set(vae.encoder(arrow).factors)
        if factors & noise and factors - noise:
            raise HandsError(
                f'[algorithm] noise: encoder "{arrow}" infers {", ".join(sorted(factors))}; '
                f"legal: {', '.join(sorted(factors & noise))} from an encoder of its own"
            )
        if not factors & noise:
            found.append(arrow)
    return tuple(found)


def supervise(experiment: Experiment, vae: DisentangledVAE, phases: tuple[Phase, ...]) -> tuple[Phase, ...]:
    """The phases with what [supervision] adds to their steps."""
    supervision = experiment.supervision
    if supervision.weak:
        phases = with_weak_labels(vae, phases, supervision.weak)
    if supervision.semi:
        phases = with_unpaired_labels(vae, phases)
    return with_photos(vae, phases) if supervision.photos else phases


def bound(experiment: Experiment, vae: DisentangledVAE, encoders: tuple[str, ...], phase: str) -> Bound:
    """The bound of a phase: these encoders give q, every decoder is to explain its modality."""
    algorithm, plan = experiment.algorithm, experiment.phases.get(phase)
    y = None
    if algorithm.name in EMBEDDING:
        y = {vae.encoder(arrow).reads for arrow in label_encoders(experiment, vae)}
    written = {name: arrow.writes for name, arrow in experiment.decoders.items()}
    lam, beta = weights(algorithm.preset, written, y)
    for name, given in (("algorithm", algorithm), (f"phases.{phase}", plan)):
        if given is None:
            continue
        for arrow in given.lam:
            if arrow not in written:
                raise HandsError(f'[{name}] lam: unknown decoder "{arrow}"; {did_you_mean(arrow, written)}')
        lam |= given.lam
        beta = beta if given.beta is None else given.beta
    return Bound(encoders, lam, beta, features=algorithm.features)


def check_features(experiment: Experiment) -> None:
    """Raise HandsError if [algorithm] features compares what is no image, or its package is missing."""
    images = [n for n, arrow in experiment.decoders.items() if modality(arrow.writes).sizes == (3,)]
    for arrow in experiment.algorithm.features:
        imagenet_file()
        if arrow not in images:
            legal = ", ".join(images) or "none"
            raise HandsError(f'[algorithm] features: "{arrow}" is no decoder of an image; legal: {legal}')


def budget(experiment: Experiment, phase: Phase) -> Phase:
    """A phase with its epochs, minutes, batch size and learning rate."""
    plan, training = experiment.phases.get(phase.name), experiment.training
    return replace(
        phase,
        epochs=(plan and plan.epochs) or training.epochs,
        minutes=plan and plan.minutes,
        batch_size=(plan and plan.batch_size) or training.batch_size,
        learning_rate=(plan and plan.learning_rate) or training.learning_rate,
    )
