"""The paper's algorithms: a tuple of phases, each a list of steps run for every batch for so many epochs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from latent_hands.errors import HandsError
from latent_hands.paper.bound import Bound
from latent_hands.paper.graph import DisentangledVAE
from latent_hands.paper.latent import Noise

Feed = Literal["labelled", "all", "rest", "photos"]
"""What a step learns from: the labelled hands, all hands, those without full labels, or other images."""


@dataclass(frozen=True)
class Step:
    """One gradient step on a bound; every arrow that it does not name stays as it is, to the bit.

    Attributes:
        bound: what is maximised.
        phi: the encoders that learn, by exact name.
        theta: the decoders that learn, by exact name.
        noise: factors replaced by noise before decoding.
        repeats: how often the step is taken on each batch.
        feed: where its batches come from.
    """

    bound: Bound
    phi: tuple[str, ...] = ()
    theta: tuple[str, ...] = ()
    noise: Mapping[str, Noise] = field(default_factory=dict)
    repeats: int = 1
    feed: Feed = "labelled"


@dataclass(frozen=True)
class Phase:
    """Steps for so many epochs: all of them at every update, or `in_turn` one an update."""

    name: str
    steps: tuple[Step, ...]
    epochs: int
    batch_size: int = 32
    learning_rate: float = 1e-4
    minutes: float | None = None
    in_turn: bool = False

    def due(self, update: int) -> list[tuple[int, Step]]:
        """The steps of an update, with their numbers from 1."""
        numbered = list(enumerate(self.steps, start=1))
        return [numbered[update % len(numbered)]] if self.in_turn else numbered


def algorithm_1(disentangle: Bound, embed: Sequence[Bound], t1: int, t2: int) -> tuple[Phase, ...]:
    """Algorithm 1, dVAE learning for fully specified z.

    Lines 2-7: for T1 epochs update the phi_y, theta_y and theta_x by Eq. 2. Lines 8-13: for T2 epochs update
    phi_x alone by Eq. 4 (a further modality x^: Eq. 8).
    """
    return (Phase("disentangle", (learn(disentangle),), t1), *embedding(embed, t2))


def algorithm_2(
    disentangle: Bound,
    y_alone: Bound,
    phi_y: tuple[str, ...],
    noise: Mapping[str, Noise],
    embed: Sequence[Bound],
    t1: int,
    t2: int,
    t3: int,
) -> tuple[Phase, ...]:
    """Algorithm 2, dVAE learning for additional z_u.

    Lines 3-6: update phi_y1, phi_u, theta_y1 and theta_x by Eq. 6. Lines 7-12: then T2 times phi_y1 and
    theta_y1 by `y_alone`, E log p(y1 | [z_y1, noise]) - beta KL(q(z_y1 | y1)), so that y1 is not read from
    z_u. All that for T1 epochs. Lines 14-19: for T3 epochs embed x as Algorithm 1 does.
    """
    unread = Step(y_alone, phi_y, tuple(y_alone.decoders), noise, repeats=t2)
    return (Phase("disentangle", (learn(disentangle), unread), t1), *embedding(embed, t3))


def joint(disentangle: Bound, embed: Sequence[Bound], epochs: int) -> tuple[Phase, ...]:
    """Eq. 5, disentangling and embedding at once: at every update the steps of both phases of Algorithm 1.

    They stay steps of their own: were their bounds one sum, the decoders would learn from the embedding, too.
    """
    return (Phase("joint", (learn(disentangle), *(embed_only(b) for b in embed)), epochs),)


def embedding(bounds: Sequence[Bound], epochs: int) -> tuple[Phase, ...]:
    """Eq. 4 and 8 in a finished latent: each modality in a phase of its own, for the decoders are fixed."""
    return tuple(Phase("embed_" + "_".join(b.encoders), (embed_only(b),), epochs) for b in bounds)


def refinement(bounds: Sequence[Bound], epochs: int) -> tuple[Phase, ...]:
    """Beyond the paper: by Eq. 2 decoders of images alone learn on; finished encoders read what they show
    again (`Bound.reread`).
    """
    return tuple(
        Phase("refine_" + "_".join(r.encoder for r in b.reread), (Step(b, theta=tuple(b.decoders)),), epochs)
        for b in bounds
    )


def cross_modal(bound: Bound, epochs: int) -> tuple[Phase, ...]:
    """The cross-modal VAE, the baseline: all arrows of Eq. 1 learn together."""
    return (Phase("cross_modal", (learn(bound),), epochs),)


def alternating(bounds: Sequence[Bound], epochs: int) -> tuple[Phase, ...]:
    """Spurr et al. 2018 as Sec. 2 tells of them: one latent, an encoder a modality, one of them an update."""
    return (Phase("alternating", tuple(map(learn, bounds)), epochs, in_turn=True),)


def regression(bound: Bound, epochs: int) -> tuple[Phase, ...]:
    """The plain baseline: least squares through the same networks, nothing drawn."""
    return (Phase("regression", (learn(replace(bound, beta=0.0, drawn=False)),), epochs),)


def learn(bound: Bound) -> Step:
    """All arrows of a bound learn."""
    return Step(bound, phi=bound.encoders, theta=tuple(bound.decoders))


def embed_only(bound: Bound) -> Step:
    """The encoders of a bound learn, what they are to explain is fixed."""
    return Step(bound, phi=bound.encoders)


def keys(vae: DisentangledVAE, steps: Iterable[Step]) -> frozenset[str]:
    """What a batch must hold for steps: the modalities their arrows read and write, and the side if told."""
    needed = set()
    for step in steps:
        again = [r.encoder for r in step.bound.reread]
        read = [vae.encoder(arrow) for arrow in (*step.bound.encoders, *step.bound.agree, *again)]
        written = [vae.decoder(arrow) for arrow in step.bound.decoders]
        needed |= {arrow.reads for arrow in read} | {arrow.writes for arrow in written}
        needed |= {"right" for arrow in (*read, *written) if arrow.sided}
    return frozenset(needed)


def check(vae: DisentangledVAE, phases: Sequence[Phase]) -> None:
    """Raise HandsError for the first step that the graph cannot run or that would train nothing."""
    if not phases or not all(phase.steps for phase in phases):
        raise HandsError("[algorithm]: nothing would be trained; encode or embed names no encoder")
    for phase in phases:
        for number, step in enumerate(phase.steps, start=1):
            check_step(vae, step, f'phase "{phase.name}", step {number}')
            if phase.batch_size < 2 and any(again.lent for again in step.bound.reread):
                raise HandsError(
                    f'phase "{phase.name}": batch_size is 1, so that no other sample lends; legal: 2 up'
                )


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
    for arrow in bound.agree:
        for factor in vae.encoder(arrow).factors:
            if inferred.get(factor, arrow) == arrow:
                raise HandsError(
                    f'{where}: agree names encoder "{arrow}", whose factor "{factor}" no other encoder infers'
                )
    for again in bound.reread:
        shown = vae.decoder(again.decoder).factors
        if absent := [factor for factor in vae.encoder(again.encoder).factors if factor not in shown]:
            raise HandsError(
                f'{where}: encoder "{again.encoder}" reads factor "{absent[0]}" again, which decoder '
                f'"{again.decoder}" does not show'
            )
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
