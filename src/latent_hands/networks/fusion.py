"""Networks for inference: BatchNorm folded into the convolution before it, and no discarded pixels."""

import copy
from collections.abc import Callable, Mapping
from typing import TypeVar

import torch
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

    The result is equal up to rounding. Its weights have no gradient. Those of other parts share the memory of
    the given ones, as in `sharing`.
    """
    return fuse(sharing(network))


def sharing(network: Network) -> Network:
    """Return a copy with modules and parameters of its own, whose numbers share the memory of the given ones.

    The copy can be given another type or device, and the given network stays as it is.
    """
    other = copy.copy(network)
    own = {name: copy.copy(each) for name, each in vars(network).items() if isinstance(each, dict)}
    own["_parameters"] = {
        name: each if each is None else nn.Parameter(each.detach(), each.requires_grad)
        for name, each in network._parameters.items()
    }
    own["_modules"] = {
        name: each if each is None else sharing(each) for name, each in network._modules.items()
    }
    vars(other).update(own)
    return other


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


@torch.no_grad()
def unfuse(network: nn.Module, weights: Mapping[str, Tensor], run: Callable[[], object]) -> None:
    """Load the weights of a fused network into one that can learn on.

    In evaluation mode `network` then equals the fused one. The statistics of each BatchNorm are those of its
    input while `run` calls the network, so that training begins where the fused network stands.

    Raises KeyError if a weight is missing, and RuntimeError if one has another shape.
    """
    hooks = []
    layers = {name: part for name, part in network.named_modules() if is_layer(part)}
    for name, part in layers.items():
        conv, stride, norm, _ = part.children()
        own = f"{name}.0.conv" if isinstance(stride, EverySecond) else f"{name}.0"
        assert isinstance(conv, nn.Conv2d)
        assert isinstance(norm, nn.BatchNorm2d)
        conv.weight.copy_(weights[f"{own}.weight"])
        norm.bias.copy_(weights[f"{own}.bias"])
        hooks.append(norm.register_forward_pre_hook(_adopt))
    for name, tensor in network.state_dict().items():
        if not any(name.startswith(f"{each}.") for each in layers):
            tensor.copy_(weights[name])
    network.eval()
    run()
    for hook in hooks:
        hook.remove()


def _adopt(norm: nn.Module, inputs: tuple[Tensor]) -> None:
    """Set the statistics of BatchNorm to those of its input, and its output to input + bias."""
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    variance, mean = torch.var_mean(inputs[0].float(), dim=(0, 2, 3), correction=0)
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(variance)
    norm.weight.copy_((variance + norm.eps).sqrt())
    norm.bias.add_(mean)


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
