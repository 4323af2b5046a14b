"""Spreads: how far joints decoded from draws of q(z | image) lie from one another; moments of q."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from latent_hands.paper.latent import Latent, Posterior


def drawn(posterior: Posterior, draws: int) -> Latent:
    """Return draws of every Gaussian of a batch of n: row i * draws + k is draw k of Gaussian i.

    All Gaussians have the same noise, so the draws of an image do not depend on the others of its batch.
    """
    generator = torch.Generator(next(iter(posterior.values())).mean.device).manual_seed(0)
    latent: Latent = {}
    for factor, q in posterior.items():
        noise = torch.randn(draws, q.mean.shape[1], generator=generator, device=q.mean.device)
        each = q.mean[:, None] + (0.5 * q.log_var[:, None]).exp() * noise
        latent[factor] = each.flatten(0, 1)
    return latent


def spread(draws: Float[Tensor, "n draws 21 c"]) -> Float[Tensor, "n 21"]:
    """Return the root mean square distance of the draws of each joint from their mean."""
    away = draws - draws.mean(dim=1, keepdim=True)
    return away.square().sum(dim=(1, 3)).div(draws.shape[1] - 1).sqrt()


def moments(posterior: Posterior, wide: Posterior, pose: Sequence[str]) -> dict[str, Tensor]:
    """Return "nats", "latent" and "latent_variance" of `Prediction`.

    Args:
        posterior: q(z | image); "nats" is the distance from the prior of its factors of the pose.
        wide: the widened posterior, whose moments are the others.
        pose: the factors of the pose.
    """
    nats = torch.stack([posterior[factor].kl() for factor in pose]).sum(dim=0)
    mean = torch.cat([q.mean for q in wide.values()], dim=1)
    log_var = torch.cat([q.log_var for q in wide.values()], dim=1)
    return {"nats": nats, "latent": mean.float(), "latent_variance": log_var.float().exp()}
