"""Graphs for inference only: image encoders with folded BatchNorm and weights of half precision."""

import copy

import torch

from latent_hands.networks.efficientnet import EfficientNetLite0
from latent_hands.networks.fusion import fused
from latent_hands.paper.graph import DisentangledVAE


def fast_graph(vae: DisentangledVAE) -> DisentangledVAE:
    """Return the graph with faster image encoders. All other arrows are shared with `vae`.

    The outputs are equal up to rounding. The convolutions of networks whose precision is "bf16" keep their
    weights in bfloat16; their last layer stays float32.
    """
    fast = copy.copy(vae)
    fast._modules = dict(vae._modules)
    fast.encoders = torch.nn.ModuleDict(dict(vae.encoders.items()))
    for name in fast.encoders:
        encoder = vae.encoder(name)
        if isinstance(encoder.network, EfficientNetLite0):
            own = copy.copy(encoder)
            own._modules = dict(encoder._modules)
            own.network = _fast_network(encoder.network)
            fast.encoders[name] = own
    return fast.eval()


def _fast_network(network: EfficientNetLite0) -> EfficientNetLite0:
    faster = fused(network)
    if faster.precision == "bf16":
        for part in (faster.fixed, faster.blocks, faster.features):
            part.to(torch.bfloat16)
    return faster
