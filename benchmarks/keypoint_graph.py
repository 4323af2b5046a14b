"""The factor `keypoints`, added to a run that lacks it; see `train_keypoints.py`."""

import math
from dataclasses import replace

import torch
from torch import nn

from latent_hands.build import build_vae
from latent_hands.configuration import DecoderArrow, EncoderArrow, Experiment
from latent_hands.networks import KeypointEfficientNet
from latent_hands.networks.efficientnet import FEATURES
from latent_hands.networks.keypoints import NUMBERS as PER_JOINT
from latent_hands.paper.graph import DisentangledVAE

NAME, NUMBERS = "keypoints", 42


def with_keypoints(experiment: Experiment) -> Experiment:
    """Return the experiment with the factor `keypoints`, its encoders and its decoder."""
    rgb = experiment.encoders["rgb"]
    encoders = experiment.encoders | {
        NAME: EncoderArrow("uv", (NAME,), network="affine"),
        "rgb": replace(rgb, factors=(*rgb.factors, NAME)),
    }
    reads = ("cpose", "viewpoint", "place", NAME)
    decoder = DecoderArrow("uv", reads, network="residual_mlp", hidden=128)
    objectives = {n: dict(weights) for n, weights in experiment.objectives.items()}
    objectives["agreement"] = objectives.get("agreement", {}) | {NAME: 0.05}
    algorithm = replace(experiment.algorithm, encode=(*experiment.algorithm.encode, NAME))
    return replace(
        experiment,
        latent=experiment.latent | {NAME: NUMBERS},
        encoders=encoders,
        decoders=experiment.decoders | {NAME: decoder},
        networks=replace(experiment.networks, image_encoder="efficientnet_lite0_keypoints"),
        algorithm=algorithm,
        objectives=objectives,
    )


def extended(run: DisentangledVAE, experiment: Experiment) -> DisentangledVAE:
    """Return the graph with the weights of a run; keypoints are the means of the heat maps at first."""
    vae = build_vae(experiment).requires_grad_(False).eval()
    own = vae.state_dict()
    given = run.state_dict()
    own |= {name: tensor for name, tensor in given.items() if name in own}
    vae.load_state_dict(own)
    rgb, read = vae.encoder("rgb").network, sum(run.encoder("rgb").sizes.values())
    assert isinstance(rgb, KeypointEfficientNet)
    linear, pooled = rgb.head.linear.layers[0], FEATURES
    zero(linear)
    old = torch.arange(2 * read)
    rows = old + NUMBERS * (old >= read)
    linear.weight[rows, :pooled] = given["encoders.rgb.network.head.weight"]
    linear.bias[rows] = given["encoders.rgb.network.head.bias"]
    located = torch.arange(NUMBERS)
    linear.weight[read + located, pooled + PER_JOINT * (located // 2) + located % 2] = 1.0
    linear.bias[2 * read + NUMBERS + located] = 2 * math.log(0.05)
    encoder, decoder = vae.encoder(NAME).network.layers[0], vae.decoder(NAME).network.linear.layers[0]
    for layer in (encoder, decoder):
        zero(layer)
    encoder.weight[located, located] = 1.0
    encoder.bias[NUMBERS + located] = 2 * math.log(0.02)
    decoder.weight[located, decoder.in_features - NUMBERS + located] = 1.0
    return vae


def zero(layer: nn.Linear) -> None:
    layer.weight.zero_()
    layer.bias.zero_()
