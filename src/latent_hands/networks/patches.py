"""The discriminator of patches at two scales (after pix2pixHD, Wang et al., CVPR 2018)."""

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d
from torch.nn.utils.parametrizations import spectral_norm

from latent_hands.networks.spec import Precision, image_autocast

LEAST_PX, STRIDE = 16, 16
"""The side of the smallest image, and the pixels between two scores at half resolution."""


def scorer(width: int) -> nn.Sequential:
    """Return a network from images to a score for each patch; a score is for each 8 x 8 pixels.

    Spectral norms bound how fast scores change (Miyato et al., ICLR 2018).
    """
    layers = []
    for inputs, outputs in pairwise((3, width, 2 * width, 4 * width)):
        layers += [spectral_norm(nn.Conv2d(inputs, outputs, 4, 2, 1)), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, spectral_norm(nn.Conv2d(4 * width, 1, 3, 1, 1)))


class PatchDiscriminator(nn.Module):
    """Image of at least 16 px -> scores of its patches, high for true ones, at full and at half resolution.

    Args:
        width: channels of the first layer.
        precision: precision of the convolutions.
    """

    def __init__(self, width: int = 48, precision: Precision = "bf16"):
        super().__init__()
        self.precision: Precision = precision
        self.scales = nn.ModuleList([scorer(width), scorer(width)])
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def forward(self, image: Float[Tensor, "batch 3 px px"]) -> list[Float[Tensor, "batch 1 _ _"]]:
        """Return the scores at each scale, float32."""
        image = image.contiguous(memory_format=torch.channels_last)
        with image_autocast(image.device, self.precision):
            return [
                scale(each).float()
                for scale, each in zip(self.scales, (image, avg_pool2d(image, 2)), strict=True)
            ]
