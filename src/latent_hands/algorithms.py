"""The paper's algorithms: a tuple of phases, each a list of steps run for every batch for so many epochs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from latent_hands.elbo import Bound
from latent_hands.errors import HandsError
from latent_hands.latents import Noise
from latent_hands.vae import DisentangledVAE


@dataclass(frozen=True)
class Step:
    """One gradient step on a bound; every arrow that it does not name stays as it is, to the bit.

    Attributes:
        bound: what is maximised.
        phi: the encoders that learn, by exact name.
        theta: the decoders that learn, by exact name.
        noise: factors replaced by noise before decoding.
        repeats: how often the step is taken on each batch.
    """

    bound: Bound
    phi: tuple[str, ...] = ()
    theta: tuple[str, ...] = ()
    noise: Mapping[str, Noise] = field(default_factory=dict)
    repeats: int = 1


@dataclass(frozen=True)
class Phase:
    """Steps taken one after the other on every batch, for so many epochs."""

    name: str
    steps: tuple[Step, ...]
    epochs: int
    batch_size: int = 32
    learning_rate: float = 1e-4
    minutes: float | None = None


def algorithm_1(disentangle: Bound, embed: Sequence[Bound], t1: int, t2: int) -> tuple[Phase, ...]:
    """Algorithm 1, dVAE learning for fully specified z.

    Lines 2-7: for T1 epochs update the phi_y, theta_y and theta_x by Eq. 2. Lines 8-13: for T2 epochs update
    phi_x alone by Eq. 4 (a further modality x^: Eq. 8). The decoders are then fixed, so that modalities are
    embedded independently of each other: each in a phase of its own.
    """
    learn = Step(disentangle, phi=disentangle.encoders, theta=tuple(disentangle.decoders))
    return (
        Phase("disentangle", (learn,), t1),
        *(Phase("embed_" + "_".join(b.encoders), (Step(b, phi=b.encoders),), t2) for b in embed),
    )


def cross_modal(bound: Bound, epochs: int) -> tuple[Phase, ...]:
    """The cross-modal VAE, the baseline: all arrows of Eq. 1 learn together."""
    return (Phase("cross_modal", (Step(bound, bound.encoders, tuple(bound.decoders)),), epochs),)


def keys(vae: DisentangledVAE, phase: Phase) -> frozenset[str]:
    """What a batch must hold for a phase: the modalities its arrows read and write, and the side if told."""
    needed = set()
    for step in phase.steps:
        read = [vae.encoder(arrow) for arrow in step.bound.encoders]
        written = [vae.decoder(arrow) for arrow in step.bound.decoders]
        needed |= {arrow.reads for arrow in read} | {arrow.writes for arrow in written}
        needed |= {"right" for arrow in (*read, *written) if arrow.sided}
    return frozenset(needed)


def check(vae: DisentangledVAE, phases: Sequence[Phase]) -> None:
    """Raise HandsError for the first step that the graph cannot run or that would train nothing."""
    for phase in phases:
        for number, step in enumerate(phase.steps, start=1):
            check_step(vae, step, f'phase "{phase.name}", step {number}')


def check_step(vae: DisentangledVAE, step: Step, where: str) -> None:
    """Raise HandsError if a step names unknown arrows, lacks a factor, infers one twice or trains nothing."""
    bound = step.bound
    inferred: dict[str, str] = {}
    for arrow in bound.encoders:
        for factor in vae.encoder(arrow).factors:
            if factor in inferred:
                raise HandsError(
                    f'{where}: factor "{factor}" is inferred twice: by "{inferred[factor]}" and "{arrow}"'
                )
            inferred[factor] = arrow
    if not bound.decoders:
        raise HandsError(f"{where}: the bound has no decoders: nothing is explained")
    for arrow in bound.decoders:
        for factor in vae.decoder(arrow).factors:
            if factor not in inferred:
                raise HandsError(
                    f'{where}: decoder "{arrow}" reads factor "{factor}", which no encoder infers '
                    f"(encoders: {', '.join(bound.encoders) or 'none'})"
                )
    for factor in step.noise:
        if factor not in inferred:
            raise HandsError(f'{where}: noise replaces factor "{factor}", which no encoder infers')
    check_learners(step, where)


def check_learners(step: Step, where: str) -> None:
    """Raise HandsError if a step trains nothing, or an arrow that its bound does not use."""
    if (not step.phi and not step.theta) or step.repeats < 1:
        raise HandsError(f"{where}: trains nothing (no phi, no theta, or repeats below 1)")
    for role, learning, used in (
        ("encoder", step.phi, step.bound.encoders),
        ("decoder", step.theta, step.bound.decoders),
    ):
        for arrow in learning:
            if arrow not in used:
                raise HandsError(f'{where}: {role} "{arrow}" is to learn, but the bound does not use it')
