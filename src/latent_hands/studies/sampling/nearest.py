"""The nearest given image of each image: a copy of a training image would be seen."""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn.functional import interpolate

from latent_hands.pixels import GREY_LEVELS

MOST_PX = 64
"""Side to which larger images are resized before their pixels are compared."""


@dataclass(frozen=True)
class Nearest:
    """The nearest given image of each image.

    index: its number among the given images.
    distance: the distance to it.
    between_given: the distance of each given image to the nearest one of another scene.
    """

    index: Int64[Tensor, " n"]
    distance: Float[Tensor, " n"]
    between_given: Float[Tensor, " m"]

    def to_json(self, names: tuple[str, ...]) -> dict[str, Any]:
        """Return the names of the nearest images, the distances, and the medians of both distances."""
        return {
            "names": [names[i] for i in self.index.tolist()],
            "distances": [round(d, 4) for d in self.distance.tolist()],
            "median": round(float(self.distance.median()), 4),
            "smallest": round(float(self.distance.min()), 4),
            "median_between_given": round(float(self.between_given.median()), 4),
            "smallest_between_given": round(float(self.between_given.min()), 4),
        }


def nearest(images: Float[Tensor, "n d"], given: Float[Tensor, "m d"], block: Int64[Tensor, " m"]) -> Nearest:
    """Find the nearest given vector of each vector, by the Euclidean distance over sqrt(d).

    `block` numbers the scenes of the given vectors. The distance between given vectors is infinite if all
    are of one scene.
    """
    scale = images.shape[1] ** 0.5
    distance, index = (torch.cdist(images, given) / scale).min(dim=1)
    among = torch.cdist(given, given) / scale
    among[block[:, None] == block] = torch.inf
    return Nearest(index, distance, among.amin(dim=1))


def pixel_vectors(images: Float[Tensor, "n 3 px px"]) -> Float[Tensor, "n d"]:
    """Return images as vectors of grey levels, of at most 64 pixels a side."""
    if images.shape[-1] > MOST_PX:
        images = interpolate(images, (MOST_PX, MOST_PX), mode="bilinear", antialias=True)
    return images.flatten(1) * GREY_LEVELS
