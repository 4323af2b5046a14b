"""Graphs for inference only: folded BatchNorm, weights in the types and layouts of the device's kernels."""

import copy
from typing import TypeVar

import torch
from torch import nn

from latent_hands.networks.efficientnet import EfficientNetLite0
from latent_hands.networks.fusion import fused
from latent_hands.networks.mlp import MLP
from latent_hands.networks.packing import fastest_type, packed, packed_mlp
from latent_hands.paper.graph import Decoder, DisentangledVAE, Encoder

Arrow = TypeVar("Arrow", Encoder, Decoder)


class FastGraph:
    """The fast form of a graph, which knows whether the weights of the graph have changed since.

    Optimizers count their changes in the versions of tensors, except for fused ones. So the last weights of
    each arrow are compared, too.

    Attributes:
        vae: the fast graph.
    """

    def __init__(self, vae: DisentangledVAE):
        self._weights = [each for each in (*vae.parameters(), *vae.buffers()) if not each.is_inference()]
        self._last = [weights[-1] for arrow in vae.arrows.values() if (weights := [*arrow.parameters()])]
        self._state = self._now()
        self.vae = fast_graph(vae)

    def is_outdated(self) -> bool:
        """Return whether the weights have changed."""
        return self._state != self._now()

    def _now(self) -> tuple[int, list[float]]:
        ends = torch.cat([weight.detach().flatten()[-1:] for weight in self._last])
        return sum(weight._version for weight in self._weights), ends.tolist()


def fast_graph(vae: DisentangledVAE) -> DisentangledVAE:
    """Return the graph with faster networks; those that have no faster form are shared with `vae`.

    The outputs are equal up to rounding. EfficientNet-Lite0 whose precision is "bf16" uses bfloat16 where the
    device computes with it, and float32 elsewhere; its last layer is float32. Fully connected decoders of
    such a graph do the same on a CPU.
    """
    encoders = {name: vae.encoder(name) for name in vae.encoders}
    decoders = {name: vae.decoder(name) for name in vae.decoders}
    networks = [arrow.network for arrow in encoders.values() if isinstance(arrow.network, EfficientNetLite0)]
    device = next(vae.parameters()).device
    half = any(each.precision == "bf16" for each in networks) and fastest_type(device) == torch.bfloat16
    for name, arrow in encoders.items():
        if isinstance(arrow.network, EfficientNetLite0):
            encoders[name] = _with_network(arrow, _faster(arrow.network, device))
    for name, arrow in decoders.items():
        if half and device.type == "cpu" and isinstance(arrow.network, MLP):
            decoders[name] = _with_network(arrow, packed_mlp(arrow.network, torch.bfloat16))
    return DisentangledVAE(vae.latent, encoders, decoders).eval()


def _with_network(arrow: Arrow, network: nn.Module) -> Arrow:
    """Return an arrow like this one with another network."""
    other = copy.copy(arrow)
    other._modules = arrow._modules | {"network": network}
    return other


def _faster(network: EfficientNetLite0, device: torch.device) -> EfficientNetLite0:
    faster = fused(network)
    dtype = fastest_type(device) if faster.precision == "bf16" else torch.float32
    faster.precision = "float32" if dtype == torch.float32 else "bf16"
    for part in faster.convolutions:
        part.to(dtype)
    return packed(faster) if device.type == "cpu" else faster
