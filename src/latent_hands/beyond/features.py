"""Beyond the paper: images compared by features learnt on ImageNet, which see what is blurred."""

from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor, nn

from latent_hands.networks import Precision, image_autocast
from latent_hands.networks.efficientnet import EfficientNetLite0

CONTRAST = 64.0
"""Standard deviation, in grey levels, of an image as rich in contrast as photographs are."""
GRID = 4
"""Pixels between the coarsest features."""


class Perception(nn.Module):
    """The first layers of EfficientNet-Lite0, at a half and a quarter of the resolution; nothing learns.

    Raises HandsError if the package that brings its weights is missing (extra `imagenet`).
    """

    def __init__(self, precision: Precision = "bf16"):
        super().__init__()
        self.precision: Precision = precision
        self.layers = EfficientNetLite0(1).learnt_on_imagenet().fixed.eval()

    def forward(self, image: Float[Tensor, "batch 3 px px"]) -> list[Float[Tensor, "batch _ _ _"]]:
        """The features of each layer, float32."""
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
        """log p(features of truth | z) of a Gaussian around the prediction's features, but for a constant.

        Each feature counts in units of its spread over the batch, and all of them together as the image's
        own numbers would if their spread were `CONTRAST`: -1/2 px px 3 CONTRAST^2 times the share of the
        features' variance that is missed (after Hou et al. 2017, "Deep feature consistent VAE").

        The generator draws where the layers' grid of strides lies: with a fixed one, decoders learn dots of
        its spacing.
        """
        down, right = torch.randint(0, GRID, (2,), generator=generator, device=truth.device).tolist()
        size = truth.shape[-1] - GRID
        seen = (..., slice(down, down + size), slice(right, right + size))
        with torch.no_grad():
            wanted = self(truth[seen])
        missed = [
            ((w - s).square().mean(dim=(2, 3)) / w.var(dim=(0, 2, 3)).clamp(min=1e-6)).mean(dim=1)
            for w, s in zip(wanted, self(prediction[seen]), strict=True)
        ]
        return -0.5 * truth[0].numel() * CONTRAST**2 * torch.stack(missed).mean(dim=0)


@lru_cache
def perception(device: torch.device) -> Perception:
    """The one of a device."""
    return Perception().to(device)
