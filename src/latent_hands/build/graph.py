"""The graph of an experiment, its networks freshly initialised."""

import torch
from torch import nn

from latent_hands.beyond.painter import HandPainter
from latent_hands.errors import HandsError
from latent_hands.experiment import Backbone, Experiment
from latent_hands.networks.dcgan import DCGANDecoder
from latent_hands.networks.efficientnet import STRIDE, EfficientNetLite0
from latent_hands.networks.mlp import MLP
from latent_hands.networks.resnet import ResNet18
from latent_hands.paper.graph import Decoder, DisentangledVAE, Encoder, check_factors
from latent_hands.paper.modality import Modality, modality


def build_vae(experiment: Experiment) -> DisentangledVAE:
    """The graph with freshly initialised networks, the same for the same seed."""
    latent = experiment.latent
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(experiment.training.seed)
        encoders, decoders = {}, {}
        for name, arrow in experiment.encoders.items():
            check_factors("encoder", name, arrow.factors, latent)
            sizes = {factor: latent[factor] for factor in arrow.factors}
            m = modality(arrow.reads)
            sided = experiment.data.side == "condition" and m.is_image
            network = encoder_network(experiment, m, sizes, sided, arrow.backbone)
            encoders[name] = Encoder(m.name, sizes, network, sided)
        for name, arrow in experiment.decoders.items():
            check_factors("decoder", name, arrow.factors, latent)
            size = sum(latent[factor] for factor in arrow.factors)
            m = modality(arrow.writes)
            sided = experiment.data.side == "condition" and m.name == "pose"
            network = decoder_network(experiment, m, size, sided, arrow.over)
            decoders[name] = Decoder(m.name, arrow.factors, network, sided, arrow.over)
        return DisentangledVAE(latent, encoders, decoders)


def encoder_network(
    experiment: Experiment, m: Modality, sizes: dict[str, int], sided: bool, backbone: Backbone | None
) -> nn.Module:
    """The arrow's backbone, or that of [networks], for images, six fully connected layers for the rest."""
    n, outputs, px = experiment.networks, 2 * sum(sizes.values()), experiment.data.crop_px
    backbone = backbone or n.backbone
    if m.is_image and backbone == "efficientnet_lite0":
        if px % STRIDE:
            raise HandsError(f"[data] crop_px is {px}; legal for {backbone}: a multiple of {STRIDE}")
        return EfficientNetLite0(outputs, m.channels, sided, n.precision)
    if m.is_image:
        return ResNet18(outputs, n.width, n.stem, m.channels, sided, n.precision)
    return MLP(m.numbers, (outputs,), n.hidden, n.layers, sided)


def decoder_network(
    experiment: Experiment, m: Modality, inputs: int, sided: bool, over: str | None
) -> nn.Module:
    """The DCGAN decoder for images, with a painter where they lie over a pose; six layers for the rest."""
    n, px = experiment.networks, experiment.data.crop_px
    if m.is_image and over is not None:
        return HandPainter(inputs, px, n.decoder_width, n.painter_blocks, m.channels, sided, n.precision)
    if m.is_image:
        return DCGANDecoder(inputs, px, n.decoder_width, m.channels, sided, n.precision)
    return MLP(inputs, m.sizes, n.hidden, n.layers, sided)
