"""Devices: the CPU, or a GPU, if it can be used."""

import re

import torch

from latent_hands.errors import HandsError


def find_device(device: str | torch.device) -> torch.device:
    """Return a device that can be used. Raises HandsError for any other."""
    try:
        return torch.ones(1, device=device).device
    except (RuntimeError, AssertionError, TypeError) as error:  # each backend fails in its own way
        reason = re.split(r"\. |\n", str(error))[0]
        raise HandsError(
            f'device "{device}" cannot be used: {reason}; use "cpu", or "cuda" with a GPU'
        ) from error
