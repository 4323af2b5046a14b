"""The paper's algorithms: a tuple of phases, each a list of steps that runs for every batch for some epochs.

Line numbers are those of the printed article: the first loop of Algorithm 1 is lines 2-7 and its second is
8-13; the loops of Algorithm 2 are lines 2-13, 7-12 (inner) and 14-19.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from latent_hands.errors import HandsError
from latent_hands.paper.bound import Bound, Feed
from latent_hands.paper.graph import DisentangledVAE
from latent_hands.paper.latent import Noise


@dataclass(frozen=True)
class Part:
    """A bound, and the hands on which it is evaluated."""

    bound: Bound
    feed: Feed


@dataclass(frozen=True)
class Step:
    """One gradient step on a bound. Every arrow that it does not name stays bit-identical.

    Attributes:
        bound: what is maximised.
        phi: the encoders that learn, by exact name.
        theta: the decoders that learn, by exact name.
        noise: factors replaced by noise before decoding.
        repeats: how often the step is taken on each batch.
        feed: which hands the batches come from.
        further: bounds on other hands that are added to the first: the step maximises the sum.
    """

    bound: Bound
    phi: tuple[str, ...] = ()
    theta: tuple[str, ...] = ()
    noise: Mapping[str, Noise] = field(default_factory=dict)
    repeats: int = 1
    feed: Feed = "labelled"
    further: tuple[Part, ...] = ()

    @property
    def parts(self) -> tuple[Part, ...]:
        """Return all bounds of the step, each with its feed."""
        return (Part(self.bound, self.feed), *self.further)

    @property
    def learning(self) -> tuple[str, ...]:
        """Return the full names of the arrows that learn, as in `DisentangledVAE.arrows`."""
        return (*(f"encoders.{name}" for name in self.phi), *(f"decoders.{name}" for name in self.theta))


@dataclass(frozen=True)
class Phase:
    """Steps for some epochs: all of them at every update or, if `in_turn`, one an update."""

    name: str
    steps: tuple[Step, ...]
    epochs: int
    batch_size: int = 32
    learning_rate: float = 1e-4
    minutes: float | None = None
    in_turn: bool = False

    @property
    def parts(self) -> tuple[Part, ...]:
        """Return the parts of all steps."""
        return tuple(part for step in self.steps for part in step.parts)

    def due(self, update: int) -> list[tuple[int, Step]]:
        """Return the steps of an update, with their numbers from 1."""
        numbered = list(enumerate(self.steps, start=1))
        return [numbered[update % len(numbered)]] if self.in_turn else numbered


def algorithm_1(disentangle: Bound, embed: Sequence[Bound], t1: int, t2: int) -> tuple[Phase, ...]:
    """Algorithm 1, dVAE learning for fully specified z.

    Lines 2-7: for T1 epochs, update phi_y1, phi_y2, theta_y1, theta_y2 and theta_x by Eq. 2.
    Lines 8-13: for T2 epochs, update phi_x alone by Eq. 4 (for a further modality x^: Eq. 8).
    """
    lines_2_to_7 = Phase("disentangle", (learn(disentangle),), t1)
    lines_8_to_13 = embedding(embed, t2)
    return (lines_2_to_7, *lines_8_to_13)


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

    Lines 2-13: for T1 epochs, on every batch,
        lines 3-6: update phi_y1, phi_u, theta_y1 and theta_x by Eq. 6;
        lines 7-12: T2 times, update phi_y1 and theta_y1 by `y_alone`,
        E log p(y1 | [z_y1, z_noise]) - beta KL(q(z_y1 | y1)), so that y1 cannot be read from z_u.
    Lines 14-19: for T3 epochs, update phi_x alone by Eq. 4.
    """
    lines_3_to_6 = learn(disentangle)
    lines_7_to_12 = Step(y_alone, phi_y, tuple(y_alone.decoders), noise, repeats=t2)
    lines_14_to_19 = embedding(embed, t3)
    return (Phase("disentangle", (lines_3_to_6, lines_7_to_12), t1), *lines_14_to_19)


def simultaneous(disentangle: Bound, embed: Sequence[Bound], epochs: int) -> tuple[Phase, ...]:
    """Eq. 5, disentangling and embedding at once: every update takes the steps of both phases of Algorithm 1.

    They stay separate steps: in one summed loss the decoders would also learn from the embedding.
    """
    return (Phase("simultaneous", (learn(disentangle), *map(embed_only, embed)), epochs),)


def embedding(bounds: Sequence[Bound], epochs: int) -> tuple[Phase, ...]:
    """Eq. 4 and Eq. 8 in a finished latent: one phase a modality, since decoders are fixed."""
    return tuple(Phase("embed_" + "_".join(b.encoders), (embed_only(b),), epochs) for b in bounds)


def cross_modal(bound: Bound, epochs: int) -> tuple[Phase, ...]:
    """Eq. 1, the cross-modal VAE (the paper's baseline): all its arrows learn together."""
    return (Phase("cross_modal", (learn(bound),), epochs),)


def alternating(bounds: Sequence[Bound], epochs: int) -> tuple[Phase, ...]:
    """Spurr et al. 2018 as Sec. 2.1 describes it: one latent, and one modality's encoder at each update."""
    return (Phase("alternating", tuple(map(learn, bounds)), epochs, in_turn=True),)


def learn(bound: Bound) -> Step:
    """Return the step in which all arrows of a bound learn."""
    return Step(bound, phi=bound.encoders, theta=tuple(bound.decoders))


def embed_only(bound: Bound) -> Step:
    """Return the step in which the encoders of a bound learn and its decoders are fixed."""
    return Step(bound, phi=bound.encoders)


def keys(vae: DisentangledVAE, parts: Iterable[Part]) -> frozenset[str]:
    """Return what a batch must hold for these parts: every modality that is read or written, and the side."""
    needed = set()
    for bound in (part.bound for part in parts):
        further = [arrow for objective in bound.extra for arrow in objective.encoders()]
        read = [vae.encoder(arrow) for arrow in (*bound.encoders, *further)]
        written = [vae.decoder(arrow) for arrow in bound.decoders]
        needed |= {arrow.reads for arrow in read} | {arrow.writes for arrow in written}
        needed |= {"right" for arrow in (*read, *written) if arrow.sided}
    return frozenset(needed)


def check(vae: DisentangledVAE, phases: Sequence[Phase]) -> None:
    """Raise HandsError, naming phase and step, for the first step that the graph cannot run."""
    if not phases or not all(phase.steps for phase in phases):
        raise HandsError("[algorithm]: nothing would be trained, since encode or embed names no encoder")
    for phase in phases:
        for number, step in enumerate(phase.steps, start=1):
            try:
                for part in step.parts:
                    check_bound(vae, part.bound, step.noise)
                    for objective in part.bound.extra:
                        objective.check(vae, part.bound, phase.batch_size)
                check_learners(step)
            except HandsError as error:
                raise HandsError(f'phase "{phase.name}", step {number}: {error}') from error


def check_bound(vae: DisentangledVAE, bound: Bound, noise: Collection[str]) -> None:
    """Raise HandsError if a bound names unknown arrows, lacks a factor or infers one twice."""
    inferred: dict[str, str] = {}
    for arrow in bound.encoders:
        for factor in vae.encoder(arrow).factors:
            if factor in inferred:
                raise HandsError(
                    f'factor "{factor}" is inferred twice: by "{inferred[factor]}" and "{arrow}"'
                )
            inferred[factor] = arrow
    if not bound.decoders:
        raise HandsError("the bound has no decoders, so it explains nothing")
    for arrow in bound.decoders:
        for factor in vae.decoder(arrow).factors:
            if factor not in inferred:
                raise HandsError(
                    f'decoder "{arrow}" reads factor "{factor}", which no encoder infers '
                    f"(encoders: {', '.join(bound.encoders) or 'none'})"
                )
    for factor in noise:
        if factor not in inferred:
            raise HandsError(f'noise replaces factor "{factor}", which no encoder infers')


def check_learners(step: Step) -> None:
    """Raise HandsError if a step trains nothing, or an arrow that its bound does not use."""
    if (not step.phi and not step.theta) or step.repeats < 1:
        raise HandsError("the step trains nothing (no phi, no theta, or fewer than 1 repeats)")
    for role, learning, used in (
        ("encoder", step.phi, step.bound.encoders),
        ("decoder", step.theta, step.bound.decoders),
    ):
        for arrow in learning:
            if arrow not in used:
                raise HandsError(f'{role} "{arrow}" is to learn, but the bound does not use it')
