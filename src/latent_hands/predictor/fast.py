"""Graphs for inference only: image encoders with folded BatchNorm and weights for the device's kernels."""

import copy

import torch

from latent_hands.networks.efficientnet import EfficientNetLite0
from latent_hands.networks.fusion import fused
from latent_hands.networks.packing import fastest_type, packed
from latent_hands.paper.graph import DisentangledVAE


def fast_graph(vae: DisentangledVAE) -> DisentangledVAE:
    """Return the graph with faster image encoders. All other arrows are shared with `vae`.

    The outputs are equal up to rounding. Convolutions whose precision is "bf16" use bfloat16 where the device
    computes with it, and float32 elsewhere; the last layer is float32.
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
    faster, device = fused(network), network.head.weight.device
    dtype = fastest_type(device) if faster.precision == "bf16" else torch.float32
    faster.precision = "float32" if dtype == torch.float32 else "bf16"
    for part in (faster.fixed, faster.blocks, faster.features):
        part.to(dtype)
    return packed(faster) if device.type == "cpu" else faster
