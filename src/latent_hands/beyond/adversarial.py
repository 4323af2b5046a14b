"""Adversarial: a discriminator, which learns to tell decoded images from true ones, makes them sharp.

The best prediction under a Gaussian likelihood is the mean of all images that fit z, which is soft. A
discriminator accepts any one of them (Goodfellow et al. 2014; beside a VAE: Larsen et al. 2016).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from latent_hands.beyond.objective import Recipe, add_to_steps, objective
from latent_hands.beyond.strides import random_part
from latent_hands.errors import HandsError
from latent_hands.networks.patches import LEAST_PX, STRIDE, PatchDiscriminator
from latent_hands.paper.algorithms import Phase, Step
from latent_hands.paper.bound import Bound, Evaluation, Feed, Term, average
from latent_hands.paper.graph import DisentangledVAE

SEED = 0
"""Every training begins with the same discriminator."""


@dataclass(frozen=True)
class Adversarial:
    """weight * values * E D(m'), for the decoder, and E min(0, D(m) - 1) + E min(0, -1 - D(m')), for D.

    m are true images, m' decoded ones, and D is the mean score of their patches (hinge loss: Lim & Ye 2017).
    The first term is multiplied by the number of values of an image, as log-likelihoods are sums over them.
    Both are maximised in one step, but each trains its own side: the first has no gradient to D, the second
    none to the decoder.

    Attributes:
        decoder: writes the images.
        weight: weight of the decoder's term.
        network: D. It learns, and is saved to resume the training, but is not part of the model.
    """

    decoder: str
    weight: float
    network: nn.Module
    feeds = frozenset[Feed]({"labelled", "all", "rest", "photos"})

    @property
    def name(self) -> str:
        """Return the name under which the discriminator is saved."""
        return f"adversarial_{self.decoder}"

    def opposes(self, step: Step) -> bool:
        """Return whether the decoder learns alone in a step, without any encoder."""
        return self.decoder in step.theta and not step.phi

    def terms(self, evaluation: Evaluation) -> list[Term]:
        """Return `adversarial_<decoder>` and `discriminator_<decoder>`, or none without that decoder."""
        if self.decoder not in evaluation.predictions:
            return []
        image = evaluation.predictions[self.decoder]
        stride = min(STRIDE, image.truth.shape[-1] - LEAST_PX)
        part = random_part(image.truth, stride, evaluation.generator)
        truth, output = image.truth[part], image.output[part]
        with frozen(self.network):
            fooled = mean_score(self.network(output))
        true, decoded = self.network(truth), self.network(output.detach())
        separated = [mean_score(hinge(true)), mean_score(hinge([-score for score in decoded]))]
        terms = {self.name: (image.truth[0].numel() * fooled, self.weight)}
        terms[f"discriminator_{self.decoder}"] = torch.stack(separated).sum(dim=0), 1.0
        return [Term(n, average(values, evaluation.batch), weight) for n, (values, weight) in terms.items()]

    def encoders(self) -> tuple[str, ...]:
        """Return no encoder: the discriminator runs none."""
        return ()

    def check(self, vae: DisentangledVAE, bound: Bound, batch_size: int) -> None:
        """Accept every bound: `with_adversarial` chooses the steps."""


Scores = Sequence[Float[Tensor, "batch 1 _ _"]]
"""Scores of patches at each scale."""


def mean_score(scores: Scores) -> Float[Tensor, " batch"]:
    """Return the mean score of each image over its patches, then over scales."""
    return torch.stack([each.mean(dim=(1, 2, 3)) for each in scores]).mean(dim=0)


def hinge(scores: Scores) -> Scores:
    """Return min(0, score - 1) of each patch."""
    return [(each - 1).clamp(max=0) for each in scores]


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Let no gradient reach the parameters of a network through what it computes inside."""
    network.requires_grad_(False)
    try:
        yield
    finally:
        network.requires_grad_(True)


@objective("adversarial")
def with_adversarial(
    recipe: Recipe, phases: Sequence[Phase], weights: Mapping[str, float]
) -> tuple[Phase, ...]:
    """Add a discriminator for each of these decoders to the steps in which decoders learn alone.

    Raises HandsError for a decoder that writes no colour image, and if there is no such step.
    """
    images = [n for n in recipe.vae.decoders if recipe.vae.decoder(n).modality.sizes == (3,)]
    for arrow in weights:
        if arrow not in images:
            raise HandsError(
                f'[objectives] adversarial: "{arrow}" is not a decoder of a colour image; '
                f"legal: {', '.join(images) or 'none in this graph'}"
            )
    changed = tuple(phases)
    for arrow, weight in weights.items():
        before, opponent = changed, Adversarial(arrow, weight, _discriminator())
        changed = add_to_steps(before, opponent, opponent.opposes)
        if changed == before:
            raise HandsError(
                f'[objectives] adversarial: decoder "{arrow}" never learns alone; add the objective '
                "rereading, whose phase the discriminator takes part in"
            )
    return changed


def _discriminator() -> PatchDiscriminator:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        return PatchDiscriminator()
