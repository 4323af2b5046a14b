"""The latent z = [z_y1, .., z_yN, z_u]: a dict by factor name, and Gaussian posteriors over its factors."""

from collections.abc import Mapping
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
    """q(z_f | m): a diagonal Gaussian for each sample of a batch."""

    mean: Float[Tensor, "batch size"]
    log_var: Float[Tensor, "batch size"]

    def draw(self, generator: torch.Generator | None = None) -> Float[Tensor, "batch size"]:
        """Return one draw by the reparameterisation z = mean + sigma * noise."""
        noise = torch.randn(
            self.mean.shape, generator=generator, device=self.mean.device, dtype=self.mean.dtype
        )
        return self.mean + torch.exp(0.5 * self.log_var) * noise

    def kl(self) -> Float[Tensor, " batch"]:
        """Return KL(q || N(0, I)) in nats, summed over the dimensions."""
        return 0.5 * (self.mean.square() + self.log_var.exp() - 1.0 - self.log_var).sum(dim=1)

    def kl_to(self, other: "Gaussian") -> Float[Tensor, " batch"]:
        """Return KL(q || other) in nats, summed over the dimensions (the left side of Eq. 3 and Eq. 7)."""
        log_ratio = self.log_var - other.log_var
        distance = (self.mean - other.mean).square() * torch.exp(-other.log_var)
        return 0.5 * (log_ratio.exp() + distance - 1.0 - log_ratio).sum(dim=1)


Posterior = dict[str, Gaussian]


def product(*posteriors: Posterior) -> Posterior:
    """Return q(z | y1, y2, ..) = q(z_y1 | y1) q(z_y2 | y2) ..: independent densities over disjoint factors.

    Raises HandsError if two of them infer the same factor.
    """
    union: Posterior = {}
    for posterior in posteriors:
        for factor, gaussian in posterior.items():
            if factor in union:
                raise HandsError(
                    f'factor "{factor}" is inferred twice; posteriors are multiplied over disjoint factors'
                )
            union[factor] = gaussian
    return union


def draw(posterior: Posterior, generator: torch.Generator | None = None) -> Latent:
    """Return one draw of every factor."""
    return {factor: gaussian.draw(generator) for factor, gaussian in posterior.items()}


def means(posterior: Posterior) -> Latent:
    """Return the posterior means, the z used at test time."""
    return {factor: gaussian.mean for factor, gaussian in posterior.items()}


def with_noise(
    latent: Latent, noise: Mapping[str, Noise], generator: torch.Generator | None = None
) -> Latent:
    """Replace factors by noise (Algorithm 2, line 9: z <- [z_y1, z_noise]).

    "same" keeps the draw from the sample's own posterior N(mu, sigma), as the algorithm is printed.
    "other" takes the draw of another sample of the batch. "prior" draws from N(0, I).
    No gradient flows into the noise. Raises HandsError for "other" in a batch of one.
    """
    replaced = dict(latent)
    for factor, kind in noise.items():
        z = latent[factor].detach()
        if kind == "other":
            if len(z) < 2:
                raise HandsError(
                    f'noise "other" for factor "{factor}" needs a batch of at least 2 samples, not 1'
                )
            shift = torch.randint(1, len(z), (), generator=generator, device=z.device)
            z = z.roll(int(shift), dims=0)
        elif kind == "prior":
            z = torch.randn(z.shape, generator=generator, device=z.device, dtype=z.dtype)
        replaced[factor] = z
    return replaced


def active_units(mean: Float[Tensor, "samples size"]) -> int:
    """Return how many dimensions of a factor carry information: their posterior mean varies by over 0.01."""
    return int((mean.var(dim=0) > ACTIVE_VARIANCE).sum())
