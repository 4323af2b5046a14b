"""Gaussians over some factors of the latent: the prior, and the aggregate posterior of given images."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from latent_hands.paper.latent import Latent, Posterior

SMALLEST_VARIANCE = 1e-8
"""Added to variances, so that a covariance of few images can be factorised."""


@dataclass(frozen=True)
class LatentGaussian:
    """N(mean, covariance) over the concatenated factors of a latent, in double precision.

    sizes: {factor: its size}.
    """

    sizes: dict[str, int]
    mean: Float[Tensor, " d"]
    covariance: Float[Tensor, "d d"]

    @staticmethod
    def prior(sizes: Mapping[str, int]) -> "LatentGaussian":
        """Return N(0, I)."""
        d = sum(sizes.values())
        zero, one = torch.zeros(d, dtype=torch.float64), torch.eye(d, dtype=torch.float64)
        return LatentGaussian(dict(sizes), zero, one)

    @staticmethod
    def aggregate(posterior: Posterior) -> "LatentGaussian":
        """Return the Gaussian with the moments of the aggregate posterior, the mean of all q(z | image).

        Its mean is that of the posterior means. Its covariance is that of the posterior means, plus the mean
        posterior variances.
        """
        sizes, z, variance = moments(posterior)
        off = z - z.mean(dim=0)
        return LatentGaussian(sizes, z.mean(dim=0), off.T @ off / len(z) + torch.diag(variance))

    def nats(self) -> float:
        """Return KL(this || N(0, I)) in nats. Where it is large, the prior has holes: it draws latents that
        no image has.
        """
        log_det = torch.linalg.slogdet(self.covariance).logabsdet
        trace = self.covariance.diagonal().sum()
        return float(trace + self.mean.square().sum() - len(self.mean) - log_det) / 2

    def draw(self, noise: Float[np.ndarray, "n d"]) -> Latent:
        """Return the latents mean + L noise, with L L^T = covariance, in single precision."""
        L = torch.linalg.cholesky(self.covariance)
        z = (self.mean + torch.from_numpy(noise) @ L.T).float()
        return dict(zip(self.sizes, z.split(list(self.sizes.values()), dim=1), strict=True))


def moments(posterior: Posterior) -> tuple[dict[str, int], Float[Tensor, "n d"], Float[Tensor, " d"]]:
    """Return the sizes of the factors, the posterior means, and the mean posterior variances, above 0."""
    mean = torch.cat([q.mean for q in posterior.values()], dim=1).double().cpu()
    variance = torch.cat([q.log_var.exp() for q in posterior.values()], dim=1).double().cpu().mean(dim=0)
    sizes = {factor: q.mean.shape[1] for factor, q in posterior.items()}
    return sizes, mean, variance + SMALLEST_VARIANCE
