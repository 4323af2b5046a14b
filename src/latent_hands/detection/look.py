"""Random appearance of training images: colours, blur, noise, compression."""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from latent_hands.data.augmentation import appearance
from latent_hands.data.augmentation.jpeg import jpeg
from latent_hands.pixels import from_bytes

CONTRAST, HUE_TURNS, SATURATION, BRIGHTNESS = 0.35, 0.03, 0.5, 0.3
GREY, BLURRED, COMPRESSED = 0.1, 0.3, 0.2
"""Shares of images without colour, blurred, and compressed as JPEG."""
BLUR_PX, NOISE, QUALITY = 1.5, 0.06, (20.0, 90.0)


def varied(images: UInt8[Tensor, "batch 3 h w"], generator: torch.Generator) -> Float[Tensor, "batch 3 h w"]:
    """Return images in [-1, 1] with random colours, blur, noise and compression."""
    count = len(images)
    draw = 2 * torch.rand(4, count, generator=generator) - 1
    chosen = torch.rand(4, count, generator=generator)
    saturation = (1 + SATURATION * draw[2]) * (chosen[0] >= GREY)
    matrix = appearance.colour_matrix(1 + CONTRAST * draw[0], HUE_TURNS * draw[1], saturation)
    varied = appearance.recolour(from_bytes(images), matrix, BRIGHTNESS * draw[3])
    blurred = (chosen[1] < BLURRED).nonzero()[:, 0]
    if len(blurred):
        sigma_px = BLUR_PX * torch.rand(len(blurred), generator=generator)
        varied[blurred] = appearance.blur(varied[blurred], sigma_px, BLUR_PX)
    varied += NOISE * chosen[3].square()[:, None, None, None] * appearance.byte_noise(varied, generator)
    coded = (chosen[2] < COMPRESSED).nonzero()[:, 0]
    if len(coded):
        low, high = QUALITY
        quality = low + (high - low) * torch.rand(len(coded), generator=generator)
        varied[coded] = jpeg(varied[coded].clamp(-1, 1), quality)
    return varied.clamp_(-1, 1)
