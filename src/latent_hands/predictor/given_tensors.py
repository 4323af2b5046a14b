"""Tensors that a user gives: crops, sides and latents."""

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from latent_hands.errors import BROKEN, HandsError, did_you_mean
from latent_hands.paper.latent import Latent

MOST_VALUE = 1.5
"""Pixels of crops are from -1 to 1; augmentation may exceed that. Larger ones have another normalisation."""


def checked_crops(crops: object, channels: int, px: int) -> Float[Tensor, "batch c px px"]:
    """Return crops, those of float64 as float32. Raises HandsError unless they are images in [-1, 1]."""
    form = f"a tensor (batch, {channels}, {px}, {px}) with values from -1 to 1"
    if not isinstance(crops, Tensor):
        raise HandsError(f"crops are a {type(crops).__name__}, but must be {form}")
    if crops.ndim != 4 or crops.shape[1:] != (channels, px, px) or not crops.is_floating_point():
        raise HandsError(f"crops are {crops.dtype} {tuple(crops.shape)}, but must be {form}")
    if not _has_values(crops):
        raise HandsError(f"crops are a sparse tensor or have no values, but must be {form}")
    if crops.numel() and not (most := float(crops.detach().abs().max())) <= MOST_VALUE:
        raise HandsError(f"crops have values up to {most:.3g}, but must be {form}")
    return crops.float() if crops.dtype == torch.float64 else crops


def checked_right(right: object, count: int) -> Bool[Tensor, " batch"]:
    """Return which of `count` hands are right ones. Raises HandsError for anything but as many booleans."""
    try:
        given = torch.as_tensor(right)  # pyright: ignore[reportArgumentType]
    except (*BROKEN, RuntimeError):
        given = torch.empty(0)
    if given.shape != (count,) or not _has_values(given):
        raise HandsError(f"right must be a tensor of {count} booleans, one for each crop, not {_kind(right)}")
    return given


def checked_latent(latent: object, sizes: Mapping[str, int], like: Tensor) -> Latent:
    """Return a latent of some factors as tensors (batch, size), of the type and on the device of `like`.

    Raises HandsError for anything else than a mapping, without factors, for unknown ones, for numbers of
    another shape or that are not finite, and for factors of different batches.
    """
    if not isinstance(latent, Mapping) or not latent:
        kind = "an empty one" if isinstance(latent, Mapping) else f"a {type(latent).__name__}"
        raise HandsError(f"a latent must be a mapping of factors, as latent returns it, not {kind}")
    for name in latent:
        if name not in sizes:
            raise HandsError(f'unknown factor "{name}" of the latent; {did_you_mean(name, sizes)}')
    whole = {name: _factor(z, name, "batch", sizes[name], like) for name, z in latent.items()}
    counts = {name: len(z) for name, z in whole.items()}
    if len(set(counts.values())) > 1:
        raise HandsError(f"the factors of the latent have different numbers of samples: {counts}")
    return whole


def one_sample(latent: Mapping[str, object], sizes: Mapping[str, int], like: Tensor) -> Latent:
    """Return all factors of a latent of one sample. Raises HandsError as `checked_latent` does."""
    for name in sizes:
        if name not in latent:
            given = ", ".join(sorted(map(str, latent)))
            raise HandsError(f'the latent needs "{name}", which is absent; present: {given}')
    return {name: _factor(latent[name], name, 1, size, like) for name, size in sizes.items()}


def _factor(z: object, name: str, count: int | str, size: int, like: Tensor) -> Float[Tensor, "_ _"]:
    try:
        numbers = torch.as_tensor(z)  # pyright: ignore[reportArgumentType]
    except (*BROKEN, RuntimeError):
        numbers = torch.empty(0)
    legal = numbers.ndim == 2 and numbers.shape[1] == size and count in (len(numbers), "batch")
    if not legal or not _has_values(numbers) or not numbers.isfinite().all():
        form = f"a tensor ({count}, {size}) of finite numbers"
        raise HandsError(f'factor "{name}" of the latent is {_kind(z)}, but must be {form}')
    return numbers.to(like)


def _has_values(tensor: Tensor) -> bool:
    return tensor.layout == torch.strided and not tensor.is_meta and not tensor.is_complex()


def _kind(value: object) -> str:
    if isinstance(value, Tensor | np.ndarray):
        return f"{'a tensor' if isinstance(value, Tensor) else 'an array'} {tuple(value.shape)}"
    return f"a {type(value).__name__}"
