"""A painter of large images in two scales: what a small image cannot show is added to it."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import conv2d, interpolate, pad

from latent_hands.beyond.painter import (
    CHANNELS,
    HandPainter,
    Modulated,
    ModulatedBlock,
    draw_bones,
    painter_of,
)
from latent_hands.networks.spec import DECODERS, Precision, Request, image_autocast

GRAIN = 4
"""Channels of the fixed noise."""
TAPS = (-1 / 16, 4 / 16, 10 / 16, 4 / 16, -1 / 16)
"""The filter of `Smooth`, in each direction."""


class Smooth(nn.Module):
    """Remove patterns of features that repeat every `2 * apart` pixels, which upsampling leaves.

    In a larger image they would be dots. The filter is maximally flat at the lowest frequencies.
    """

    kernel: Tensor

    def __init__(self, channels: int, apart: int = 1):
        super().__init__()
        self.apart = apart
        taps = torch.tensor(TAPS, device="cpu")  # on the device "meta" it would have no values
        self.register_buffer("kernel", torch.outer(taps, taps).repeat(channels, 1, 1, 1), persistent=False)

    def forward(self, x: Float[Tensor, "batch c h w"]) -> Float[Tensor, "batch c h w"]:
        """Return the smoothed features in the type of `x`."""
        wide = pad(x, [self.apart * (len(TAPS) // 2)] * 4, mode="replicate")
        return conv2d(wide, self.kernel.to(x.dtype), dilation=self.apart, groups=len(self.kernel))


class FinePainter(nn.Module):
    """Vector and pose -> image in [-1, 1]: the smoothed image of a painter of half the size, and detail.

    Convolutions at half the image's resolution give the detail. They read the small image, the features that
    its hand was painted from, the drawn bones, and grain: fixed noise, without which a decoder of one vector
    can only write texture that repeats (after the noise of StyleGAN, Karras et al., CVPR 2019). Before
    training the detail is zero, so a trained painter of half the size can become `coarse`.

    Args:
        inputs: size of the vector, without the side.
        size_px: side of the image, a power of two from 32.
        width: channels of the layers of `coarse`; those of the detail have half as many.
        blocks, channels, sided, precision: see `HandPainter`.
    """

    grain: Tensor

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
        super().__init__()
        self.precision: Precision = precision
        self.size_px = size_px
        self.coarse = HandPainter(inputs, size_px // 2, width, blocks, channels, sided, precision)
        vector, fine = inputs + 2 * sided, width // 2
        self.scene_filter, self.small_filter = Smooth(channels, apart=2), Smooth(channels)
        self.carry, self.carried_filter = nn.Conv2d(width, fine, 1), Smooth(fine)
        self.first = Modulated(fine + channels + CHANNELS + GRAIN, fine, vector)
        self.register_buffer("grain", fixed_noise(GRAIN, size_px // 2), persistent=False)
        self.block = ModulatedBlock(fine, vector)
        self.paint = nn.Sequential(nn.Conv2d(fine, 4 * channels, 3, 1, 1), nn.PixelShuffle(2))
        for parameter in self.paint.parameters():
            nn.init.zeros_(parameter)
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def forward(
        self,
        z: Float[Tensor, "batch inputs"],
        side: Float[Tensor, "batch 2"] | None,
        pose: Float[Tensor, "batch 21 3"],
    ) -> Float[Tensor, "batch channels px px"]:
        """Return the image (batch, channels, size_px, size_px), float32; `pose` is in bone lengths."""
        return self.paint_over(self.scene_filter(self.coarse.scene(z, side)), z, side, pose)

    def paint_over(
        self,
        scene: Float[Tensor, "batch channels half half"],
        z: Float[Tensor, "batch inputs"],
        side: Float[Tensor, "batch 2"] | None,
        pose: Float[Tensor, "batch 21 3"],
    ) -> Float[Tensor, "batch channels px px"]:
        """Return the image of the hand in front of a scene of half its size."""
        features = self.coarse.features(z, side, pose)
        small = self.small_filter(self.coarse.compose(scene, features))
        z = z if side is None else torch.cat([z, side], dim=1)
        with image_autocast(z.device, self.precision):
            carried = enlarge(self.carried_filter(self.carry(features)))
            bones = draw_bones(pose, self.size_px // 2)
            grain = self.grain.expand(z.shape[0], -1, -1, -1)  # len(z) would be a constant in ONNX
            parts = [part.to(carried.dtype) for part in (carried, small, bones, grain)]
            x = torch.relu(self.first(torch.cat(parts, dim=1), z))
            detail = self.paint(self.block(x, z))
        return (enlarge(small) + detail.float()).clamp(-1, 1)


def fixed_noise(channels: int, size_px: int) -> Float[Tensor, "_ px px"]:
    """Return the same normally distributed numbers at every call, in processor memory.

    On the device "meta", on which graphs are only counted, random numbers would import PyTorch's compiler.
    """
    generator = torch.Generator().manual_seed(0)
    return torch.randn(channels, size_px, size_px, generator=generator, device="cpu")


def enlarge(image: Float[Tensor, "batch c h w"]) -> Float[Tensor, "batch c _ _"]:
    """Return the image at twice its resolution."""
    return interpolate(image, scale_factor=2, mode="bilinear")


@DECODERS.register("fine_painter")
def build(request: Request) -> FinePainter:
    """Build the painter of an image modality. Raises HandsError for another one, and without `over`."""
    return painter_of(FinePainter, "fine_painter", request)
