"""The observed variables x, x^, y_1, .., y_N: their shapes and likelihoods p(m | z)."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

Batch = dict[str, Tensor]
"""Observed values by modality name. What no sample has is an absent key; what some samples lack is NaN."""
Likelihood = Callable[[Tensor, Tensor], Tensor]
"""(ground truth, decoder output), both (batch, ...) -> log p(m | z) for each sample, (batch,)."""


@dataclass(frozen=True)
class UnitGaussian:
    """log p(m | z) of a Gaussian of unit variance around the decoder output, without its constant:

    -1/2 sum_d (unit * (truth_d - prediction_d))^2

    Attributes:
        unit: factor from network values to the unit in which errors are squared.
    """

    unit: float = 1.0

    def __call__(
        self, truth: Float[Tensor, "batch *shape"], prediction: Float[Tensor, "batch *shape"]
    ) -> Float[Tensor, " batch"]:
        """Return the log-likelihood of each sample, summed over all dimensions."""
        error = self.unit * (truth.float() - prediction.float())
        return -0.5 * error.square().flatten(1).sum(dim=1)


def bernoulli(
    truth: Float[Tensor, "batch *shape"], logits: Float[Tensor, "batch *shape"]
) -> Float[Tensor, " batch"]:
    """Return log p(m | z) of numbers 0 and 1, whose decoder output is the log-odds of 1."""
    loss = binary_cross_entropy_with_logits(logits.float(), truth.float(), reduction="none")
    return -loss.flatten(1).sum(dim=1)


@dataclass(frozen=True)
class Modality:
    """One observed variable.

    Attributes:
        name: its key in a batch.
        kind: "image" (values in [-1, 1]), "points" (in bone lengths), "matrix" (a rotation, 9 numbers)
            or "vector" (anything else).
        shape: shape of one sample. None stands for the image side, which the experiment chooses.
        sigma: resolution to which the preset "balanced" codes this modality, in the likelihood's unit.
        likelihood: log p(m | z).
    """

    name: str
    kind: Literal["image", "points", "matrix", "vector"]
    shape: tuple[int | None, ...]
    sigma: float
    likelihood: Likelihood = field(default_factory=UnitGaussian)

    @property
    def is_image(self) -> bool:
        """Return whether convolutional networks read and write this modality."""
        return self.kind == "image"

    @property
    def channels(self) -> int:
        """Return the number of channels of an image."""
        return self.sizes[0]

    @property
    def sizes(self) -> tuple[int, ...]:
        """Return the shape of one sample without the image side."""
        return tuple(size for size in self.shape if size is not None)

    @property
    def numbers(self) -> int:
        """Return how many numbers describe one sample (for an image: one pixel)."""
        return math.prod(self.sizes)
