"""What a rendered image shows besides its pose, as numbers: what a transfer must keep of the scene."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from latent_hands.data.sample import Sample
from latent_hands.errors import HandsError

GROUPS = {
    "identity": slice(0, 12),
    "skin": slice(12, 14),
    "light": slice(14, 17),
    "background": slice(17, 19),
}
"""Generating factor -> its numbers: the hand's shape; melanin, blood; the light's tint; gain, blur."""
NUMBERS = 19


def content_of(samples: Sequence[Sample]) -> Float[Tensor, "n 19"]:
    """The numbers of each image, in the order of GROUPS. Raises HandsError for one that has none."""
    return torch.tensor([_numbers(sample) for sample in samples])


def _numbers(sample: Sample) -> list[float]:
    known: dict[str, Any] = sample.factors or {}
    try:
        skin, light, ground = (known["look"][part] for part in ("skin", "light", "background"))
        told = [*known["identity"], skin["melanin"], skin["blood"], *light["tint"]]
        numbers = [float(number) for number in (*told, ground["gain"], ground["blur"])]
    except (KeyError, TypeError, ValueError) as error:
        raise HandsError(
            f"{sample.image}: no factors of its scene ({error!r}); legal: rendered sets"
        ) from error
    if len(numbers) != NUMBERS or not all(map(math.isfinite, numbers)):
        raise HandsError(f"{sample.image} has {len(numbers)} numbers of its scene; legal: {NUMBERS}, finite")
    return numbers
