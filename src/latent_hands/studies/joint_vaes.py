"""JMVAE and TELBO of the package multivae with the arrows of this package, and TELBO with a corrected KL.

`compare_multivae` imports this module. It needs multivae and torchvision, of the same build as torch.
"""
# pyright: reportMissingImports=false

import torch
from multivae.data.datasets.base import MultimodalBaseDataset
from multivae.models import JMVAE, TELBO, JMVAEConfig, TELBOConfig
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn.base_architectures import BaseDecoder, BaseEncoder
from torch import Tensor, nn

from latent_hands.paper.graph import Decoder, DisentangledVAE, Encoder
from latent_hands.paper.modality import Batch

JOINT = "joint"
"""The name of the joint encoder q(z | all modalities) among the log-variances."""


class ReadingEncoder(BaseEncoder):
    """An encoder of one factor with the interface of multivae."""

    def __init__(self, encoder: Encoder):
        super().__init__()
        self.encoder = encoder
        (self.latent_dim,) = encoder.sizes.values()

    def forward(self, x: Tensor) -> ModelOutput:
        """Return the mean and log-variance of q(z | x)."""
        (q,) = self.encoder(x).values()
        return ModelOutput(embedding=q.mean, log_covariance=q.log_var)


class WritingDecoder(BaseDecoder):
    """A decoder of one factor with the interface of multivae."""

    def __init__(self, decoder: Decoder):
        super().__init__()
        self.decoder = decoder

    def forward(self, z: Tensor) -> ModelOutput:
        """Return the mean of p(modality | z)."""
        (factor,) = self.decoder.factors
        return ModelOutput(reconstruction=self.decoder({factor: z}))


class CorrectedTELBO(TELBO):
    """TELBO with the KL of its bound in the second stage.

    KL(q(z | m) || N(0, I)) is -1/2 sum(1 + log_var_m - mean_m^2 - exp(log_var_m)). multivae 1.0.3 uses
    log_var, of the joint posterior, for the first log_var_m (TELBO.forward, `mod_kld`). The joint encoder
    is frozen, so the gradient by log_var_m is exp(log_var_m) / 2 instead of (exp(log_var_m) - 1) / 2.
    Without the entropy term the variance of q(z | m) falls without limit. This class adds the missing
    difference, half the sum of log_var - log_var_m.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.log_vars: dict[str, Tensor] = {}
        for name, encoder in {**self.encoders, JOINT: self.joint_encoder}.items():
            encoder.register_forward_hook(
                lambda _, __, q, name=name: self.log_vars.update({name: q.log_covariance})
            )

    def forward(self, inputs: MultimodalBaseDataset, epoch: int = 1) -> ModelOutput:
        """Return the loss of multivae plus the missing difference, after the first stage."""
        output = super().forward(inputs, epoch=epoch)
        if epoch > self.warmup:
            missing = [self.log_vars[JOINT] - self.log_vars[m] for m in self.encoders]
            output.loss = output.loss + 0.5 * torch.stack(missing).sum() / len(inputs)
        return output


def joint_vae(
    method: str, vae: DisentangledVAE, scales: dict[str, float], warmup: int, alpha: float, corrected: bool
) -> nn.Module:
    """Return the model of a method, "jmvae" or "telbo", which trains the arrows of a graph of one factor.

    The graph has one encoder and one decoder per modality. The joint encoder is from multivae and consists of
    copies of the encoders. `scales` are the standard deviations of the Gaussians p(m | z), in network units.
    """
    encoders = {e.reads: ReadingEncoder(e) for e in map(vae.encoder, vae.encoders)}
    decoders = {d.writes: WritingDecoder(d) for d in map(vae.decoder, vae.decoders)}
    settings = {
        "n_modalities": len(decoders),
        "latent_dim": sum(vae.latent.values()),
        "uses_likelihood_rescaling": False,
        "decoders_dist": dict.fromkeys(decoders, "normal"),
        "decoder_dist_params": {name: {"scale": scale} for name, scale in scales.items()},
        "warmup": warmup,
    }
    if method == "jmvae":
        return JMVAE(JMVAEConfig(alpha=alpha, **settings), encoders, decoders)
    return (CorrectedTELBO if corrected else TELBO)(TELBOConfig(**settings), encoders, decoders)


def loss(model: nn.Module, batch: Batch, epoch: int) -> Tensor:
    """Return the loss of the model, averaged over the batch. `epoch` counts from 0."""
    return model(MultimodalBaseDataset(batch), epoch=epoch + 1).loss
