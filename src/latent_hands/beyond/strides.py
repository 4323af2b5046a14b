"""Networks with strides see an image through a grid. Decoders must not learn dots at its spacing."""

from types import EllipsisType

import torch
from torch import Tensor

Part = tuple[EllipsisType, slice, slice]


def random_part(image: Tensor, stride: int, generator: torch.Generator | None = None) -> Part:
    """Return the index of a random part of square images, `stride` pixels smaller: it moves the grid."""
    down, right = torch.randint(0, max(stride, 1), (2,), generator=generator, device=image.device).tolist()
    size = image.shape[-1] - stride
    return ..., slice(down, down + size), slice(right, right + size)
