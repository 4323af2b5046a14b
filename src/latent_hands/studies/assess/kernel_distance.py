"""How far a set of images is from true ones, without comparing image by image: KID and diversity.

Both compare images of different blocks only. Images of one block share people and places, so pairs of them
would not be independent.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import interpolate

from latent_hands.evaluation.metrics import resampled_counts
from latent_hands.networks.efficientnet import EfficientNetLite0
from latent_hands.studies.assess.image_quality import PART, Images
from latent_hands.studies.assess.intervals import Blocks, stated

PX = 128
"""Side to which images are resized, so that all layers have enough pixels."""
HALVINGS = 200
"""Random halvings of the true images, for the noise floor."""
Features = Float[Tensor, "n features"]


class FeatureReader:
    """Read the 1,280 pooled features of EfficientNet-Lite0, trained on ImageNet.

    Raises HandsError if the package that contains the weights is missing (extra `imagenet`).
    """

    def __init__(self, device: str | torch.device = "cpu"):
        network = EfficientNetLite0(1).pretrained()
        self.layers = nn.Sequential(network.fixed, network.blocks, network.features).eval().to(device)
        self.device = device

    @torch.inference_mode()
    def read(self, images: Images) -> Features:
        """Return the features of many images in double precision, a part at a time."""
        parts = [self._read(part.to(self.device)).cpu().double() for part in images.split(PART)]
        return torch.cat(parts)

    def _read(self, images: Images) -> Features:
        images = interpolate(images, (PX, PX), mode="bilinear", antialias=True)
        return self.layers(images).mean(dim=(2, 3))


def kernel(x: Features, y: Features) -> Float[Tensor, "n m"]:
    """Return the polynomial kernel of KID (Binkowski et al. 2018): (x y / features + 1)^3."""
    return (x @ y.T / x.shape[1] + 1) ** 3


class BlockPairs:
    """Means over all pairs of images of different blocks, for each row of the bootstrap weights."""

    def __init__(self, blocks: Blocks):
        _, number = blocks.cpu().unique(return_inverse=True)
        self.members = nn.functional.one_hot(number).double()
        first = self.members.argmax(dim=0)
        self.weights = resampled_counts(blocks)[:, first].double()
        self.counts = self._sums(torch.ones(len(number), len(number), dtype=torch.float64))

    def _sums(self, values: Float[Tensor, "n n"]) -> Float[Tensor, "b b"]:
        """Return the sum over the pairs of each two blocks, 0 for a block with itself."""
        sums = self.members.T @ values @ self.members
        return sums.fill_diagonal_(0)

    def mean(
        self, values: Float[Tensor, "n n"], w: Float[Tensor, "rows b"], v: Float[Tensor, "rows b"]
    ) -> Float[Tensor, " rows"]:
        """Return the mean of values[i, j]; the weights of the blocks of i are `w`, those of j are `v`."""
        above, below = ((w @ each * v).sum(dim=1) for each in (self._sums(values), self.counts))
        return above / below

    def distance(self, x: Features, y: Features) -> Float[Tensor, " rows"]:
        """Return the squared maximum mean discrepancy of two sets; unbiased, so it may be negative."""
        w = self.weights
        within = self.mean(kernel(x, x), w, w) + self.mean(kernel(y, y), w, w)
        return within - 2 * self.mean(kernel(x, y), w, w)

    def spread(self, x: Features) -> Float[Tensor, " rows"]:
        """Return the mean distance between two images."""
        return self.mean(torch.cdist(x, x), self.weights, self.weights)

    def floor(self, truth: Features) -> float:
        """Return the root mean square of KID between two random halves of the blocks of the true images."""
        count = self.members.shape[1]
        ranks = torch.rand(HALVINGS, count, generator=torch.Generator().manual_seed(0)).argsort(dim=1)
        w = (ranks < count // 2).double()
        v, k = 1 - w, kernel(truth, truth)
        found = self.mean(k, w, w) + self.mean(k, v, v) - 2 * self.mean(k, w, v)
        return found.square().mean().sqrt().item()


def realism(images: Features, truth: Features, blocks: Blocks) -> dict[str, Any]:
    """Return `kid` and `diversity` of images, with 95 % intervals.

    `kid` is the kernel distance between the images and the true ones. `diversity` is the mean distance of two
    images over that of two true images.
    """
    pairs = BlockPairs(blocks)
    return stated("kid", pairs.distance(images, truth)) | stated(
        "diversity", pairs.spread(images) / pairs.spread(truth)
    )


def noise_floor(truth: Features, blocks: Blocks) -> dict[str, Any]:
    """Return `kid_floor`: how large KID is by chance between two halves of the true images.

    It is None for fewer than four blocks.
    """
    pairs = BlockPairs(blocks)
    enough = pairs.members.shape[1] >= 4
    return {"kid_floor": pairs.floor(truth) if enough else None}
