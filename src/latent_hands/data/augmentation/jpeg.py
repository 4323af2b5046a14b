"""Compression by JPEG, in batches on any device: all its steps except the lossless one."""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate, pad

from latent_hands.pixels import GREY_LEVELS

_BLOCK = 8
_RGB_TO_YCC = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))  # JFIF
_CHROMA_TO_RGB = ((0.0, 1.402), (-0.344136, -0.714136), (1.772, 0.0))
_LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)  # ITU-T T.81, table K.1
_CHROMINANCE = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *4 * ((99,) * 8,),
)  # table K.2


def jpeg(
    images: Float[Tensor, "batch 3 h w"], quality: Float[Tensor, " batch"], subsample: bool = True
) -> Float[Tensor, "batch 3 h w"]:
    """Encode images in -1..1 with libjpeg's quality 1..100, one for each image, and decode them again.

    `subsample` halves the resolution of the colours (4:2:0), as cameras do. Images may have any size:
    incomplete blocks are filled by repeating the border. No gradient passes. Because of ringing, results may
    lie slightly outside -1..1.
    """
    height, width = images.shape[-2:]
    unit = 2 * _BLOCK
    padded = pad(images, (0, -width % unit, 0, -height % unit), mode="replicate")
    levels = padded.mul_(GREY_LEVELS).sub_(0.5)  # JPEG encodes grey level 128 as 0
    to_ycc = torch.tensor(_RGB_TO_YCC).to(levels)
    ycc = torch.matmul(to_ycc, levels.flatten(2)).view_as(levels).round_()
    luma, chroma = ycc[:, :1], ycc[:, 1:]
    luma = _code(luma, quantisation(_LUMINANCE, quality)).add_(0.5)
    coded = _code(_halve(chroma) if subsample else chroma, quantisation(_CHROMINANCE, quality))
    if subsample:
        coded = interpolate(coded, scale_factor=2.0, mode="bilinear")  # libjpeg's "fancy" triangle filter
    to_rgb = torch.tensor(_CHROMA_TO_RGB).to(levels).expand(len(images), 3, 2)
    rgb = torch.baddbmm(luma.flatten(2), to_rgb, coded.flatten(2)).div_(GREY_LEVELS).view_as(levels)
    return rgb[..., :height, :width]


def quantisation(
    table: tuple[tuple[int, ...], ...], quality: Float[Tensor, " batch"]
) -> Float[Tensor, "batch 64"]:
    """Return the quantisation steps of the 64 frequencies, row by row, scaled by libjpeg's quality."""
    quality = quality.round()
    percent = torch.where(quality < 50, (5000 / quality).floor(), 200 - 2 * quality)
    steps = torch.tensor(table).to(quality).flatten()
    return ((steps * percent[:, None] + 50) / 100).floor().clamp(1, 255)


def _halve(planes: Tensor) -> Tensor:
    """Return the means of 2x2 pixels."""
    rows = planes[..., ::2, :] + planes[..., 1::2, :]
    return (rows[..., ::2] + rows[..., 1::2]).div_(4)


def _code(planes: Tensor, steps: Tensor) -> Tensor:
    """Quantise every block: round its cosine transform to whole numbers of steps."""
    dct, steps = _DCT.to(planes), steps[:, None]
    batch, channels, height, width = planes.shape
    grid = (batch, channels, height // _BLOCK, _BLOCK, width // _BLOCK, _BLOCK)
    blocks = planes.reshape(grid).transpose(3, 4)
    numbers = (blocks.flatten(4).flatten(1, 3) @ dct.mT).div_(steps).round_()
    return (numbers.mul_(steps) @ dct).view(blocks.shape).transpose(3, 4).reshape(planes.shape)


def _block_transform() -> Float[Tensor, "64 64"]:
    """Return the orthonormal cosine transform of a block whose pixels are listed row by row."""
    place = torch.arange(_BLOCK, dtype=torch.float64)
    cosines = torch.cos(math.pi / _BLOCK * (place + 0.5) * place[:, None]) * math.sqrt(2 / _BLOCK)
    cosines[0] /= math.sqrt(2)
    return torch.kron(cosines, cosines).float()


_DCT = _block_transform()
