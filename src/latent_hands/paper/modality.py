"""The observed variables x, x^, y1, y2, ..: their shapes, units and Gaussian likelihoods."""

import math
from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from latent_hands.errors import HandsError, did_you_mean
from latent_hands.pixels import GREY_LEVELS

Batch = dict[str, Tensor]


@dataclass(frozen=True)
class Modality:
    """One observed variable.

    Attributes:
        name: its key in a batch.
        kind: "image" (values in [-1, 1]), "points" (in bone lengths) or "matrix" (a rotation, 9 numbers).
        shape: of one sample; None stands for the image's side, which the experiment chooses.
        unit: factor from network values to the unit in which errors are squared (grey levels for images).
        sigma: the resolution, in that unit, at which the `balanced` preset codes this modality.
    """

    name: str
    kind: Literal["image", "points", "matrix"]
    shape: tuple[int | None, ...]
    unit: float
    sigma: float

    @property
    def is_image(self) -> bool:
        """Whether convolutions, not fully connected layers, read and write it."""
        return self.kind == "image"

    @property
    def channels(self) -> int:
        """Of an image."""
        return self.sizes[0]

    @property
    def sizes(self) -> tuple[int, ...]:
        """The shape without the image's side."""
        return tuple(size for size in self.shape if size is not None)

    @property
    def numbers(self) -> int:
        """How many numbers one sample has, where the experiment does not choose."""
        return math.prod(self.sizes)

    def log_likelihood(
        self, truth: Float[Tensor, "batch *shape"], prediction: Float[Tensor, "batch *shape"]
    ) -> Float[Tensor, " batch"]:
        """log p(truth | z) of a Gaussian of unit variance, without its constant: -1/2 sum of squared errors.

        The sum runs over all dimensions, in grey levels (images), bone lengths (points) or matrix entries.
        """
        error = self.unit * (truth.float() - prediction.float())
        return -0.5 * error.square().flatten(1).sum(dim=1)


MODALITIES = {
    modality.name: modality
    for modality in (
        Modality("rgb", "image", (3, None, None), GREY_LEVELS, 10.0),
        Modality("tag", "image", (3, None, None), GREY_LEVELS, 10.0),
        Modality("identity_tag", "image", (3, None, None), GREY_LEVELS, 10.0),
        Modality("background_tag", "image", (3, None, None), GREY_LEVELS, 10.0),
        Modality("depth", "image", (1, None, None), GREY_LEVELS, 10.0),
        Modality("pose", "points", (21, 3), 1.0, 0.1),
        Modality("cpose", "points", (21, 3), 1.0, 0.1),
        Modality("viewpoint", "matrix", (3, 3), 1.0, 0.1),
    )
}


def modality(name: str) -> Modality:
    """The modality of that name; HandsError if there is none."""
    if name not in MODALITIES:
        raise HandsError(f'unknown modality "{name}"; {did_you_mean(name, MODALITIES)}')
    return MODALITIES[name]
