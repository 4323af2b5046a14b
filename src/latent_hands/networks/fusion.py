"""Networks for inference: BatchNorm folded into the convolution before it, and no discarded pixels."""

import copy
from typing import TypeVar

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import pad
from torch.nn.utils.fusion import fuse_conv_bn_weights

from latent_hands.networks.efficientnet import EverySecond

Network = TypeVar("Network", bound=nn.Module)


class StridedConv(nn.Module):
    """A convolution of stride 2 that equals `EverySecond` after a convolution of stride 1, at a quarter."""

    def __init__(self, conv: nn.Conv2d):
        super().__init__()
        (kernel, _), half = conv.kernel_size, conv.kernel_size[0] // 2
        self.border = (half - 1, half, half - 1, half)
        self.conv = nn.Conv2d(conv.in_channels, conv.out_channels, kernel, 2, groups=conv.groups)
        self.conv.weight, self.conv.bias = conv.weight, conv.bias

    def forward(self, x: Float[Tensor, "batch c h w"]) -> Float[Tensor, "batch _ _ _"]:
        """Return the convolution at every second pixel."""
        return self.conv(pad(x, self.border))


def fused(network: Network) -> Network:
    """Return a copy for inference of a network made of `efficientnet.layer`, in evaluation mode.

    The result is equal up to rounding. Its weights have no gradient.
    """
    return fuse(copy.deepcopy(network))


def fuse(network: Network) -> Network:
    """Change a network as `fused` does, without a copy, and return it."""
    network.eval()
    for name, part in list(network.named_modules()):
        if is_layer(part):
            parent, _, own = name.rpartition(".")
            setattr(network.get_submodule(parent), own, _fused_layer(part))
    return network.requires_grad_(False)


def is_layer(part: nn.Module) -> bool:
    """Return whether a module is a convolution, its stride, BatchNorm and a nonlinearity."""
    return isinstance(part, nn.Sequential) and len(part) == 4 and isinstance(part[2], nn.BatchNorm2d)


def _fused_layer(part: nn.Module) -> nn.Sequential:
    """Return a layer without its BatchNorm. The convolution of `part` is changed, not copied."""
    conv, stride, norm, nonlinearity = part.children()
    assert isinstance(conv, nn.Conv2d)
    assert isinstance(norm, nn.BatchNorm2d)
    weight = conv.weight.detach()
    if "weight" in dict(conv.named_buffers()):  # `efficientnet.fix` made it a buffer
        del conv.weight
        conv.weight = nn.Parameter(weight)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    moments = (norm.running_mean, norm.running_var, norm.eps)
    conv.weight, conv.bias = fuse_conv_bn_weights(conv.weight, conv.bias, *moments, norm.weight, norm.bias)
    return nn.Sequential(StridedConv(conv) if isinstance(stride, EverySecond) else conv, nonlinearity)
