"""JMVAE and TELBO of the package multivae over our arrows, TELBO also with its KL put right.

Imported by compare_multivae.py; needs multivae, and torchvision, which that imports, of torch's own build.
"""

import torch
from multivae.data.datasets.base import MultimodalBaseDataset
from multivae.models import JMVAE, TELBO, JMVAEConfig, TELBOConfig
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn.base_architectures import BaseDecoder, BaseEncoder
from torch import Tensor, nn

from latent_hands.paper.graph import Decoder, DisentangledVAE, Encoder
from latent_hands.paper.modality import Batch

JOINT = "joint"


class ReadingEncoder(BaseEncoder):
    """An encoder of ours, of one factor, as multivae calls it."""

    def __init__(self, encoder: Encoder):
        super().__init__()
        self.encoder = encoder
        (self.latent_dim,) = encoder.sizes.values()

    def forward(self, x: Tensor) -> ModelOutput:
        (q,) = self.encoder(x).values()
        return ModelOutput(embedding=q.mean, log_covariance=q.log_var)


class WritingDecoder(BaseDecoder):
    """A decoder of ours, of one factor, as multivae calls it."""

    def __init__(self, decoder: Decoder):
        super().__init__()
        self.decoder = decoder

    def forward(self, z: Tensor) -> ModelOutput:
        (factor,) = self.decoder.factors
        return ModelOutput(reconstruction=self.decoder({factor: z}))


class CorrectedTELBO(TELBO):
    """TELBO whose second stage has the KLs of its bounds.

    KL(q(z | m) || N(0, I)) is -1/2 sum(1 + log_var_m - mean_m^2 - exp(log_var_m)). multivae 1.0.3 writes
    log_var, that of the joint posterior, for the first log_var_m (TELBO.forward, `mod_kld`). The joint
    encoder being frozen, the gradient by log_var_m is then exp(log_var_m) / 2, not (exp(log_var_m) - 1) / 2:
    no entropy holds the variance of q(z | m), which falls as far as it can. Half the sum of log_var -
    log_var_m makes up for it.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.log_vars: dict[str, Tensor] = {}
        for name, encoder in {**self.encoders, JOINT: self.joint_encoder}.items():
            encoder.register_forward_hook(
                lambda _, __, q, name=name: self.log_vars.update({name: q.log_covariance})
            )

    def forward(self, inputs: MultimodalBaseDataset, epoch: int = 1) -> ModelOutput:
        output = super().forward(inputs, epoch=epoch)
        if epoch > self.warmup:
            missing = [self.log_vars[JOINT] - self.log_vars[m] for m in self.encoders]
            output.loss = output.loss + 0.5 * torch.stack(missing).sum() / len(inputs)
        return output


def joint_vae(
    method: str, vae: DisentangledVAE, scales: dict[str, float], warmup: int, alpha: float, corrected: bool
) -> nn.Module:
    """The model of a method, "jmvae" or "telbo", which trains the arrows of a graph of one factor.

    There is one encoder and one decoder a modality; the joint encoder is multivae's own, made of copies of
    the encoders. `scales` are the standard deviations of the Gaussians p(m | z), in network values.
    """
    encoders = {e.reads: ReadingEncoder(e) for e in vae.encoders.values()}
    decoders = {d.writes: WritingDecoder(d) for d in vae.decoders.values()}
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
    """What the model minimises, averaged over the batch; `epoch` counts from 0."""
    return model(MultimodalBaseDataset(batch), epoch=epoch + 1).loss
