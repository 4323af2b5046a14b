"""How far apart the hands lie that a model holds possible: draws from q(z | image), decoded."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from latent_hands import synthesis
from latent_hands.errors import HandsError
from latent_hands.paper.graph import DisentangledVAE
from latent_hands.paper.latent import Gaussian, Posterior, sample


def joint_spread(
    vae: DisentangledVAE,
    posterior: Posterior,
    right: Bool[Tensor, "1"] | None,
    samples: int,
    temperature: float = 1.0,
) -> Float[Tensor, "21"]:
    """The standard deviation of each joint in bones: the root mean square distance of draws from their mean.

    `posterior` is that of one image; draws are from one `temperature` times as wide. The spread is the same
    in every frame and for the mirror image, and the same image gives the same draws. Raises HandsError for
    fewer than 2.
    """
    if samples < 2:
        raise HandsError(f"samples is {samples}; legal: 2 or more, or 0 for no spread")
    wide = {factor: q.widened(temperature) for factor, q in posterior.items()}
    many = {f: Gaussian(*(t.expand(samples, -1) for t in (q.mean, q.log_var))) for f, q in wide.items()}
    device = next(iter(many.values())).mean.device
    latent = sample(many, torch.Generator(device).manual_seed(0))
    pose = synthesis.decode(vae, latent, None if right is None else right.expand(samples))["pose"].float()
    return (pose - pose.mean(dim=0)).square().sum(dim=(0, 2)).div(samples - 1).sqrt()
