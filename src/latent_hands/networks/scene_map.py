"""The encoder of a latent that holds where things are.

The last `NUMBERS` numbers of the latent are a map of SIDE x SIDE places with CHANNELS numbers each.
The others describe the image as a whole.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import interpolate

from latent_hands.errors import HandsError
from latent_hands.networks.resnet import ResNet18
from latent_hands.networks.spec import ENCODERS, Precision, Request, Stem, image_autocast

SIDE, CHANNELS = 8, 8
NUMBERS = SIDE * SIDE * CHANNELS


class MapResNet18(ResNet18):
    """ResNet-18 whose features at SIDE x SIDE places also give the map of the latent.

    Args:
        outputs: size of the vector: means, then log-variances. The map is the last part of each.
        size_px: side of the images, 32, 64, 128 or 256.
        width, stem, channels, precision: see `ResNet18`.
    """

    def __init__(
        self,
        outputs: int,
        size_px: int,
        width: int = 64,
        stem: Stem = "conv",
        channels: int = 3,
        precision: Precision = "bf16",
    ):
        super().__init__(outputs - 2 * NUMBERS, width, stem, channels, False, precision)
        self.stage = {32: 0, 64: 1, 128: 2, 256: 3}[size_px]
        found = width << self.stage
        self.context = nn.Conv2d(8 * width, found, 1)
        self.map_head = nn.Conv2d(found, 2 * CHANNELS, 3, padding=1)
        for parameter in self.map_head.parameters():
            nn.init.zeros_(parameter)
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def forward(
        self, image: Float[Tensor, "batch channels px px"], side: Float[Tensor, "batch 2"] | None = None
    ) -> Float[Tensor, "batch outputs"]:
        """Return (batch, outputs), float32."""
        count = 2 * (self.stage + 1)
        with image_autocast(image.device, self.precision):
            local = self.stages[:count](self.stem(image.contiguous(memory_format=torch.channels_last)))
            features = self.stages[count:](local)
            context = interpolate(self.context(features), size=(SIDE, SIDE), mode="bilinear")
            places = self.map_head(torch.relu(local + context)).float()
        mean, log_var = self.head(features.float().mean(dim=(2, 3))).chunk(2, dim=1)
        mean_map, log_var_map = (part.flatten(1) for part in places.chunk(2, dim=1))
        return torch.cat([mean, mean_map, log_var, log_var_map], dim=1)


@ENCODERS.register("resnet18_map")
def build(request: Request) -> MapResNet18:
    """Build the encoder of an image modality. Raises HandsError for another one, and for too few numbers."""
    request.require("resnet18_map", image=True)
    n, vector = request.settings, request.size // 2 - NUMBERS
    if vector < 1 or request.crop_px not in (32, 64, 128, 256) or request.sided:
        raise HandsError(
            f'network "resnet18_map" infers more than {NUMBERS} numbers from images of 32, 64, 128 or 256 px '
            f"without a side, not {request.size // 2} from {request.crop_px} px"
        )
    return MapResNet18(request.size, request.crop_px, n.width, n.stem, request.modality.channels, n.precision)
