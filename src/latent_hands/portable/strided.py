"""Convolutions of stride 2 as ONNX has them, with more padding behind the image than in front of it."""

import copy
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad

from latent_hands.networks.fusion import StridedConv

Image = Float[Tensor, "batch _ _ _"]


class _PaddedConv(torch.autograd.Function):
    """A convolution whose four borders differ. Torch needs two operations for it, ONNX one."""

    @staticmethod
    def forward(ctx: Any, x: Image, weight: Tensor, bias: Tensor, border: list[int], groups: int) -> Image:
        return conv2d(pad(x, border), weight, bias, 2, groups=groups)

    @staticmethod
    def symbolic(g: Any, x: Any, weight: Any, bias: Any, border: list[int], groups: int) -> Any:
        left, right, top, bottom = border
        pads = [top, left, bottom, right]
        return g.op("Conv", x, weight, bias, pads_i=pads, strides_i=[2, 2], group_i=groups)


class OnnxStridedConv(nn.Module):
    """A `StridedConv` that is exported as one operation.

    Exported as it is, its padding would be an operation of its own. The runtime copies the largest maps of a
    network three times for it, because it keeps their channels in blocks between convolutions only.
    """

    def __init__(self, part: StridedConv):
        super().__init__()
        self.conv, self.border = part.conv, list(part.border)

    def forward(self, x: Image) -> Image:
        """Return the convolution at every second pixel."""
        conv = self.conv
        result = _PaddedConv.apply(x, conv.weight, conv.bias, self.border, conv.groups)
        assert isinstance(result, Tensor)
        return result


def with_onnx_strides(network: nn.Module) -> nn.Module:
    """Return a copy of a network in which every `StridedConv` is exported as one operation."""
    network = copy.deepcopy(network)
    for name, part in list(network.named_modules()):
        if isinstance(part, StridedConv):
            parent, _, own = name.rpartition(".")
            setattr(network.get_submodule(parent), own, OnnxStridedConv(part))
    return network
