"""Encoder and decoder of poses: "six fully connected layers with 512 hidden units" (Sec. 4.1)."""

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from latent_hands.networks.spec import DECODERS, ENCODERS, Request


class MLP(nn.Module):
    """Six Linear layers, the first five followed by ReLU, without BatchNorm.

    Args:
        inputs: size of the flattened input without the side.
        shape: shape of one output.
        hidden: units of each hidden layer.
        layers: number of Linear layers.
        sided: whether a one-hot side is appended to the input.
    """

    def __init__(
        self, inputs: int, shape: tuple[int, ...], hidden: int = 512, layers: int = 6, sided: bool = False
    ):
        super().__init__()
        self.shape = shape
        sizes = [inputs + 2 * sided] + [hidden] * (layers - 1)
        body = [part for a, b in pairwise(sizes) for part in (nn.Linear(a, b), nn.ReLU())]
        self.layers = nn.Sequential(*body, nn.Linear(sizes[-1], torch.Size(shape).numel()))
        self.initialise()

    def initialise(self) -> None:
        """Initialise hidden layers as He et al. (ICCV 2015) do, and the last as Glorot and Bengio do.

        PyTorch's default shrinks a signal to 1 % in five ReLU layers. Training would then start on a plateau
        where z carries no information, and would take many times as long.
        """
        *hidden, last = [layer for layer in self.layers if isinstance(layer, nn.Linear)]
        for layer in hidden:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
        nn.init.xavier_normal_(last.weight)
        nn.init.zeros_(last.bias)

    def forward(
        self, x: Float[Tensor, "batch ..."], side: Float[Tensor, "batch 2"] | None = None
    ) -> Float[Tensor, "batch ..."]:
        """Return (batch, *shape), float32."""
        x = x.flatten(1)
        if side is not None:
            x = torch.cat([x, side], dim=1)
        return self.layers(x).unflatten(1, self.shape)


class ResidualMLP(nn.Module):
    """Linear(x) + MLP(x), whose MLP returns 0 before training: what is nearly linear stays precise.

    Args: those of `MLP`.
    """

    def __init__(
        self, inputs: int, shape: tuple[int, ...], hidden: int = 512, layers: int = 6, sided: bool = False
    ):
        super().__init__()
        self.linear = MLP(inputs, shape, layers=1, sided=sided)
        self.residual = MLP(inputs, shape, hidden, layers, sided)
        last = self.residual.layers[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)

    def forward(
        self, x: Float[Tensor, "batch ..."], side: Float[Tensor, "batch 2"] | None = None
    ) -> Float[Tensor, "batch ..."]:
        """Return (batch, *shape), float32."""
        return self.linear(x, side) + self.residual(x, side)


@ENCODERS.register("mlp")
def build_encoder(request: Request) -> MLP:
    """Build the encoder of a modality that is not an image. Raises HandsError for an image."""
    request.require("mlp", image=False)
    n = request.settings
    return MLP(request.modality.numbers, (request.size,), n.hidden, n.layers, request.sided)


@DECODERS.register("mlp")
def build_decoder(request: Request) -> MLP:
    """Build the decoder of a modality that is not an image. Raises HandsError for an image."""
    request.require("mlp", image=False)
    n = request.settings
    return MLP(request.size, request.modality.sizes, n.hidden, n.layers, request.sided)


@ENCODERS.register("affine")
def build_affine_encoder(request: Request) -> MLP:
    """Build an encoder of one Linear layer. Raises HandsError for images."""
    request.require("affine", image=False)
    return MLP(request.modality.numbers, (request.size,), layers=1, sided=request.sided)


@DECODERS.register("residual_mlp")
def build_residual_decoder(request: Request) -> ResidualMLP:
    """Build a decoder with a linear part, of a modality that is not an image. Raises HandsError for one."""
    request.require("residual_mlp", image=False)
    n = request.settings
    return ResidualMLP(request.size, request.modality.sizes, n.hidden, n.layers, request.sided)
