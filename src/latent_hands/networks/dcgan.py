"""Image decoder of the paper (Sec. 4.1): the DCGAN generator (Radford et al., 2015)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from latent_hands.errors import HandsError
from latent_hands.networks.spec import DECODERS, Precision, Request, image_autocast


class DCGANDecoder(nn.Module):
    """Vector -> image in [-1, 1]: a 4x4 seed, then transposed convolutions that each double its side.

    BatchNorm and ReLU follow every layer but the last; tanh ends the network. Channels halve from 8 * width
    to width; the first two layers of the 128 px decoder both have 8 * width.

    Args:
        inputs: size of the vector without the side.
        size_px: side of the image, a power of two, at least 16.
        width: channels of the last feature map; the original has 64.
        channels: channels of the image.
        sided: whether a one-hot side is appended to the vector.
        precision: precision of the convolutions; the tanh is float32.
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
        super().__init__()
        doublings = size_px.bit_length() - 3
        if size_px < 16 or size_px != 4 << doublings:
            raise HandsError(
                f"the side of a decoded image is {size_px} px; it must be a power of two, at least 16"
            )
        self.precision: Precision = precision
        sizes = [width * min(8, 2**k) for k in reversed(range(doublings))]
        self.seed = nn.Sequential(
            nn.ConvTranspose2d(inputs + 2 * sided, sizes[0], 4, bias=False),
            nn.BatchNorm2d(sizes[0]),
            nn.ReLU(),
        )
        grown, below = [], sizes[0]
        for size in sizes[1:]:
            grown += [nn.ConvTranspose2d(below, size, 4, 2, 1, bias=False), nn.BatchNorm2d(size), nn.ReLU()]
            below = size
        self.growth = nn.Sequential(*grown, nn.ConvTranspose2d(below, channels, 4, 2, 1))
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def forward(
        self, z: Float[Tensor, "batch inputs"], side: Float[Tensor, "batch 2"] | None = None
    ) -> Float[Tensor, "batch channels px px"]:
        """Return images (batch, channels, size_px, size_px), float32 in [-1, 1]."""
        z = z if side is None else torch.cat([z, side], dim=1)
        seed = z[:, :, None, None].contiguous(memory_format=torch.channels_last)
        with image_autocast(z.device, self.precision):
            x = self.growth(self.seed(seed))
        return torch.tanh(x.float())


@DECODERS.register("dcgan")
def build(request: Request) -> DCGANDecoder:
    """Build the decoder of an image modality. Raises HandsError for another one, and for [decoders] over."""
    request.require("dcgan", image=True)
    n, channels = request.settings, request.modality.channels
    return DCGANDecoder(request.size, request.crop_px, n.decoder_width, channels, request.sided, n.precision)
