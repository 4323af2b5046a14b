"""The other side: a hand of the other side tells an encoder nothing about z."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from latent_hands.beyond.objective import Recipe, objective
from latent_hands.errors import HandsError
from latent_hands.paper.algorithms import Phase, Step
from latent_hands.paper.bound import Bound, Evaluation, Feed, Term, average
from latent_hands.paper.graph import DisentangledVAE
from latent_hands.paper.modality import Batch

SHARE = 4
"""One image in so many is also shown as its mirror image."""


@dataclass(frozen=True)
class OtherSide:
    """- weight KL(q(z | mirrored x) || N(0, I)) of the embedded encoders of images.

    Such an encoder sees hands of one side, because the others are mirrored ([data] right_hands = "mirror").
    The mirror image shows the other side. Its posterior becomes the prior, so that the divergence from the
    prior, the spread of draws and the posterior itself tell the side (`configuration.rules.Handedness`).

    Attributes:
        weights: {encoder of images: weight}.
    """

    weights: Mapping[str, float]
    feeds = frozenset[Feed]({"labelled", "all"})

    def terms(self, evaluation: Evaluation) -> list[Term]:
        """Return `other_side_<encoder>` for each encoder."""
        part = {key: each[::SHARE] for key, each in evaluation.batch.items()}
        return [
            Term(f"other_side_{encoder}", average(divergence(evaluation.vae, encoder, part), part), -weight)
            for encoder, weight in self.weights.items()
        ]

    def encoders(self) -> tuple[str, ...]:
        """Return no encoder: those that are shown mirror images learn from them."""
        return ()

    def check(self, vae: DisentangledVAE, bound: Bound, batch_size: int) -> None:
        """Raise HandsError for an encoder that reads no images."""
        for name in self.weights:
            modality = vae.encoder(name).modality
            if not modality.is_image:
                raise HandsError(
                    f'[objectives] other_side names encoder "{name}", which reads {modality.name}: only '
                    "images have a mirror image that shows the other side"
                )


def divergence(vae: DisentangledVAE, encoder: str, batch: Batch) -> Float[Tensor, " batch"]:
    """Return KL(q(z | mirrored x) || N(0, I)) of each sample, summed over the encoder's factors."""
    reads = vae.encoder(encoder).reads
    posterior = vae.encode(encoder, {**batch, reads: batch[reads].flip(-1)})
    return torch.stack([q.kl() for q in posterior.values()]).sum(dim=0)


@objective("other_side")
def with_other_side(
    recipe: Recipe, phases: Sequence[Phase], weights: Mapping[str, float]
) -> tuple[Phase, ...]:
    """Add the term to the embedding steps of its encoders. Raises HandsError if an encoder has none."""

    def shown(step: Step) -> Step:
        own = {name: weight for name, weight in weights.items() if name in step.phi}
        if step.theta or not own:
            return step
        return replace(step, bound=replace(step.bound, extra=(*step.bound.extra, OtherSide(own))))

    for name in weights:
        if name not in recipe.embed:
            raise HandsError(
                f'[objectives] other_side names encoder "{name}", which is not embedded; legal: '
                f"{', '.join(recipe.embed) or 'none, because the algorithm has no embedding'}"
            )
    return tuple(replace(phase, steps=tuple(map(shown, phase.steps))) for phase in phases)
