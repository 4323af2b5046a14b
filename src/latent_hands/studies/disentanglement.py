"""Standard scores of disentanglement for a latent of one's own."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from latent_hands.errors import HandsError

LEAST_IMAGES, LEAST_BLOCKS = 40, 4


def disentanglement_scores(
    latent: Mapping[str, ArrayLike],
    properties: Mapping[str, ArrayLike],
    blocks: ArrayLike | Sequence[int] | Sequence[str] | None = None,
) -> dict[str, Any]:
    """Score how well the factors of a latent separate properties of its images: DCI, SAP and MIG.

    The latent may be of any model. Each half of the blocks teaches the probes that read the other half, so a
    thousand images or more give steady numbers. docs/assess.md#latents defines the scores.

    Args:
        latent: for each factor, its values (n, d) for n images, such as posterior means.
        properties: for each property, its numbers (n, k) or (n,). Parts "A/B" of a property A count as one
            in DCI and SAP.
        blocks: (n,) the block of each image, as a whole number or a name such as `Sample.block`. Images of
            one person or one scene are one block. Without them, each image is a block of its own.

    Returns:
        r2: {property: {factor: share of its variance that a probe reads from the factor}}.
        by_factor: disentanglement, completeness and informativeness (DCI), and SAP, each from 0 to 1, with
            95 % intervals; informativeness is below 0 where a probe is worse than the mean.
        by_dimension: disentanglement, completeness, SAP and MIG, with each dimension as a unit.

    Raises HandsError if nothing is given, if the numbers of images differ or are below 40, for values that
    are not finite, for a property that is constant, and for fewer than 4 blocks.

    >>> import numpy as np
    >>> import latent_hands as lh
    >>> pose, light = np.random.default_rng(0).normal(size=(2, 200, 3))
    >>> scores = lh.disentanglement_scores({"z_1": 2 * pose, "z_2": light}, {"pose": pose, "light": light})
    >>> scores["by_factor"]["completeness"] > 0.9
    True
    """
    from latent_hands.studies.assess.standard_scores import standard_scores

    for what, given in (("latent", latent), ("properties", properties)):
        if not isinstance(given, Mapping):
            raise HandsError(f"{what} must be arrays by name, not a {type(given).__name__}")
        if other := [name for name in given if not isinstance(name, str)]:
            raise HandsError(f"{what} has the name {other[0]!r}; names must be texts")
    z = {name: _values(value, f'latent "{name}"') for name, value in latent.items()}
    numbers = {name: _values(value, f'property "{name}"') for name, value in properties.items()}
    for what, given in (("factors of the latent", z), ("properties", numbers)):
        if not given:
            raise HandsError(f"no {what} are given; give one or more")
    counts = {name: len(values) for name, values in (z | numbers).items()}
    if len(set(counts.values())) > 1:
        raise HandsError(f"the numbers of images differ: {counts}; give the same images in the same order")
    count = next(iter(counts.values()))
    if count < LEAST_IMAGES:
        raise HandsError(f"{count} images are given; scores need {LEAST_IMAGES} or more")
    for name, values in numbers.items():
        if not (values.std(dim=0) > 0).any():
            raise HandsError(f'property "{name}" is the same in all images: leave it out')
    return standard_scores(z, numbers, _blocks(blocks, count))


def _values(values: ArrayLike, what: str) -> Tensor:
    """Return values as (n, d). Raises HandsError for other shapes, and for values that are not finite."""
    try:
        array = np.asarray(values.detach().cpu() if isinstance(values, Tensor) else values, np.float32)
    except (TypeError, ValueError) as error:
        raise HandsError(f"{what} is not an array of numbers: {error}") from error
    if array.ndim not in (1, 2) or array.size == 0:
        raise HandsError(f"{what} has the shape {array.shape}; it must be (images, numbers)")
    if not np.isfinite(array).all():
        raise HandsError(f"{what} contains NaN or infinity; all values must be finite")
    return torch.from_numpy(array.reshape(len(array), -1).copy())


def _blocks(blocks: ArrayLike | Sequence[int] | Sequence[str] | None, count: int) -> Tensor:
    if blocks is None:
        return torch.arange(count)
    array = np.asarray(blocks)
    if array.shape != (count,) or array.dtype.kind not in "iuU":
        form = f"it must be {count} whole numbers or names"
        raise HandsError(f"blocks has the shape {array.shape} and the type {array.dtype}; {form}")
    names, numbers = np.unique(array, return_inverse=True)
    if (number := len(names)) < LEAST_BLOCKS:
        raise HandsError(
            f"the number of blocks is {number}; give {LEAST_BLOCKS} or more, such as one for each scene"
        )
    return torch.from_numpy((numbers if array.dtype.kind == "U" else array).astype(np.int64))
