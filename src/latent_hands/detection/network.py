"""The network: EfficientNet-Lite0, a top-down pyramid, and two heads on the map of stride 8."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from latent_hands.networks.efficientnet import MAPS, feature_maps, layer, load_imagenet, top_down, trunk
from latent_hands.networks.spec import Precision, image_autocast

STRIDE = 8
"""Pixels a cell of the maps."""
MULTIPLE = 32
"""Sides of an image are multiples of this."""
WIDTH = 64
PRIOR = 0.01
"""Probability of a hand's centre at a cell before training."""
TYPICAL_CELLS = 8.0
"""Side of a predicted box before training, in cells."""


@dataclass(frozen=True)
class Maps:
    """The outputs of the network, one value a cell of `STRIDE` pixels.

    Attributes:
        sides: The logits of a left and of a right hand's centre, relative to no centre. The three have a
            softmax: P(left) + P(right) + P(none) = 1.
        place: Offset of the box's centre from the cell's centre, (x, y) in cells.
        size: Natural logarithm of the box's width and height in cells.
    """

    sides: Float[Tensor, "batch 2 h w"]
    place: Float[Tensor, "batch 2 h w"]
    size: Float[Tensor, "batch 2 h w"]

    @property
    def hand(self) -> Float[Tensor, "batch h w"]:
        """The logit of a hand's centre of either side: P(left) + P(right) = sigmoid(hand)."""
        return self.sides.logsumexp(dim=1)

    @property
    def right(self) -> Float[Tensor, "batch h w"]:
        """The logit of a right hand, given that there is a hand."""
        return self.sides[:, 1] - self.sides[:, 0]


class DetectionNetwork(nn.Module):
    """Image in [-1, 1] with sides divisible by 32 -> `Maps` of stride 8.

    The feature maps of strides 32, 16 and 8 are added from coarse to fine, with 64 channels each. Two heads
    read the sum: one for the centres, one for the boxes.

    Args:
        precision: precision of the convolutions; the outputs are float32.
    """

    def __init__(self, precision: Precision = "bf16"):
        super().__init__()
        self.precision: Precision = precision
        self.fixed, self.blocks = trunk(3)
        self.laterals = nn.ModuleList(layer(channels, WIDTH, bounded=False) for _, channels in MAPS.values())
        self.merged = layer(WIDTH, WIDTH, 3)
        self.centres = nn.Sequential(layer(WIDTH, WIDTH, 3), _output([math.log(PRIOR / 2 / (1 - PRIOR))] * 2))
        typical = math.log(TYPICAL_CELLS)
        self.boxes = nn.Sequential(layer(WIDTH, WIDTH, 3), _output([0.0, 0.0, typical, typical]))
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def train(self, mode: bool = True) -> "DetectionNetwork":
        """Set the training mode; BatchNorm of the fixed layers stays in evaluation mode."""
        super().train(mode)
        self.fixed.eval()
        return self

    def forward(self, image: Float[Tensor, "batch 3 height width"]) -> Maps:
        """Return the maps, float32."""
        with image_autocast(image.device, self.precision):
            return self.read(self.fixed(image.contiguous(memory_format=torch.channels_last)))

    def read(self, fixed: Float[Tensor, "batch c h w"]) -> Maps:
        """Return the maps of the output of the fixed layers."""
        with image_autocast(fixed.device, self.precision):
            merged = self.merged(top_down(self.laterals, feature_maps(self.blocks, fixed)))
            sides, box = self.centres(merged).float(), self.boxes(merged).float()
        return Maps(sides, box[:, :2], box[:, 2:])

    def pretrained(self) -> "DetectionNetwork":
        """Set the layers of EfficientNet to the weights learnt on ImageNet, and return the network."""
        load_imagenet(self.fixed, self.blocks)
        return self


def _output(start: list[float]) -> nn.Conv2d:
    """Return a last layer whose outputs are near `start` before training."""
    last = nn.Conv2d(WIDTH, len(start), 1)
    nn.init.normal_(last.weight, std=0.01)
    assert last.bias is not None
    last.bias.data = torch.tensor(start)
    return last
