"""The power spectrum of images by octaves: which sizes of detail are too weak or too strong."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from latent_hands.evaluation.metrics import resampled_counts
from latent_hands.studies.assess.image_quality import Images, grey_levels
from latent_hands.studies.assess.intervals import Blocks, stated, weighted_mean


def octaves(px: int) -> dict[str, tuple[int, int]]:
    """Return {name: (lowest, highest) frequency in cycles per image} for images of `px` pixels.

    The last octave ends at px / 2, the highest frequency of the pixel grid.
    """
    lows = [2**k for k in range(px.bit_length() - 2)]
    return {f"{low}-{2 * low}": (low, 2 * low) for low in lows if 2 * low <= px // 2}


def power(images: Images) -> Float[Tensor, "n octaves"]:
    """Return the power of each image in each octave, averaged over the colours.

    A Hann window suppresses the jump from one border to the opposite one.
    """
    px = images.shape[-1]
    levels = grey_levels(images)
    window = torch.hann_window(px, dtype=levels.dtype, device=levels.device)
    centred = (levels - levels.mean(dim=(2, 3), keepdim=True)) * window[:, None] * window
    spectrum = torch.fft.fft2(centred).abs().square().mean(dim=1)
    frequency = torch.fft.fftfreq(px, 1 / px, dtype=levels.dtype, device=levels.device)
    radius = torch.hypot(frequency[:, None], frequency)
    bands = [(radius >= low) & (radius < high) for low, high in octaves(px).values()]
    return torch.stack([spectrum[:, band].sum(dim=1) for band in bands], dim=1)


def power_ratios(images: Images, truth: Images, blocks: Blocks) -> dict[str, Any]:
    """Return {octave: power of all images over that of their ground truth}, with 95 % intervals."""
    weights = resampled_counts(blocks)
    columns = zip(octaves(images.shape[-1]), power(images).T, power(truth).T, strict=True)
    scores = {}
    for name, above, below in columns:
        scores |= stated(name, weighted_mean(above, weights) / weighted_mean(below, weights))
    return scores
