"""The latent z: a dict by factor name, and the Gaussian posteriors over its factors."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from latent_hands.errors import HandsError

Latent = dict[str, Float[Tensor, "batch _"]]
Noise = Literal["other", "same", "prior"]

LOG_VAR_RANGE = (-10.0, 10.0)
ACTIVE_VARIANCE = 0.01


@dataclass(frozen=True)
class Gaussian:
    """q(z_f | m): a diagonal Gaussian for every sample of a batch."""

    mean: Float[Tensor, "batch size"]
    log_var: Float[Tensor, "batch size"]

    def sample(self, generator: torch.Generator | None = None) -> Float[Tensor, "batch size"]:
        """One draw by the reparameterisation z = mean + sigma * noise."""
        noise = torch.randn(
            self.mean.shape, generator=generator, device=self.mean.device, dtype=self.mean.dtype
        )
        return self.mean + torch.exp(0.5 * self.log_var) * noise

    def widened(self, times: float) -> "Gaussian":
        """Of the same mean, its standard deviation so many times as large."""
        return Gaussian(self.mean, self.log_var + 2 * math.log(times))

    def log_density(self, z: Float[Tensor, "batch size"]) -> Float[Tensor, " batch"]:
        """log q(z | m) in nats but for a constant, summed over the dimensions."""
        distance = (z - self.mean).square() * torch.exp(-self.log_var)
        return -0.5 * (distance + self.log_var).sum(dim=1)

    def kl(self) -> Float[Tensor, " batch"]:
        """KL(q || N(0, I)) in nats, summed over the dimensions."""
        return 0.5 * (self.mean.square() + self.log_var.exp() - 1.0 - self.log_var).sum(dim=1)

    def kl_to(self, other: "Gaussian") -> Float[Tensor, " batch"]:
        """KL(q || other) in nats, summed over the dimensions."""
        log_ratio = self.log_var - other.log_var
        distance = (self.mean - other.mean).square() * torch.exp(-other.log_var)
        return 0.5 * (log_ratio.exp() + distance - 1.0 - log_ratio).sum(dim=1)


Posterior = dict[str, Gaussian]


def agreed(opinions: Sequence[Gaussian]) -> Gaussian:
    """One Gaussian for several encoders of the same factor: means and log-variances averaged."""
    mean, log_var = (torch.stack([getattr(q, part) for q in opinions]) for part in ("mean", "log_var"))
    return Gaussian(mean.mean(dim=0), log_var.mean(dim=0))


def joint(*posteriors: Posterior) -> Posterior:
    """q(z | y1, y2, ..) = q(z_y1 | y1) q(z_y2 | y2) ..: independent densities over disjoint factors.

    Raises HandsError if two of them infer the same factor.
    """
    union: Posterior = {}
    for posterior in posteriors:
        for factor, gaussian in posterior.items():
            if factor in union:
                raise HandsError(f'factor "{factor}" is inferred twice: a joint needs disjoint factors')
            union[factor] = gaussian
    return union


def sample(posterior: Posterior, generator: torch.Generator | None = None) -> Latent:
    """One draw of every factor."""
    return {factor: gaussian.sample(generator) for factor, gaussian in posterior.items()}


def means(posterior: Posterior) -> Latent:
    """The posterior means: the z used at test time."""
    return {factor: gaussian.mean for factor, gaussian in posterior.items()}


def with_noise(
    latent: Latent, noise: Mapping[str, Noise], generator: torch.Generator | None = None
) -> Latent:
    """Replace factors by noise that knows nothing of the sample (Algorithm 2, line 9).

    "other" takes the factor of another sample of the batch, "same" keeps the draw from the sample's own
    posterior (the algorithm to the letter), "prior" draws from N(0, I). No gradient flows into the noise.
    """
    replaced = dict(latent)
    for factor, kind in noise.items():
        z = latent[factor].detach()
        if kind == "other":
            if len(z) < 2:
                raise HandsError(f'noise "other" for factor "{factor}" needs a batch of 2 or more, not 1')
            shift = torch.randint(1, len(z), (), generator=generator, device=z.device)
            z = z.roll(int(shift), dims=0)
        elif kind == "prior":
            z = torch.randn(z.shape, generator=generator, device=z.device, dtype=z.dtype)
        replaced[factor] = z
    return replaced


def active_units(mean: Float[Tensor, "samples size"]) -> int:
    """How many dimensions of a factor carry anything: the variance of the posterior mean exceeds 0.01."""
    return int((mean.var(dim=0) > ACTIVE_VARIANCE).sum())
