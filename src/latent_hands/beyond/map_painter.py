"""A painter whose scene also reads a map of places (`networks.scene_map`)."""

from itertools import pairwise
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from latent_hands.beyond.fine_painter import FinePainter, Smooth, enlarge
from latent_hands.beyond.painter import painter_of
from latent_hands.errors import HandsError
from latent_hands.networks.dcgan import DCGANDecoder
from latent_hands.networks.scene_map import CHANNELS, NUMBERS, SIDE
from latent_hands.networks.spec import DECODERS, Precision, Request, image_autocast

WIDTHS = (96, 64, 48, 32, 24)
"""Channels of the layers that decode the map, at 8, 16, 32, 64 and 128 px."""


class MapScene(DCGANDecoder):
    """Vector and map -> image in [-1, 1]: the image of a DCGAN decoder, and what the map adds to it.

    Before training the map adds nothing.

    Args:
        inputs: size of the vector, with the map.
        size_px: side of the image, from 16.
        width, channels, sided, precision: see `DCGANDecoder`.
    """

    def __init__(
        self,
        inputs: int,
        size_px: int,
        width: int = 64,
        channels: int = 3,
        sided: bool = False,
        precision: Precision = "bf16",
    ):
        super().__init__(inputs - NUMBERS, size_px, width, channels, sided, precision)
        doublings = (size_px // SIDE).bit_length() - 1
        grown = cast(nn.ConvTranspose2d, self.growth[0]).out_channels
        self.carry = nn.Conv2d(grown, WIDTHS[-1], 1)
        self.smooth = Smooth(channels, apart=2)
        sizes = [CHANNELS + WIDTHS[-1], *WIDTHS[: doublings + 1]]
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Conv2d(a, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU())
            for a, b in pairwise(sizes)
        )
        self.paint = nn.Conv2d(sizes[-1], channels, 3, padding=1)
        for parameter in self.paint.parameters():
            nn.init.zeros_(parameter)
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def forward(
        self, z: Float[Tensor, "batch inputs"], side: Float[Tensor, "batch 2"] | None = None
    ) -> Float[Tensor, "batch channels px px"]:
        """Return images (batch, channels, size_px, size_px), float32 in [-1, 1]."""
        vector, places = z[:, :-NUMBERS], z[:, -NUMBERS:].reshape(-1, CHANNELS, SIDE, SIDE)
        vector = vector if side is None else torch.cat([vector, side], dim=1)
        seed = vector[:, :, None, None].contiguous(memory_format=torch.channels_last)
        with image_autocast(z.device, self.precision):
            whole = self.growth[:3](self.seed(seed))
            x = torch.cat([places.to(whole.dtype), self.carry(whole)], dim=1)
            for i, layer in enumerate(self.layers):
                x = layer(enlarge(x) if i else x)
            soft, detail = self.smooth(self.growth[3:](whole).float()), self.paint(x).float()
        return torch.tanh(soft + detail)


class MapPainter(FinePainter):
    """Vector, map and pose -> image in [-1, 1]: a fine painter. Its scene reads the map, its hand does not.

    Args:
        inputs: size of the vector, with the map and without the side.
        size_px, width, blocks, channels, sided, precision: see `FinePainter`.
    """

    def __init__(
        self,
        inputs: int,
        size_px: int,
        width: int = 64,
        blocks: int = 2,
        channels: int = 3,
        sided: bool = False,
        precision: Precision = "bf16",
    ):
        super().__init__(inputs - NUMBERS, size_px, width, blocks, channels, sided, precision)
        self.coarse.scene = MapScene(inputs, size_px // 2, width, channels, sided, precision)

    def forward(
        self,
        z: Float[Tensor, "batch inputs"],
        side: Float[Tensor, "batch 2"] | None,
        pose: Float[Tensor, "batch 21 3"],
    ) -> Float[Tensor, "batch channels px px"]:
        """Return the image (batch, channels, size_px, size_px), float32; `pose` is in bone lengths."""
        return self.paint_over(self.coarse.scene(z, side), z[:, :-NUMBERS], side, pose)


@DECODERS.register("map_painter")
def build(request: Request) -> MapPainter:
    """Build the painter of an image modality. Raises HandsError for another one, and without a map."""
    if request.size <= NUMBERS or request.crop_px < 4 * SIDE:
        raise HandsError(
            f'network "map_painter" reads more than {NUMBERS} numbers and writes images of {4 * SIDE} px or '
            f"more, not {request.crop_px} px from {request.size} numbers"
        )
    return painter_of(MapPainter, "map_painter", request)
