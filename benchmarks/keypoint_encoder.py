"""What learns in `train_keypoints.py`, and the encoder of images in its fastest form for this training."""

from collections.abc import Mapping, Sequence

import torch
from keypoint_graph import NAME
from torch import Tensor, nn

from latent_hands.networks import KeypointEfficientNet
from latent_hands.networks.efficientnet import MAPS, feature_maps
from latent_hands.networks.fusion import fused
from latent_hands.networks.packing import packed
from latent_hands.networks.spec import image_autocast
from latent_hands.paper.graph import DisentangledVAE

LATE = min(MAPS) + 1
"""The first block after the map of stride 8."""


class QuickEncoder(nn.Module):
    """The encoder of images in its fastest form: its backbone, or the first blocks of it, do not learn.

    It keeps the joints of the heat maps. `whole`: blocks after the map of stride 8 learn.
    """

    def __init__(self, network: KeypointEfficientNet, whole: bool):
        super().__init__()
        self.learning, self.late = network, network.blocks[LATE:] if whole else ()
        self.joints = torch.empty(0)
        quick = fused(network)
        for part in quick.convolutions:
            part.bfloat16()
        quick.precision = "float32"  # the weights already have the type of the computation
        self.quick = packed(quick)

    def backbone(self, image: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return pooled features and maps."""
        with torch.no_grad():
            if not self.late:
                return self.quick.backbone(image.bfloat16())
            x = self.quick.fixed(image.bfloat16())
            maps = feature_maps(self.quick.blocks[:LATE], x)
        with image_autocast(image.device, "bf16"):
            x = maps[-1]
            for number, block in enumerate(self.late, LATE):
                x = block(x)
                if number in MAPS:
                    maps.append(x)
            features = self.learning.features(x)
        return features.float().mean(dim=(2, 3)), maps

    def forward(self, image: Tensor, side: Tensor | None = None) -> Tensor:
        """Return the outputs of the encoder."""
        pooled, maps = self.backbone(image)
        self.joints = self.learning.locate(maps)
        return self.learning.head(torch.cat([pooled, self.joints.flatten(1)], dim=1), side)


def trunk(vae: DisentangledVAE, network: KeypointEfficientNet) -> dict[str, nn.Parameter]:
    """Let the late part of the backbone learn; return its parameters by name."""
    for part in (network.blocks[LATE:], network.features):
        part.train().requires_grad_(True)
    return {name: p for name, p in vae.named_parameters() if p.requires_grad}


def learning(
    vae: DisentangledVAE, network: KeypointEfficientNet, also: Sequence[str], whole: bool
) -> dict[str, nn.Parameter]:
    """Return the other parameters that learn, by name. Gradients of the outputs of other factors are 0.

    `whole`: pooled features change, so all outputs that read them learn.
    """
    head, sizes = network.head, vae.encoder("rgb").sizes
    corrected = rows_of(sizes, [NAME, *also])
    pooled = corrected if whole else rows_of(sizes, [NAME])
    parts = [network.laterals, network.merged, network.heat, network.depth, head, vae.decoder(NAME)]
    for part in parts:
        part.train().requires_grad_(True)
    for layer, own in ((head.linear.layers[0], pooled), (head.residual.layers[-1], corrected)):
        layer.weight.register_hook(lambda gradient, own=own: gradient * own[:, None])
        layer.bias.register_hook(lambda gradient, own=own: gradient * own)
    return {name: p for name, p in vae.named_parameters() if p.requires_grad}


def rows_of(sizes: Mapping[str, int], factors: Sequence[str]) -> Tensor:
    """Return 1 for each output of the encoder, means before log-variances, that belongs to the factors."""
    own = torch.cat([torch.full((size,), float(name in factors)) for name, size in sizes.items()])
    return torch.cat([own, own])
