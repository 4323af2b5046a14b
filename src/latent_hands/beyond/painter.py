"""Beyond the paper: a decoder of images that paints the hand, over a drawing of its bones, onto the scene."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from latent_hands.beyond.drawing import CHANNELS, draw_bones
from latent_hands.networks import Precision, image_autocast
from latent_hands.networks.dcgan import DCGANDecoder

DOUBTFUL = -1.0
"""Log-odds of the hand's opacity before anything is learnt."""


class Modulated(nn.Module):
    """3x3 convolution and BatchNorm; a vector gives gains and offsets (FiLM, Perez et al., AAAI 2018)."""

    def __init__(self, inputs: int, outputs: int, vector: int):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False)
        self.norm = nn.BatchNorm2d(outputs, affine=False)
        self.decide = nn.Linear(vector, 2 * outputs)
        nn.init.normal_(self.decide.weight, std=0.02)
        nn.init.zeros_(self.decide.bias)

    def forward(
        self, x: Float[Tensor, "batch c h w"], z: Float[Tensor, "batch vector"]
    ) -> Float[Tensor, "batch _ h w"]:
        """Features of the same size."""
        gain, offset = self.decide(z)[:, :, None, None].chunk(2, dim=1)
        return self.norm(self.conv(x)) * (1 + gain) + offset


class ModulatedBlock(nn.Module):
    """Two of them and a shortcut."""

    def __init__(self, width: int, vector: int):
        super().__init__()
        self.first = Modulated(width, width, vector)
        self.second = Modulated(width, width, vector)

    def forward(
        self, x: Float[Tensor, "batch c h w"], z: Float[Tensor, "batch vector"]
    ) -> Float[Tensor, "batch c h w"]:
        """ReLU(x + residual)."""
        return torch.relu(x + self.second(torch.relu(self.first(x, z)), z))


class HandPainter(nn.Module):
    """Vector and pose -> image in [-1, 1]: a hand and its arm before the scene that a DCGAN decoder shows.

    Convolutions over the drawn bones, at half the image's resolution, give the hand's colours and opacity.
    What a hand looks like near a bone is then learnt once for all places and directions.

    Args:
        inputs: size of the vector, without the side.
        size_px: side of the image, a power of two from 16.
        width: channels of the painting layers and of the scene's last feature map.
        blocks: residual blocks of the painting layers.
        channels, sided, precision: as those of `DCGANDecoder`.
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
        super().__init__()
        self.precision: Precision = precision
        self.size_px = size_px
        self.scene = DCGANDecoder(inputs, size_px, width, channels, sided, precision)
        vector = inputs + 2 * sided
        self.first = Modulated(CHANNELS, width, vector)
        self.blocks = nn.ModuleList(ModulatedBlock(width, vector) for _ in range(blocks))
        self.paint = nn.Sequential(nn.Conv2d(width, 4 * (channels + 1), 3, 1, 1), nn.PixelShuffle(2))
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def forward(
        self,
        z: Float[Tensor, "batch inputs"],
        side: Float[Tensor, "batch 2"] | None,
        pose: Float[Tensor, "batch 21 3"],
    ) -> Float[Tensor, "batch channels px px"]:
        """(batch, inputs), its 3DPose in bone lengths -> (batch, channels, size_px, size_px), float32."""
        scene = self.scene(z, side)
        z = z if side is None else torch.cat([z, side], dim=1)
        with image_autocast(z.device, self.precision):
            x = torch.relu(self.first(draw_bones(pose, self.size_px // 2), z))
            for block in self.blocks:
                x = block(x, z)
            painted = self.paint(x).float()
        colour, opacity = torch.tanh(painted[:, :-1]), torch.sigmoid(painted[:, -1:] + DOUBTFUL)
        return scene + opacity * (colour - scene)
