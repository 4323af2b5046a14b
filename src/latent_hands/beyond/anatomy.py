"""Anatomy: hands that are decoded from images have usual proportions, and joints within their range."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from latent_hands.beyond.objective import Recipe, add_to_steps, objective
from latent_hands.errors import HandsError
from latent_hands.hand.anatomy import implausibility
from latent_hands.paper.algorithms import Phase
from latent_hands.paper.bound import Bound, Evaluation, Feed, Term, average
from latent_hands.paper.graph import DisentangledVAE
from latent_hands.paper.supervision import embeds_image


@dataclass(frozen=True)
class Anatomy:
    """weight E_q log p_anatomy(y | z): an anatomical prior of the canonical poses that are decoded.

    It needs no label. So it keeps depth plausible where only 2D joints are known.

    Attributes:
        weights: {decoder of cpose: weight}.
    """

    weights: Mapping[str, float]
    feeds = frozenset[Feed]({"labelled", "all", "rest", "photos"})

    def terms(self, evaluation: Evaluation) -> list[Term]:
        """Return `anatomy_<decoder>` for each decoder, in nats; 0 is plausible."""
        return [
            Term(f"anatomy_{arrow}", -average(nats(evaluation, arrow), evaluation.batch), weight)
            for arrow, weight in self.weights.items()
        ]

    def encoders(self) -> tuple[str, ...]:
        """Return no encoder."""
        return ()

    def check(self, vae: DisentangledVAE, bound: Bound, batch_size: int) -> None:
        """Raise HandsError for a decoder that writes no canonical pose, or reads a factor nothing infers."""
        inferred = {factor for arrow in bound.encoders for factor in vae.encoder(arrow).factors}
        for name in self.weights:
            decoder = vae.decoder(name)
            if decoder.writes != "cpose":
                raise HandsError(
                    f'[objectives] anatomy names decoder "{name}", which writes {decoder.writes}; it must '
                    "write cpose"
                )
            for factor in sorted(set(decoder.factors) - inferred):
                raise HandsError(
                    f'[objectives] anatomy: decoder "{name}" reads "{factor}", not inferred here'
                )


def nats(evaluation: Evaluation, arrow: str) -> Float[Tensor, " batch"]:
    """Return the implausibility of each sample's canonical pose."""
    return implausibility(evaluation.vae.decode(arrow, evaluation.z, evaluation.batch.get("right")))


@objective("anatomy")
def with_anatomy(recipe: Recipe, phases: Sequence[Phase], weights: Mapping[str, float]) -> tuple[Phase, ...]:
    """Add the prior to every step that embeds an image. Raises HandsError if there is none."""
    changed = add_to_steps(phases, Anatomy(weights), lambda step: embeds_image(recipe.vae, step))
    if changed == tuple(phases):
        raise HandsError("[objectives] anatomy acts on steps that embed an image, and there is none")
    return changed
