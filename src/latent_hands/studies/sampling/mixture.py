"""Mixtures of Gaussians over some factors of the latent, fitted by expectation maximisation.

The latents of poses lie on a curved surface, because viewpoints are rotations. One Gaussian covers much space
beside that surface.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from latent_hands.errors import HandsError, counted
from latent_hands.paper.latent import Latent, Posterior
from latent_hands.studies.sampling.gaussian import LatentGaussian, moments

_LOG = logging.getLogger(__name__)
LATENTS_PER_COMPONENT, MOST_COMPONENTS = 50, 40
ITERATIONS = 40
MOST_NUMBERS = 128
"""The components over latents of more numbers share one covariance: each own one would need more images."""


@dataclass(frozen=True)
class LatentMixture:
    """A mixture of Gaussians over the same factors. `weights` sum to 1."""

    weights: Float[Tensor, " k"]
    components: tuple[LatentGaussian, ...]

    @staticmethod
    def prior(sizes: dict[str, int]) -> "LatentMixture":
        """Return N(0, I), one component."""
        return LatentMixture(torch.ones(1, dtype=torch.float64), (LatentGaussian.prior(sizes),))

    @staticmethod
    def fit(posterior: Posterior, components: int | None = None) -> "LatentMixture":
        """Fit a mixture to the aggregate posterior of some images.

        The posterior means are clustered. The covariance of a component is that of its means, plus the mean
        posterior variances. It is drawn towards the covariance within all components, with the weight of as
        many means as a latent has numbers: so components of few images have a full covariance. For latents
        of more than MOST_NUMBERS numbers, it is the covariance within all components. One component has the
        moments of the aggregate posterior.

        `components` is by default one for each 50 images, 1 .. 40. A warning announces no more images than a
        latent has numbers. Raises HandsError if it is out of range.
        """
        sizes, z, variance = moments(posterior)
        count = max(1, min(MOST_COMPONENTS, len(z) // LATENTS_PER_COMPONENT))
        count = count if components is None else components
        if not 1 <= count <= len(z):
            raise HandsError(
                f"components is {count}; for {counted(len(z), 'image')} it must be 1 .. {len(z)}"
            )
        if len(z) <= z.shape[1]:
            _LOG.warning(
                "latents of %d numbers (%s) are fitted to %s: those that are drawn vary only as these "
                "images do; give more than %d",
                *(z.shape[1], ", ".join(sizes), counted(len(z), "image"), z.shape[1]),
            )
        share = _first_shares(z, count)
        for _ in range(ITERATIONS if count > 1 else 0):
            share = _shares(z, *_components(z, share, variance))
        weights, means, covariances = _components(z, share, variance)
        gaussians = [LatentGaussian(sizes, *each) for each in zip(means, covariances, strict=True)]
        return LatentMixture(weights, tuple(gaussians))

    def draw(self, rngs: Sequence[np.random.Generator]) -> Latent:
        """Return one latent for each generator."""
        limits = self.weights.cumsum(0).numpy()
        place = [min(int(np.searchsorted(limits, rng.random())), len(limits) - 1) for rng in rngs]
        size = len(self.components[0].mean)
        noise = np.stack([rng.standard_normal(size) for rng in rngs])
        drawn = {k: self.components[k].draw(noise[np.array(place) == k]) for k in sorted(set(place))}
        order = torch.tensor([i for k in drawn for i, each in enumerate(place) if each == k]).argsort()
        factors = self.components[0].sizes
        return {factor: torch.cat([part[factor] for part in drawn.values()])[order] for factor in factors}


def _first_shares(z: Float[Tensor, "n d"], count: int) -> Float[Tensor, "n k"]:
    """Assign each latent to the nearest of `count` latents that lie far apart (k-means++, seed 0)."""
    rng = np.random.default_rng(0)
    centres = [z[int(rng.integers(len(z)))]]
    for _ in range(count - 1):
        squared = torch.cdist(z, torch.stack(centres)).amin(dim=1).square()
        chance = (squared + 1e-12) / (squared + 1e-12).sum()
        centres.append(z[int(rng.choice(len(z), p=chance.numpy()))])
    nearest = torch.cdist(z, torch.stack(centres)).argmin(dim=1)
    return torch.nn.functional.one_hot(nearest, count).double()


def _components(
    z: Float[Tensor, "n d"], share: Float[Tensor, "n k"], variance: Float[Tensor, " d"]
) -> tuple[Float[Tensor, " k"], Float[Tensor, "k d"], Float[Tensor, "k d d"]]:
    """Return weights, means and covariances of the components, given the share of each latent in each."""
    mass = share.sum(dim=0) + 1e-9
    mean, d = share.T @ z / mass[:, None], z.shape[1]
    if d > MOST_NUMBERS:
        within = (z.T @ z - mean.T @ (mass[:, None] * mean)) / len(z) + torch.diag(variance)
        return mass / mass.sum(), mean, within.expand(len(mean), d, d)
    scatter = torch.stack([(s[:, None] * (z - m)).T @ (z - m) for s, m in zip(share.T, mean, strict=True)])
    within = scatter.sum(dim=0) / len(z)
    covariance = (scatter + d * within) / (mass + d)[:, None, None] + torch.diag(variance)
    return mass / mass.sum(), mean, covariance


def _shares(
    z: Float[Tensor, "n d"],
    weights: Float[Tensor, " k"],
    mean: Float[Tensor, "k d"],
    covariance: Float[Tensor, "k d d"],
) -> Float[Tensor, "n k"]:
    """Return the probability that each latent belongs to each component."""
    if shared(covariance):
        L = torch.linalg.cholesky(covariance[0])
        white, centre = (torch.linalg.solve_triangular(L, each.T, upper=False).T for each in (z, mean))
        return (weights.log() - torch.cdist(white, centre).square() / 2).softmax(dim=1)
    factors = torch.linalg.cholesky(covariance)
    log_det = factors.diagonal(dim1=-2, dim2=-1).log().sum(dim=-1)
    white = (
        torch.linalg.solve_triangular(L, (z - m).T, upper=False) for L, m in zip(factors, mean, strict=True)
    )
    squared = torch.stack([each.square().sum(dim=0) for each in white], dim=1)
    return (weights.log() - log_det - squared / 2).softmax(dim=1)


def shared(covariance: Float[Tensor, "k d d"]) -> bool:
    """Return whether all components have one covariance."""
    return covariance.shape[1] > MOST_NUMBERS
