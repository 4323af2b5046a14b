"""Networks for inference on a CPU: weights in the layout of the kernels, nonlinearities inside the kernels.

PyTorch reorders the weights of a convolution at every call. For a batch of one, that takes half of the time.
"""

import copy
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import pad

from latent_hands.networks.fusion import StridedConv
from latent_hands.networks.mlp import MLP

Network = TypeVar("Network", bound=nn.Module)
Call = Callable[[Tensor], Tensor]
Size = tuple[int, int]
MOST_SIZES = 4
"""Sizes of images for which a layer keeps its packed weights."""
KEPT_BYTES = 31 << 20
"""Freed blocks below this size stay with the process. It is the most that glibc accepts."""


class PackedLayer(nn.Module):
    """A convolution and ReLU6 or nothing, for inference on a CPU.

    Args:
        conv: the convolution, of stride 1, or one of stride 2 as in `fusion`.
        bounded: whether ReLU6 follows.
    """

    def __init__(self, conv: nn.Conv2d | StridedConv, bounded: bool):
        super().__init__()
        plain = conv.conv if isinstance(conv, StridedConv) else conv
        strided = isinstance(conv, StridedConv)
        # A kernel with a row and a column of zeros in front makes the padding of stride 2 symmetric.
        self.weight = nn.Parameter(pad(plain.weight.detach(), (1, 0, 1, 0)) if strided else plain.weight)
        self.bias = plain.bias
        self.padding, self.stride, self.groups = plain.kernel_size[0] // 2, plain.stride[0], plain.groups
        self.bounded = bounded
        self._calls: dict[Size, Call] = {}

    def forward(self, x: Float[Tensor, "batch c h w"]) -> Float[Tensor, "batch _ _ _"]:
        """Return the layer's output in the type of its weights."""
        size = x.shape[2], x.shape[3]
        if (call := self._calls.get(size)) is None:
            if len(self._calls) == MOST_SIZES:
                self._calls.clear()
            call = self._calls[size] = self._prepared(x.shape)
        return call(x)

    def _prepared(self, shape: torch.Size) -> Call:
        """Return the layer as a function.

        Weights are packed for one size of images. With those of another size, a layer takes up to a hundred
        times as long.
        """
        options = ([self.padding] * 2, [self.stride] * 2, [1, 1], self.groups)
        plain = self.weight.detach().to_mkldnn()
        weight = torch.ops.aten.mkldnn_reorder_conv2d_weight(plain, *options, list(shape))
        after = ("hardtanh", [0.0, 6.0], "") if self.bounded else ("none", [], "")
        bias = None if self.bias is None else self.bias.detach()
        return _function(
            torch.ops.mkldnn._convolution_pointwise.default, self.weight.dtype, weight, bias, *options, *after
        )

    def __getstate__(self) -> dict[str, Any]:
        """Return the state without packed weights, which cannot be copied."""
        return {**self.__dict__, "_calls": {}}


class PackedLinear(nn.Module):
    """A Linear layer and ReLU or nothing, for inference on a CPU.

    Args:
        linear: the layer.
        bounded: whether ReLU follows.
        dtype: type of the computation and of the output.
    """

    def __init__(self, linear: nn.Linear, bounded: bool, dtype: torch.dtype):
        super().__init__()
        self.weight, self.bias = (
            nn.Parameter(each.detach().to(dtype)) for each in (linear.weight, linear.bias)
        )
        self.bounded = bounded
        self._call: Call | None = None

    def forward(self, x: Float[Tensor, "batch inputs"]) -> Float[Tensor, "batch _"]:
        """Return the layer's output in the type of its weights."""
        if self._call is None:
            self._call = self._prepared(len(x))
        return self._call(x)

    def _prepared(self, batch: int) -> Call:
        """Return the layer as a function. The layout of its weights depends on the size of the batch."""
        weight, bias = self.weight.detach(), self.bias.detach()
        packed = torch.ops.mkldnn._reorder_linear_weight(weight, batch)
        after = ("relu" if self.bounded else "none", [], "")
        return _function(torch.ops.mkldnn._linear_pointwise.default, weight.dtype, packed, bias, *after)

    def __getstate__(self) -> dict[str, Any]:
        """Return the state without packed weights, which cannot be copied."""
        return {**self.__dict__, "_call": None}


def _function(operation: Callable[..., Tensor], dtype: torch.dtype, *arguments: object) -> Call:
    """Return a function that converts its input to `dtype` and runs an operation with further arguments.

    The layers of small images take less time than reading the attributes of a module at every call.
    """

    def call(x: Tensor) -> Tensor:
        return operation(x if x.dtype == dtype else x.to(dtype), *arguments)

    return call


def packed_mlp(network: MLP, dtype: torch.dtype) -> MLP:
    """Return a copy for inference whose hidden layers compute in `dtype`; the last one stays float32."""
    faster = copy.copy(network)
    faster._modules = dict(network._modules)
    *hidden, last = [each for each in network.layers if isinstance(each, nn.Linear)]
    layers = [PackedLinear(each, True, dtype) for each in hidden]
    faster.layers = nn.Sequential(*layers, PackedLinear(last, False, torch.float32))
    return faster.requires_grad_(False)


def packed(network: Network) -> Network:
    """Replace the layers of a network of `fusion.fused` by packed ones where PyTorch can, and return it.

    The result is equal up to rounding.
    """
    if not torch.backends.mkldnn.is_available():
        return network
    _keep_freed_memory()
    for name, part in list(network.named_modules()):
        match list(part.children()) if isinstance(part, nn.Sequential) else []:
            case [nn.Conv2d() | StridedConv() as conv, nn.ReLU6() | nn.Identity() as nonlinearity]:
                parent, _, own = name.rpartition(".")
                layer = PackedLayer(conv, isinstance(nonlinearity, nn.ReLU6))
                setattr(network.get_submodule(parent), own, layer)
    return network.requires_grad_(False)


def fastest_type(device: torch.device) -> torch.dtype:
    """Return bfloat16 where the device computes with it, float32 elsewhere."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    capable = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    fast = (capable.get("avx512_bf16") or capable.get("amx_bf16")) and torch.backends.mkldnn.is_available()
    return torch.bfloat16 if device.type == "cpu" and fast else torch.float32


def _keep_freed_memory() -> None:
    """Let glibc keep freed memory for the next image.

    It returns large blocks to the system, and the pages of the next ones are then faulted in again: a fifth
    of the time of the detector. It stops after it has freed one large block. No page of the block is used.
    """
    torch.empty(KEPT_BYTES, dtype=torch.uint8)
