"""The content of a rendered scene as numbers: what a transfer must keep of the scene."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from latent_hands.data.sample import Sample
from latent_hands.errors import BROKEN, HandsError

GROUPS = {
    "identity": slice(0, 12),
    "skin": slice(12, 14),
    "light": slice(14, 17),
    "background": slice(17, 19),
}
"""Generating factor -> its numbers: the shape of the hand; melanin and blood; the tint; gain and blur."""
NUMBERS = 19


def content_of(samples: Sequence[Sample]) -> Float[Tensor, "n 19"]:
    """Return the content of each image, in the order of GROUPS.

    Raises HandsError for an image that has no factors of its scene.
    """
    return torch.tensor([_numbers(sample) for sample in samples])


def _numbers(sample: Sample) -> list[float]:
    factors: dict[str, Any] = sample.factors or {}
    try:
        skin, light, background = (factors["look"][part] for part in ("skin", "light", "background"))
        values = [*factors["identity"], skin["melanin"], skin["blood"], *light["tint"]]
        numbers = [float(value) for value in (*values, background["gain"], background["blur"])]
    except BROKEN as error:
        raise HandsError(
            f"{sample.image} has no factors of its scene ({error!r}); use a set that "
            "`latent-hands render` wrote"
        ) from error
    if len(numbers) != NUMBERS or not all(map(math.isfinite, numbers)):
        raise HandsError(
            f"{sample.image} has {len(numbers)} numbers of its scene; there must be {NUMBERS} finite numbers"
        )
    return numbers
