"""Image quality against the ground truth, over the whole image or a region: PSNR, SSIM, gradient energy.

Images are compared as 8-bit RGB, 0 to 255, as a file holds them.
"""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from latent_hands.evaluation.metrics import resampled_counts
from latent_hands.pixels import to_bytes
from latent_hands.studies.assess.intervals import Blocks, mean_of, stated, weighted_mean

LARGEST_DB = 100.0
"""The PSNR of equal images, so that a mean over images stays finite."""
WINDOW_PX, SIGMA_PX, STABILITY = 11, 1.5, ((0.01 * 255) ** 2, (0.03 * 255) ** 2)
PART = 64
"""Images compared at once."""
Images = Float[Tensor, "n 3 height width"]
"""RGB images in [-1, 1]."""
Map = Float[Tensor, "n height width"]
Region = Bool[Tensor, "n height width"]


def score_images(
    images: Images, truth: Images, regions: Mapping[str, Region], blocks: Blocks
) -> dict[str, dict[str, Any]]:
    """Return {region: {statistic: value}} with 95 % intervals.

    `psnr_db` and `ssim` are means over images. `pooled_psnr_db` is the PSNR of the mean squared error over
    all pixels of all images. `energy_ratio` is the gradient energy of all images over that of the truth.
    """
    errors, similarity = quality_maps(images, truth)
    energies = gradient_energy(images), gradient_energy(truth)
    weights = resampled_counts(blocks)
    scores = {}
    for name, region in regions.items():
        size = region.sum(dim=(1, 2)).double()
        pooled = weighted_mean((errors * region).sum(dim=(1, 2)), weights) / weighted_mean(size, weights)
        energy, true_energy = (weighted_mean((e * region).sum(dim=(1, 2)), weights) for e in energies)
        scores[name] = (
            mean_of("psnr_db", psnr_db(mean_over(errors, region)), blocks)
            | stated("pooled_psnr_db", psnr_db(pooled))
            | mean_of("ssim", mean_over(similarity, region), blocks)
            | stated("energy_ratio", energy / true_energy)
        )
    return scores


def gain_db(
    images: Images, baseline: Images, truth: Images, region: Region, blocks: Blocks
) -> dict[str, Any]:
    """Return the mean gain in PSNR over a baseline, in a region, with its 95 % interval."""
    ours, theirs = (psnr_db(mean_over(squared_errors(each, truth), region)) for each in (images, baseline))
    return mean_of("gain_db", ours - theirs, blocks)


def quality_maps(images: Images, truth: Images) -> tuple[Map, Map]:
    """Return the squared error and the structural similarity at every pixel."""
    parts = list(zip(images.split(PART), truth.split(PART), strict=True))
    return (
        torch.cat([squared_errors(*part) for part in parts]),
        torch.cat([ssim_map(*part) for part in parts]),
    )


def grey_levels(images: Images) -> Images:
    """Convert [-1, 1] to integers from 0 to 255, in double precision."""
    return to_bytes(images.double()).double()


def mean_over(values: Map, region: Region) -> Float[Tensor, " n"]:
    """Return the mean over a region of each image, NaN for an empty region."""
    return (values * region).sum(dim=(1, 2)) / region.sum(dim=(1, 2))


def squared_errors(images: Images, truth: Images) -> Map:
    """Return squared differences in grey levels, averaged over the three colours."""
    return (grey_levels(images) - grey_levels(truth)).square().mean(dim=1)


def psnr_db(mean_squared_error: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """Return the peak signal-to-noise ratio, 10 log10(255^2 / mean squared error), at most LARGEST_DB."""
    return (10 * torch.log10(255**2 / mean_squared_error)).clamp(max=LARGEST_DB)


def gradient_energy(images: Images) -> Map:
    """Return the squared differences to the next row and column in grey levels, averaged over the colours.

    Blur lowers it, and noise raises it. The border repeats its pixels.
    """
    levels = grey_levels(images)
    down = levels.diff(dim=2, append=levels[:, :, -1:])
    right = levels.diff(dim=3, append=levels[:, :, :, -1:])
    return (down.square() + right.square()).mean(dim=1)


def ssim_map(images: Images, truth: Images) -> Map:
    """Return the structural similarity (Wang et al. 2004) at every pixel, averaged over the three colours.

    The window is a Gaussian of 11 px and sigma 1.5. Images are reflected at their borders.
    """
    x, y = grey_levels(images), grey_levels(truth)
    rows, columns = (_smoothing(n).to(x) for n in x.shape[-2:])

    def smooth(values: Tensor) -> Tensor:
        return rows.mT @ values @ columns

    mean_x, mean_y = smooth(x), smooth(y)
    var_x, var_y = smooth(x * x) - mean_x**2, smooth(y * y) - mean_y**2
    covariance = smooth(x * y) - mean_x * mean_y
    c1, c2 = STABILITY
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    structure = (2 * covariance + c2) / (var_x.clamp(min=0) + var_y.clamp(min=0) + c2)
    return (luminance * structure).mean(dim=1)


def _smoothing(n: int) -> Float[Tensor, "{n} {n}"]:
    """Return the matrix that smooths a line of n pixels with the Gaussian window."""
    offsets = torch.arange(WINDOW_PX, dtype=torch.float64) - WINDOW_PX // 2
    window = torch.exp(-0.5 * (offsets / SIGMA_PX) ** 2)
    rim = (WINDOW_PX // 2, WINDOW_PX // 2)
    each = functional.pad(torch.eye(n, dtype=torch.float64)[None], rim, mode="reflect")[0]
    return each.unfold(1, WINDOW_PX, 1) @ (window / window.sum())
