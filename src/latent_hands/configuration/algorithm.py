"""The section [algorithm]: one dataclass for each algorithm, selected by `name`."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from latent_hands.errors import HandsError
from latent_hands.paper.latent import Noise
from latent_hands.paper.weights import Preset
from latent_hands.typed_toml import Range

Count = Annotated[int, Range(1, 10_000_000)]
Weight = Annotated[float, Range(0.0, 1e12)]


@dataclass(frozen=True, kw_only=True)
class Weights:
    """lambda and beta of all phases; [phases.NAME] replaces them in one.

    Attributes:
        preset: the set of lambda and beta, "paper" or "balanced" (`latent_hands.paper.weights`).
        lam: lambda by decoder, in place of the preset's; 0 leaves the decoder out.
        beta: beta, in place of the preset's.
    """

    preset: Preset = "paper"
    lam: dict[str, Weight] = field(default_factory=dict)
    beta: Weight | None = None


@dataclass(frozen=True, kw_only=True)
class Algorithm1(Weights):
    """Algorithm 1: disentangle (Eq. 2), then embed each x in a phase of its own (Eq. 4, Eq. 8).

    Attributes:
        encode: encoders of the y_i, which infer z together in the disentangling step.
        embed: encoders that are embedded into that latent.
        finished: skip the disentangling step; [training] start names the run that holds the finished latent.
    """

    name: Literal["algorithm_1"] = "algorithm_1"
    encode: tuple[str, ...]
    embed: tuple[str, ...] = ()
    finished: bool = False


@dataclass(frozen=True, kw_only=True)
class Algorithm2(Weights):
    """Algorithm 2: disentangle with z_u inferred from x (Eq. 6), keep y out of z_u, then embed (Eq. 4).

    Attributes:
        encode: encoders of the y_i and of z_u, which infer z together in the disentangling step.
        embed: encoders that are embedded into that latent.
        noise: {factor of z_u: its replacement in lines 7-12}: "other", "same" or "prior" (`with_noise`).
        noise_steps: T2, how often lines 7-12 run on each batch.
        finished: skip the disentangling step; [training] start names the run that holds the finished latent.
    """

    name: Literal["algorithm_2"] = "algorithm_2"
    encode: tuple[str, ...]
    embed: tuple[str, ...] = ()
    noise: dict[str, Noise]
    noise_steps: Count = 1
    finished: bool = False

    def __post_init__(self) -> None:
        """Raise HandsError without a factor z_u."""
        if not self.noise:
            raise HandsError('noise is empty; it must name the factors z_u, such as { u = "other" }')


@dataclass(frozen=True, kw_only=True)
class Simultaneous(Weights):
    """Eq. 5: every update takes the steps of both phases of Algorithm 1.

    Attributes:
        encode: encoders of the y_i, which infer z together.
        embed: encoders that are embedded into that latent.
    """

    name: Literal["simultaneous"] = "simultaneous"
    encode: tuple[str, ...]
    embed: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class CrossModal(Weights):
    """Eq. 1, the cross-modal VAE: all arrows learn together.

    Attributes:
        encode: the encoder of x.
    """

    name: Literal["cross_modal"] = "cross_modal"
    encode: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Alternating(Weights):
    """Spurr et al. 2018: one latent, and one modality's encoder at each update.

    Attributes:
        encode: the encoders that take turns.
    """

    name: Literal["alternating"] = "alternating"
    encode: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Regression(Weights):
    """Least squares through the same networks: beta = 0, and nothing is drawn.

    Attributes:
        encode: the encoder of x.
    """

    name: Literal["regression"] = "regression"
    encode: tuple[str, ...]


Algorithm = Algorithm1 | Algorithm2 | Simultaneous | CrossModal | Alternating | Regression
EMBEDDING = (Algorithm1, Algorithm2, Simultaneous)
"""The algorithms with an embedding step."""


def embedded(algorithm: Algorithm) -> tuple[str, ...]:
    """Return the encoders that the algorithm embeds."""
    return algorithm.embed if isinstance(algorithm, EMBEDDING) else ()


def is_finished(algorithm: Algorithm) -> bool:
    """Return whether the algorithm only embeds into a finished latent."""
    return isinstance(algorithm, Algorithm1 | Algorithm2) and algorithm.finished
