"""Image encoder of the paper (Sec. 4.1): ResNet-18 (He et al., CVPR 2016)."""

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from latent_hands.networks.spec import ENCODERS, Precision, Request, Stem, image_autocast


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Float[Tensor, "batch c h w"]) -> Float[Tensor, "batch _ _ _"]:
        """Return ReLU(shortcut + residual)."""
        y = functional.relu(self.norm1(self.conv1(x)))
        return functional.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


def stem_layers(stem: Stem, channels: int, width: int) -> nn.Sequential:
    """Return the first layers: image -> features at a quarter of its resolution.

    "conv" is the original (7x7 with stride 2, max pooling). "unshuffle" folds 4x4 pixels into channels and is
    several times faster on a CPU.
    """
    norm = [nn.BatchNorm2d(width), nn.ReLU()]
    if stem == "unshuffle":
        return nn.Sequential(
            nn.PixelUnshuffle(4), nn.Conv2d(16 * channels, width, 3, 1, 1, bias=False), *norm
        )
    return nn.Sequential(
        nn.Conv2d(channels, width, 7, 2, 3, bias=False), *norm, nn.MaxPool2d(3, stride=2, padding=1)
    )


class ResNet18(nn.Module):
    """Image in [-1, 1] -> vector: a stem, eight residual blocks in four stages, mean pooling, one Linear.

    Args:
        outputs: size of the vector.
        width: channels of the first stage; the original has 64.
        stem: see `stem_layers`.
        channels: channels of the image.
        sided: whether a one-hot side is appended to the pooled features.
        precision: precision of the convolutions; the last layer is float32.
    """

    def __init__(
        self,
        outputs: int,
        width: int = 64,
        stem: Stem = "conv",
        channels: int = 3,
        sided: bool = False,
        precision: Precision = "bf16",
    ):
        super().__init__()
        self.precision: Precision = precision
        self.stem = stem_layers(stem, channels, width)
        sizes = [width, width, 2 * width, 4 * width, 8 * width]
        blocks = []
        for stage, (inputs, size) in enumerate(pairwise(sizes)):
            blocks += [ResidualBlock(inputs, size, 1 if stage == 0 else 2), ResidualBlock(size, size, 1)]
        self.stages = nn.Sequential(*blocks)
        self.head = nn.Linear(sizes[-1] + 2 * sided, outputs)
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def forward(
        self, image: Float[Tensor, "batch channels px px"], side: Float[Tensor, "batch 2"] | None = None
    ) -> Float[Tensor, "batch outputs"]:
        """Return (batch, outputs), float32."""
        # Below 64 px the last stage strides over a single pixel, and oneDNN leaves the bfloat16 gradient of
        # its kernel uninitialised.
        precision = self.precision if image.shape[-1] >= 64 else "float32"
        with image_autocast(image.device, precision):
            features = self.stages(self.stem(image.contiguous(memory_format=torch.channels_last)))
        pooled = features.float().mean(dim=(2, 3))
        return self.head(pooled if side is None else torch.cat([pooled, side], dim=1))


@ENCODERS.register("resnet18")
def build(request: Request) -> ResNet18:
    """Build the encoder of an image modality. Raises HandsError for another one."""
    request.require("resnet18", image=True)
    n = request.settings
    return ResNet18(request.size, n.width, n.stem, request.modality.channels, request.sided, n.precision)
