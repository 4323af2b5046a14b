"""Beyond the paper: what a decoder shows of poses in other scenes, read again by a finished encoder."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from latent_hands.data.augmentation.appearance import soften
from latent_hands.paper.graph import DisentangledVAE
from latent_hands.paper.latent import Latent, with_noise
from latent_hands.paper.modality import Batch


@dataclass(frozen=True)
class Reread:
    """An encoder of images, the decoder whose images it reads again, and how much that counts.

    `lent` are the factors that each sample takes from another one before its image is decoded.
    """

    encoder: str
    decoder: str
    weight: float
    lent: tuple[str, ...] = ()

    def log_density(
        self, vae: DisentangledVAE, z: Latent, batch: Batch, generator: torch.Generator | None = None
    ) -> Float[Tensor, " batch"]:
        """log q(z' | m'), summed over the encoder's factors; m' is decoded from z', in which some are lent.

        With a finished encoder it bounds what the images tell of z' (the mutual information of InfoGAN,
        Chen et al. 2016). It sees them softly: patterns that only networks see do not help. An encoder that
        is too sure of itself (without `agree`) counts what it misses so much that images suffer.
        """
        encoder = vae.encoder(self.encoder)
        mixed = with_noise(z, dict.fromkeys(self.lent, "other"), generator)
        image = soften(vae.decode(self.decoder, mixed, batch.get("right")), generator)
        q = vae.encode(self.encoder, {**batch, encoder.reads: image})
        return torch.stack([q[factor].log_density(mixed[factor]) for factor in encoder.factors]).sum(dim=0)
