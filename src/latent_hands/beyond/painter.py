"""A decoder that paints the hand, over a drawing of its bones, onto the scene.

It is still p(x | z), since the drawn pose is decoded from the same z. The look of a finger is learnt once for
all places and directions.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from latent_hands.errors import HandsError
from latent_hands.hand.boxes import SCENE_BONES
from latent_hands.hand.skeleton import BONES, MIDDLE_MCP, PALM
from latent_hands.networks.dcgan import DCGANDecoder
from latent_hands.networks.spec import DECODERS, Precision, Request, image_autocast
from latent_hands.paper.graph import Decoder
from latent_hands.paper.latent import Latent
from latent_hands.paper.modality import Modality

CHANNELS = len(BONES) + 3
THICKNESS = 0.22
"""Standard deviation of a drawn bone's profile, in middle bones: about half a finger."""
FEWEST_PX = 0.6
"""Smallest width of a drawn bone, in pixels: a thinner one would fall between the pixels of a coarse grid."""
FAINT = 0.1
"""Sum of the drawn bones below which the depth fades to zero, the depth of the palm."""
ARM = 2.5
"""Length of the drawn arm, in distances from palm to wrist: it leaves the image."""
FAR = -60.0
"""Smallest exponent of a line's profile. Below -87 a float32 is subnormal: 20 times slower to compute."""


@torch.no_grad()
def draw_bones(pose: Float[Tensor, "batch 21 3"], px: int) -> Float[Tensor, "batch channels {px} {px}"]:
    """Return a drawing of the hand: 20 bones, palm to wrist, and an arm as soft lines, and their depth.

    The last channel is the mean depth of the lines at a pixel. The projection is orthographic. The image
    spans SCENE_BONES bone lengths, with the palm in its middle.

    `pose` is in bone lengths relative to the palm, camera frame. The palm is the middle of wrist and middle
    MCP, so the wrist is the MCP mirrored at the palm. The arm is a guess: the wrist's flexion is unknown.
    The drawing has no gradient: images, whose likelihood weighs a hundred times as much as the pose's, would
    distort the poses. Channels come last in memory.
    """
    across = (2 * torch.arange(px, device=pose.device, dtype=pose.dtype) + 1) / px - 1
    right, down = across[:, None], across[:, None, None]
    palm, back = pose[:, PALM, None], (pose[:, PALM] - pose[:, MIDDLE_MCP])[:, None]
    heads = torch.cat([pose[:, [head for head, _ in BONES]], palm, palm + back], dim=1)
    tails = torch.cat([pose[:, [tail for _, tail in BONES]], palm + back, palm + (1 + ARM) * back], dim=1)
    x, y, z = ((heads * 2 / SCENE_BONES)[:, None, None, :, i] for i in range(3))
    dx, dy, dz = (((tails - heads) * 2 / SCENE_BONES)[:, None, None, :, i] for i in range(3))
    squared = (dx * dx + dy * dy).clamp(min=1e-8)
    along = ((right - x) * (dx / squared) + (down - y) * (dy / squared)).clamp_(0, 1)
    off = torch.addcmul(right - x, along, dx, value=-1).square_()
    off += torch.addcmul(down - y, along, dy, value=-1).square_()
    width = max(THICKNESS * 2 / SCENE_BONES, FEWEST_PX * 2 / px)
    line = off.mul_(-0.5 / width**2).clamp_(min=FAR).exp_()
    depth = torch.addcmul(z, along, dz).mul_(line).sum(dim=3, keepdim=True)
    depth /= FAINT + line.sum(dim=3, keepdim=True)
    return torch.cat([line, depth], dim=3).permute(0, 3, 1, 2)


INITIAL_OPACITY = -1.0
"""Log-odds of the hand's opacity before training."""


class Modulated(nn.Module):
    """A 3x3 convolution and BatchNorm, modulated by a vector (FiLM, Perez et al., AAAI 2018)."""

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
        """Return features of the same size."""
        gain, offset = self.decide(z)[:, :, None, None].chunk(2, dim=1)
        x = self.conv(x)
        if self.norm.training:
            return self.norm(x) * (1 + gain) + offset
        mean, variance = self.norm.get_buffer("running_mean"), self.norm.get_buffer("running_var")
        factor = (1 + gain) * (variance + self.norm.eps).rsqrt()[:, None, None]
        offset = offset - mean[:, None, None] * factor
        return torch.addcmul(offset.to(x.dtype), x, factor.to(x.dtype))


class ModulatedBlock(nn.Module):
    """Two modulated convolutions and a shortcut."""

    def __init__(self, width: int, vector: int):
        super().__init__()
        self.first = Modulated(width, width, vector)
        self.second = Modulated(width, width, vector)

    def forward(
        self, x: Float[Tensor, "batch c h w"], z: Float[Tensor, "batch vector"]
    ) -> Float[Tensor, "batch c h w"]:
        """Return ReLU(x + residual)."""
        return torch.relu(x + self.second(torch.relu(self.first(x, z)), z))


class HandPainter(nn.Module):
    """Vector and pose -> image in [-1, 1]: a hand and its arm in front of the scene of a DCGAN decoder.

    Convolutions over the drawn bones, at half the image's resolution, give the hand's colours and opacity.

    Args:
        inputs: size of the vector, without the side.
        size_px: side of the image, a power of two from 16.
        width: channels of the painting layers and of the scene's last feature map.
        blocks: residual blocks of the painting layers.
        channels, sided, precision: see `DCGANDecoder`.
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
        """Return the image (batch, channels, size_px, size_px), float32; `pose` is in bone lengths."""
        return self.compose(self.scene(z, side), self.features(z, side, pose))

    def features(
        self,
        z: Float[Tensor, "batch inputs"],
        side: Float[Tensor, "batch 2"] | None,
        pose: Float[Tensor, "batch 21 3"],
    ) -> Float[Tensor, "batch width half half"]:
        """Return the features that the hand is painted from, at half the image's resolution."""
        z = z if side is None else torch.cat([z, side], dim=1)
        with image_autocast(z.device, self.precision):
            x = torch.relu(self.first(draw_bones(pose, self.size_px // 2), z))
            for block in self.blocks:
                x = block(x, z)
        return x

    def compose(
        self, scene: Float[Tensor, "batch channels px px"], features: Float[Tensor, "batch width half half"]
    ) -> Float[Tensor, "batch channels px px"]:
        """Return the scene with the hand painted over it, float32."""
        with image_autocast(scene.device, self.precision):
            painted = self.paint(features).float()
        colour, opacity = torch.tanh(painted[:, :-1]), torch.sigmoid(painted[:, -1:] + INITIAL_OPACITY)
        return scene + opacity * (colour - scene)


Painter = TypeVar("Painter", bound=nn.Module)


def painter_of(kind: Callable[..., Painter], network: str, request: Request) -> Painter:
    """Build a painter that takes the arguments of `HandPainter`. Raises HandsError as `build` does."""
    request.require(network, image=True, painted=True)
    n, channels = request.settings, request.modality.channels
    return kind(
        request.size, request.crop_px, n.decoder_width, n.painter_blocks, channels, request.sided, n.precision
    )


@DECODERS.register("painter")
def build(request: Request) -> HandPainter:
    """Build the painter of an image modality. Raises HandsError for another one, and without `over`."""
    return painter_of(HandPainter, "painter", request)


class PaintedDecoder(Decoder):
    """p(image | z_factors) whose network paints over the 3DPose that another decoder predicts from z.

    Args:
        modality, factors, network, sided: see `Decoder`; the network also takes the pose (see `HandPainter`).
        over: the decoder of the pose. It must read some of the same factors, so that the image stays a
            function of them. It is an arrow of the graph itself, so its parameters are not registered here.

    Raises HandsError if `over` is not such a decoder.
    """

    def __init__(
        self,
        modality: Modality,
        factors: Iterable[str],
        network: nn.Module,
        over: Decoder,
        sided: bool = False,
    ):
        super().__init__(modality, factors, network, sided)
        self._over = (over,)

    def forward(self, latent: Latent, side: Float[Tensor, "batch 2"] | None = None) -> Tensor:
        """Return the mean of p(image | z), float32."""
        (over,) = self._over
        pose = over(latent, side if over.sided else None)
        return self.network(self.concatenate(latent), side, pose).float()


def check_over(name: str, factors: Iterable[str], over: str, decoders: Mapping[str, Decoder]) -> None:
    """Raise HandsError unless `over` is a decoder of the pose that reads some of these factors only."""
    read = set(factors)
    poses = [n for n, d in decoders.items() if d.writes == "pose" and set(d.factors) <= read]
    if over not in poses:
        raise HandsError(
            f'decoder "{name}" cannot paint over "{over}"; it must be a decoder of the pose that reads only '
            f"some of {', '.join(factors)}: {', '.join(poses) or 'none in this graph'}"
        )
