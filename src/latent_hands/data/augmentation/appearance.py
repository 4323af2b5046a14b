"""Changes of appearance as cameras make them: resolution, colour, blur, noise. Images are in -1..1."""

import math

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn.functional import conv2d, interpolate

from latent_hands.hand import camera
from latent_hands.pixels import GREY_LEVELS

_LUMA = (0.299, 0.587, 0.114)  # Rec. 601
_SOFT_PX, _SOFT_NOISE = (0.3, 1.2), 0.04
_BYTE_STD = math.sqrt((256**2 - 1) / 12)  # standard deviation of uniform integers in -128..127


def resample(
    images: UInt8[Tensor, "batch 3 h h"], W: Float[Tensor, "batch 3 3"], out_px: int, resolution: float = 1.0
) -> Float[Tensor, "batch 3 {out_px} {out_px}"]:
    """Return the warped images as taken by a sensor with `resolution` (0..1] of the pixels a side."""
    full_px = images.shape[-1]
    coarse_px = max(1, round(full_px * resolution))
    if coarse_px < full_px:
        images = images if images.device.type == "cpu" else images.float()  # only the CPU can average bytes
        images = interpolate(images, size=(coarse_px, coarse_px), mode="bilinear", antialias=True)
        middle = W.new_full((len(W), 2), (coarse_px - 1) / 2)
        W = W @ camera.warp_matrix(middle, float(coarse_px), full_px)
    return camera.warp_images(images.float().sub_(GREY_LEVELS).div_(GREY_LEVELS), W, out_px)


def colour_matrix(
    contrast: Float[Tensor, " batch"], hue_turns: Float[Tensor, " batch"], saturation: Float[Tensor, " batch"]
) -> Float[Tensor, "batch 3 3"]:
    """Return linear changes of colour: rotation about the grey axis, then saturation, then contrast.

    `hue_turns` is in turns. `saturation` scales the distance from luma and `contrast` the distance from
    mid-grey; 1 changes nothing.
    """
    angle = (2 * math.pi * hue_turns)[:, None, None]
    grey = torch.full((3, 3), 1 / 3).to(angle)
    cross = torch.tensor([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]]).to(angle) / math.sqrt(3)
    hue = grey + angle.cos() * (torch.eye(3).to(angle) - grey) + angle.sin() * cross  # Rodrigues
    luma = torch.tensor(_LUMA).to(angle).expand(3, 3)
    return contrast[:, None, None] * torch.lerp(luma.expand_as(hue), hue, saturation[:, None, None])


def recolour(
    images: Float[Tensor, "batch 3 h w"], matrix: Float[Tensor, "batch 3 3"], offset: Float[Tensor, " batch"]
) -> Float[Tensor, "batch 3 h w"]:
    """Return the images with every colour c replaced by matrix c + offset."""
    return torch.baddbmm(offset[:, None, None], matrix, images.flatten(2)).view_as(images)


def blur(
    images: Float[Tensor, "batch 3 h w"], sigma_px: Float[Tensor, " batch"], largest_px: float
) -> Float[Tensor, "batch 3 h w"]:
    """Blur each image by a Gaussian of its own sigma, at most `largest_px`. The border is repeated."""
    radius = math.ceil(2 * largest_px)
    taps = torch.arange(-radius, radius + 1, device=images.device, dtype=images.dtype)
    kernel = (-0.5 * (taps / sigma_px.clamp(min=1e-3)[:, None]).square()).softmax(dim=1)
    kernel = kernel.repeat_interleave(3, dim=0)[:, None, None]
    planes = _bordered(images, radius).flatten(0, 1)[None]
    groups = planes.shape[1]
    return conv2d(conv2d(planes, kernel, groups=groups), kernel.mT, groups=groups).view_as(images)


def soften(
    images: Float[Tensor, "batch 3 h w"], generator: torch.Generator | None = None
) -> Float[Tensor, "batch 3 h w"]:
    """Blur each image and add noise, by random amounts of its own, so that fine patterns are lost."""
    draw = torch.rand(2, len(images), generator=generator, device=images.device)
    low, high = _SOFT_PX
    blurred = blur(images, low + (high - low) * draw[0], high)
    noise = torch.randn(images.shape, generator=generator, device=images.device)
    return blurred + _SOFT_NOISE * draw[1, :, None, None, None] * noise


def byte_noise(
    images: Float[Tensor, "batch 3 h w"], generator: torch.Generator
) -> Float[Tensor, "batch 3 h w"]:
    """Return uniform white noise of standard deviation 1. Each random number gives eight values."""
    words = torch.empty((images.numel() + 7) // 8, dtype=torch.int64, device=images.device)
    words.random_(-(2**63), None, generator=generator)
    return words.view(torch.int8)[: images.numel()].view(images.shape).to(images.dtype) / _BYTE_STD


def _bordered(images: Float[Tensor, "batch c h w"], px: int) -> Float[Tensor, "batch c _ _"]:
    """Repeat the border on all sides. Unlike torch's `pad`, its gradient is deterministic on a GPU."""
    for dim in (2, 3):
        first, last = images.narrow(dim, 0, 1), images.narrow(dim, images.shape[dim] - 1, 1)
        shape = [px if d == dim else -1 for d in range(4)]
        images = torch.cat([first.expand(shape), images, last.expand(shape)], dim=dim)
    return images
