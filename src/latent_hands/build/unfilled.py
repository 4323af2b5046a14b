"""Graphs without random weights: for weights that are loaded, and for sizes that are only counted."""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

_FILLING = (
    *(Tensor.normal_, Tensor.uniform_),
    *(nn.init.normal_, nn.init.uniform_, nn.init.kaiming_uniform_),  # these pass on themselves
)


class Unfilled(TorchFunctionMode):
    """Leave parameters without their random start.

    Random numbers take a tenth of a second, and on the device "meta" they import PyTorch's compiler, which
    takes seconds.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Call a function of PyTorch, unless it fills a tensor with random numbers."""
        kwargs = kwargs or {}
        return (args or tuple(kwargs.values()))[0] if func in _FILLING else func(*args, **kwargs)
