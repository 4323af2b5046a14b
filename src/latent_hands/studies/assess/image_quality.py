"""How far an image is from its truth: PSNR and SSIM, over the whole or over a region.

Images are compared as they are kept: 8-bit RGB, 0..255.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from latent_hands.pixels import to_bytes

LARGEST_DB = 100.0
"""PSNR of equal images, so that a mean over images stays finite."""
WINDOW_PX, SIGMA_PX, STABILITY = 11, 1.5, ((0.01 * 255) ** 2, (0.03 * 255) ** 2)
Images = Float[Tensor, "n 3 height width"]
Map = Float[Tensor, "n height width"]
Region = Bool[Tensor, "n height width"]


def grey_levels(images: Images) -> Images:
    """From [-1, 1] to the whole numbers 0..255 that a file would hold, double precision."""
    return to_bytes(images.double()).double()


def mean_over(values: Map, region: Region) -> Float[Tensor, " n"]:
    """The mean over a region of each image; NaN where the region is empty."""
    return (values * region).sum(dim=(1, 2)) / region.sum(dim=(1, 2))


def squared_errors(made: Images, truth: Images) -> Map:
    """Squared differences in grey levels, averaged over the three colours."""
    return (grey_levels(made) - grey_levels(truth)).square().mean(dim=1)


def psnr_db(mean_squared_error: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """10 log10(255^2 / mean squared error), at most LARGEST_DB."""
    return (10 * torch.log10(255**2 / mean_squared_error)).clamp(max=LARGEST_DB)


def ssim_map(made: Images, truth: Images) -> Map:
    """Structural similarity (Wang et al. 2004) at every pixel, averaged over the three colours.

    The window is a Gaussian of 11 px and sigma 1.5; images are reflected at their borders.
    """
    x, y = grey_levels(made), grey_levels(truth)
    rows, columns = (_smoothing(n).to(x) for n in x.shape[-2:])

    def smooth(images: Tensor) -> Tensor:
        return rows.mT @ images @ columns

    mean_x, mean_y = smooth(x), smooth(y)
    var_x, var_y = smooth(x * x) - mean_x**2, smooth(y * y) - mean_y**2
    covariance = smooth(x * y) - mean_x * mean_y
    c1, c2 = STABILITY
    light = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    structure = (2 * covariance + c2) / (var_x.clamp(min=0) + var_y.clamp(min=0) + c2)
    return (light * structure).mean(dim=1)


def _smoothing(n: int) -> Float[Tensor, "{n} {n}"]:
    """What each of n pixels in a line gives to each, by the Gaussian window."""
    offsets = torch.arange(WINDOW_PX, dtype=torch.float64) - WINDOW_PX // 2
    window = torch.exp(-0.5 * (offsets / SIGMA_PX) ** 2)
    rim = (WINDOW_PX // 2, WINDOW_PX // 2)
    each = functional.pad(torch.eye(n, dtype=torch.float64)[None], rim, mode="reflect")[0]
    return each.unfold(1, WINDOW_PX, 1) @ (window / window.sum())
