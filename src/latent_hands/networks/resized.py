"""Networks that work on smaller images than those of the crop ([encoders] and [decoders] px)."""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate


class Reduced(nn.Module):
    """An image encoder that reads means over squares of `times` pixels."""

    def __init__(self, network: nn.Module, times: int):
        super().__init__()
        self.network, self.times = network, times

    def forward(
        self, image: Float[Tensor, "batch channels px px"], side: Float[Tensor, "batch 2"] | None = None
    ) -> Float[Tensor, "batch outputs"]:
        """Return the network's output for the reduced images."""
        return self.network(avg_pool2d(image, self.times), side)


class Enlarged(nn.Module):
    """An image decoder, maybe one that paints over a pose, whose images are enlarged `times` (bilinear)."""

    def __init__(self, network: nn.Module, times: int):
        super().__init__()
        self.network, self.times = network, times

    def forward(
        self,
        z: Float[Tensor, "batch inputs"],
        side: Float[Tensor, "batch 2"] | None = None,
        *pose: Float[Tensor, "batch 21 3"],
    ) -> Float[Tensor, "batch channels px px"]:
        """Return enlarged images, float32."""
        return interpolate(self.network(z, side, *pose), scale_factor=self.times, mode="bilinear")
