"""Adam's moments in the saved state of a training."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.optim import Optimizer

from latent_hands.errors import HandsError

MOMENTS = ("exp_avg", "exp_avg_sq", "step")


def moments_of(optimiser: Optimizer, parameters: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return Adam's moments of named parameters as {"moment/parameter": tensor}."""
    return {
        f"{moment}/{name}": each
        for name, p in parameters.items()
        for moment, each in optimiser.state[p].items()
    }


def restore_moments(
    optimiser: Optimizer, parameters: Mapping[str, Tensor], state: Mapping[str, Tensor]
) -> None:
    """Set Adam's moments of named parameters from a state. A training that has not begun has none.

    Raises HandsError if a moment has another shape than its parameter, or illegal values.
    """
    for name, p in parameters.items():
        for moment in MOMENTS:
            if f"{moment}/{name}" in state:
                each = state[f"{moment}/{name}"].to(p.device)
                _check(moment, name, each, p)
                kept = each.clone() if moment == "step" else torch.empty_like(p).copy_(each)
                optimiser.state[p][moment] = kept


def _check(moment: str, name: str, value: Tensor, parameter: Tensor) -> None:
    shape = () if moment == "step" else parameter.shape
    what = f"the saved state is damaged: {moment} of {name}"
    if value.shape != shape or not value.is_floating_point() or not value.isfinite().all():
        raise HandsError(
            f"{what} is {value.dtype} {tuple(value.shape)}; it must be {tuple(shape)} finite numbers"
        )
    if moment != "exp_avg" and value.numel() and value.min() < 0:
        raise HandsError(f"{what} is {value.min().item():g}; it must be 0 or more")
