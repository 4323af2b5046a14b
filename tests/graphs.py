"""Tiny graphs for the tests: Fig. 3 right on vectors, Fig. 3 left on 16 px images."""

import torch

from latent_hands.data.labels import modality
from latent_hands.networks.dcgan import DCGANDecoder
from latent_hands.networks.mlp import MLP
from latent_hands.networks.resnet import ResNet18
from latent_hands.paper.graph import Decoder, DisentangledVAE, Encoder

PX = 16


def encoder(reads, sizes, sided=False):
    outputs = 2 * sum(sizes.values())
    if modality(reads).is_image:
        return Encoder(modality(reads), sizes, ResNet18(outputs, 4, "unshuffle", sided=sided), sided)
    inputs = torch.Size(modality(reads).shape).numel()
    return Encoder(modality(reads), sizes, MLP(inputs, (outputs,), 16, sided=sided), sided)


def decoder(writes, sizes, sided=False):
    inputs = sum(sizes.values())
    if modality(writes).is_image:
        return Decoder(modality(writes), sizes, DCGANDecoder(inputs, PX, 4, sided=sided), sided)
    return Decoder(modality(writes), sizes, MLP(inputs, modality(writes).shape, 16, sided=sided), sided)


def estimation(sided=False):
    """x = pose, x^ = rgb, y1 = cpose, y2 = viewpoint."""
    latent = {"cpose": 3, "viewpoint": 2}
    c, v = {"cpose": 3}, {"viewpoint": 2}
    torch.manual_seed(0)
    encoders = {
        "cpose": encoder("cpose", c),
        "viewpoint": encoder("viewpoint", v),
        "pose": encoder("pose", latent),
        "rgb": encoder("rgb", latent, sided),
    }
    decoders = {
        "cpose": decoder("cpose", c),
        "viewpoint": decoder("viewpoint", v),
        "pose": decoder("pose", latent, sided),
    }
    return DisentangledVAE(latent, encoders, decoders)


def synthesis():
    """x = rgb, y1 = pose, y2 = tag, and z_u inferred from the image."""
    latent = {"pose": 3, "tag": 2, "u": 2}
    torch.manual_seed(0)
    encoders = {
        "pose": encoder("pose", {"pose": 3}),
        "tag": encoder("tag", {"tag": 2}),
        "rgb": encoder("rgb", {"pose": 3, "tag": 2}),
        "u": encoder("rgb", {"u": 2}),
    }
    decoders = {
        "rgb": decoder("rgb", {"pose": 3, "tag": 2}),
        "pose": decoder("pose", {"pose": 3}),
        "tag": decoder("tag", {"tag": 2}),
        "rgb_u": decoder("rgb", {"pose": 3, "u": 2}),
        "pose_u": decoder("pose", {"pose": 3, "u": 2}),
    }
    return DisentangledVAE(latent, encoders, decoders)


def batch(size=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    rotation = torch.linalg.qr(torch.randn(size, 3, 3, generator=generator)).Q
    cpose = torch.randn(size, 21, 3, generator=generator)
    return {
        "rgb": torch.rand(size, 3, PX, PX, generator=generator) * 2 - 1,
        "tag": torch.rand(size, 3, PX, PX, generator=generator) * 2 - 1,
        "cpose": cpose,
        "viewpoint": rotation,
        "pose": cpose @ rotation,
        "right": torch.arange(size) % 2 == 0,
    }
