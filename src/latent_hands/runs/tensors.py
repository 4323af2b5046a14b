"""Files of weights and other tensors. Loading executes nothing, and what is loaded is checked."""

import math
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from latent_hands.errors import HandsError
from latent_hands.files import sorted_metadata, write_bytes

MAX_BYTES = 4 * 2**30


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str]) -> None:
    """Write a safetensors file, complete or not at all: equal values give equal bytes.

    Raises HandsError if it cannot be written.
    """
    saved = {name: t.detach().cpu().contiguous() for name, t in tensors.items()}
    try:
        write_bytes(
            path, sorted_metadata(save(saved, metadata))
        )  # save_file would leave temporary names of its own
    except (SafetensorError, OSError) as error:
        raise HandsError(f"{path} cannot be written: {getattr(error, 'strerror', None) or error}") from error


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors and the metadata of a safetensors file.

    Raises HandsError if the file is missing, damaged or larger than `MAX_BYTES`.
    """
    if not path.is_file():
        raise HandsError(f"{path} is missing")
    if path.stat().st_size > MAX_BYTES:
        raise HandsError(f"{path} has {path.stat().st_size} bytes; at most {MAX_BYTES} are read")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
        return load_file(path), metadata
    except SafetensorError as error:
        raise HandsError(f"{path} is not a readable safetensors file: {error}") from error


def load_weights(network: nn.Module, state: Mapping[str, Tensor], where: str) -> None:
    """Set the weights of a network.

    Raises HandsError, naming `where`, if they belong to another network, are not finite, or are whole numbers
    instead of floating point or the reverse.
    """
    expected = network.state_dict()
    for name in sorted(expected.keys() ^ state.keys()):
        difference = "lacks" if name in expected else "has the unknown"
        raise HandsError(f"{where} {difference} weight {name}: it belongs to another graph")
    for name, tensor in state.items():
        if tensor.shape != expected[name].shape:
            shapes = f"{tuple(tensor.shape)}, not {tuple(expected[name].shape)}"
            raise HandsError(f"{where}: weight {name} has shape {shapes}: it belongs to another graph")
        own = expected[name].dtype
        if tensor.is_floating_point() != own.is_floating_point:
            raise HandsError(f"{where}: weight {name} is {tensor.dtype}; it must be {own}")
        if not is_finite(_narrowed(tensor, own)):
            raise HandsError(f"{where}: weight {name} has numbers that are not finite in {own}")
    network.load_state_dict(state)


def _narrowed(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """Return a tensor in a type in which its numbers may become infinite, or as it is."""
    return tensor.to(dtype) if tensor.itemsize > dtype.itemsize else tensor


def is_finite(tensor: Tensor) -> bool:
    """Return whether all numbers are real and finite."""
    if tensor.is_complex():
        return False
    if not tensor.is_floating_point() or not tensor.numel():
        return True
    # aminmax takes a fifth of the time of isfinite, has no kernel for 8 bits, and returns NaN where one is.
    least, largest = (tensor.float() if tensor.itemsize == 1 else tensor).aminmax()
    return math.isfinite(least) and math.isfinite(largest)
