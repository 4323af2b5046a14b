"""Image encoder beyond the paper: EfficientNet-Lite0 that also locates the joints in its feature maps.

Pooling forgets where a feature is. Heat maps keep it: the mean of a softmax over their cells is a place with
a precision far below one cell (Sun et al., Integral Human Pose Regression, ECCV 2018). A depth map beside
each heat map tells how far the joint is (Iqbal et al., Hand Pose Estimation via 2.5D Heatmaps, ECCV 2018).
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from latent_hands.networks.efficientnet import (
    FEATURES,
    MAPS,
    EfficientNetLite0,
    check_request,
    feature_maps,
    layer,
    top_down,
)
from latent_hands.networks.mlp import ResidualMLP
from latent_hands.networks.spec import ENCODERS, Precision, Request, image_autocast

JOINTS, WIDTH, HIDDEN, LAYERS = 21, 64, 192, 4
LEVEL_LAYERS = 4
"""Convolutions of 3 x 3 on the map of stride 8."""
NUMBERS = 5
"""Numbers of each joint: its place (x, y), the standard deviations of its heat map in both directions, and
its depth."""


class KeypointEfficientNet(EfficientNetLite0):
    """Image in [-1, 1] with a side divisible by 32 -> vector, from pooled features and located joints.

    output = Linear([pooled, joints]) + MLP([pooled, joints]), where the MLP returns 0 before training.

    Args: those of `EfficientNetLite0`.
    """

    def __init__(self, outputs: int, channels: int = 3, sided: bool = False, precision: Precision = "bf16"):
        super().__init__(outputs, channels, sided, precision)
        self.laterals = nn.ModuleList(layer(width, WIDTH, bounded=False) for _, width in MAPS.values())
        self.merged = nn.Sequential(*(layer(WIDTH, WIDTH, 3) for _ in range(LEVEL_LAYERS)))
        self.heat = nn.Conv2d(WIDTH, JOINTS, 1)
        self.depth = nn.Conv2d(WIDTH, JOINTS, 1)
        self.head = ResidualMLP(FEATURES + NUMBERS * JOINTS, (outputs,), HIDDEN, LAYERS, sided)
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    @property
    def convolutions(self) -> tuple[nn.Module, ...]:
        """The parts that may compute in bfloat16; the heat maps stay float32."""
        return *super().convolutions, self.laterals, self.merged

    def forward(
        self, image: Float[Tensor, "batch channels px px"], side: Float[Tensor, "batch 2"] | None = None
    ) -> Float[Tensor, "batch outputs"]:
        """Return (batch, outputs), float32."""
        pooled, maps = self.backbone(image)
        return self.head(torch.cat([pooled, self.locate(maps).flatten(1)], dim=1), side)

    def backbone(
        self, image: Float[Tensor, "batch channels px px"]
    ) -> tuple[Float[Tensor, "batch features"], list[Tensor]]:
        """Return the pooled features, float32, and the feature maps of `MAPS`, fine to coarse."""
        with image_autocast(image.device, self.precision):
            x = self.fixed(image.contiguous(memory_format=torch.channels_last))
            maps = feature_maps(self.blocks, x)
            features = self.features(maps[-1])
        return features.float().mean(dim=(2, 3)), maps

    def locate(self, maps: Sequence[Tensor]) -> Float[Tensor, "batch 21 5"]:
        """Return place and spread of each joint in a crop that spans -1..1, and its depth.

        The depth is relative to the palm, in bone lengths, if the network was trained on it.
        """
        device = maps[0].device
        with image_autocast(device, self.precision):
            merged = self.merged(top_down(self.laterals, maps))
        with image_autocast(device, "float32"):
            return located(self.heat(merged.float()), self.depth(merged.float()))


def located(
    heat: Float[Tensor, "batch joints h w"], depth: Float[Tensor, "batch joints h w"]
) -> Float[Tensor, "batch joints 5"]:
    """Return mean (x, y) and standard deviation (x, y) of the softmax of each heat map, which spans -1..1.

    The last number is the mean of the depth map under the same softmax.
    """
    height, width = heat.shape[-2:]
    p = heat.flatten(2).softmax(dim=2).unflatten(2, (height, width))
    moments = []
    for share, cells in ((p.sum(dim=2), width), (p.sum(dim=3), height)):
        at = (2 * torch.arange(cells, device=heat.device) + 1) / cells - 1
        mean = (share * at).sum(dim=2)
        moments.append((mean, ((share * at.square()).sum(dim=2) - mean.square()).clamp(min=1e-6).sqrt()))
    (x, x_spread), (y, y_spread) = moments
    return torch.stack([x, y, x_spread, y_spread, (p * depth).sum(dim=(2, 3))], dim=2)


@ENCODERS.register("efficientnet_lite0_keypoints")
def build(request: Request) -> KeypointEfficientNet:
    """Build the encoder of an image modality. Raises HandsError as `check_request` does."""
    check_request("efficientnet_lite0_keypoints", request)
    channels, precision = request.modality.channels, request.settings.precision
    return KeypointEfficientNet(request.size, channels, request.sided, precision)
