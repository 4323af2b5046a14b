"""Pixel values: bytes from 0 to 255 in files and windows, numbers from -1 to 1 in networks."""

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

GREY_LEVELS = 127.5
"""Grey levels of a byte for each unit of a network's value."""


def from_bytes(images: UInt8[Tensor, "*batch c h w"]) -> Float[Tensor, "*batch c h w"]:
    """Convert bytes to numbers from -1 to 1."""
    return images.float() / GREY_LEVELS - 1


def to_bytes(images: Float[Tensor, "*batch c h w"]) -> UInt8[Tensor, "*batch c h w"]:
    """Convert numbers from -1 to 1 to bytes; values outside that range are clamped."""
    return ((images + 1) * GREY_LEVELS).round().clamp(0, 255).to(torch.uint8)


def to_images(images: Float[Tensor, "batch 3 height width"]) -> list[UInt8[np.ndarray, "height width 3"]]:
    """Convert a network's colour images, numbers from -1 to 1, to one array of bytes each."""
    return list(to_bytes(images.detach().cpu()).permute(0, 2, 3, 1).numpy())
