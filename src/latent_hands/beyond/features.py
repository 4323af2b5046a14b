"""Features: images are also compared by features learnt on ImageNet, which are sensitive to blur."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor, nn

from latent_hands.beyond.objective import Recipe, add_to_steps, objective
from latent_hands.beyond.strides import random_part
from latent_hands.errors import HandsError
from latent_hands.networks.efficientnet import EfficientNetLite0, imagenet_file
from latent_hands.networks.spec import Precision, image_autocast
from latent_hands.paper.algorithms import Phase
from latent_hands.paper.bound import Bound, Evaluation, Feed, Term, average
from latent_hands.paper.graph import DisentangledVAE

CONTRAST = 64.0
"""Standard deviation, in grey levels, of an image as rich in contrast as photographs are."""
GRID = 4
"""Pixels between the coarsest features."""


class Perception(nn.Module):
    """The first layers of EfficientNet-Lite0, at a half and a quarter of the resolution. Nothing is trained.

    Raises HandsError if the package that contains the weights is missing (extra `imagenet`).
    """

    def __init__(self, precision: Precision = "bf16"):
        super().__init__()
        self.precision: Precision = precision
        self.layers = EfficientNetLite0(1).pretrained().fixed.eval()

    def forward(self, image: Float[Tensor, "batch 3 px px"]) -> list[Float[Tensor, "batch _ _ _"]]:
        """Return the features of each layer, float32."""
        found = []
        with image_autocast(image.device, self.precision):
            x = image.contiguous(memory_format=torch.channels_last)
            for layer in self.layers:
                x = layer(x)
                found.append(x.float())
        return found

    def log_likelihood(
        self,
        truth: Float[Tensor, "batch 3 px px"],
        prediction: Float[Tensor, "batch 3 px px"],
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, " batch"]:
        """Return log p(features of truth | z) up to a constant: a Gaussian around the prediction's features.

        Each feature is measured in units of its standard deviation over the batch. All of them together
        weigh as much as the pixels would if their standard deviation were `CONTRAST`: the result is -1/2 px
        px 3 CONTRAST^2 times the share of the features' variance that is missed (after Hou et al. 2017,
        "Deep feature consistent VAE").

        The generator draws the offset of the grid of strides (`random_part`).
        """
        part = random_part(truth, GRID, generator)
        with torch.no_grad():
            wanted = self(truth[part])
        missed = [
            ((w - p).square().mean(dim=(2, 3)) / w.var(dim=(0, 2, 3)).clamp(min=1e-6)).mean(dim=1)
            for w, p in zip(wanted, self(prediction[part]), strict=True)
        ]
        return -0.5 * truth[0].numel() * CONTRAST**2 * torch.stack(missed).mean(dim=0)


@lru_cache
def perception(device: torch.device) -> Perception:
    """Return the perception network on a device, built once."""
    return Perception().to(device)


@dataclass(frozen=True)
class Features:
    """weight E log p(features of m | z) for decoders of colour images.

    Attributes:
        weights: {decoder: weight}. A decoder that the bound does not use is left out.
    """

    weights: Mapping[str, float]
    feeds = frozenset[Feed]({"labelled", "all", "rest", "photos"})

    def terms(self, evaluation: Evaluation) -> list[Term]:
        """Return `features_<decoder>` for each decoder that the bound uses."""
        found = []
        for arrow, weight in self.weights.items():
            if arrow in evaluation.predictions:
                image = evaluation.predictions[arrow]
                network = perception(image.truth.device)
                value = network.log_likelihood(image.truth, image.output, evaluation.generator)
                found.append(Term(f"features_{arrow}", average(value, evaluation.batch), weight))
        return found

    def encoders(self) -> tuple[str, ...]:
        """Return no encoder: features run none."""
        return ()

    def check(self, vae: DisentangledVAE, bound: Bound, batch_size: int) -> None:
        """Raise HandsError if a decoder writes no colour image."""
        images = [n for n in vae.decoders if vae.decoder(n).modality.sizes == (3,)]
        for arrow in self.weights:
            if arrow not in images:
                raise HandsError(
                    f'[objectives] features: "{arrow}" is not a decoder of a colour image; '
                    f"legal: {', '.join(images) or 'none in this graph'}"
                )


@objective("features")
def with_features(recipe: Recipe, phases: Sequence[Phase], weights: Mapping[str, float]) -> tuple[Phase, ...]:
    """Add the comparison by features to every step. Raises HandsError if the extra `imagenet` is missing."""
    imagenet_file()
    return add_to_steps(phases, Features(weights), first=True)
