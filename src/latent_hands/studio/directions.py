"""Principal directions of a factor: the axes of its sliders."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from latent_hands.paper.latent import Gaussian

MOST_SHOWN = 6
"""Directions of a factor that have a slider: the first ones, which change the output most."""
_RIDGE = 1e-4
"""Added to variances: units that code nothing have none."""


@dataclass(frozen=True, eq=False)
class Directions:
    """Coordinates of a factor: z = mean + c @ axes. Typical latents have coordinates of mean 0, variance 1.

    The axes are sorted by how much the decoded output changes along them.

    Attributes:
        mean: the mean of typical latents.
        axes: one direction a row, in the units of the latent.
        change: share of the change of the output that each direction causes. The shares sum to 1.
    """

    mean: Float[Tensor, " d"]
    axes: Float[Tensor, "d d"]
    change: Float[Tensor, " d"]

    @staticmethod
    def find(z: Float[Tensor, "n d"], outputs: Float[Tensor, "n p"]) -> "Directions":
        """Return the directions of latents and of the outputs that were decoded from them.

        The latents are whitened, c' = (z - mean) L^-T with L L^T = covariance. The outputs are fitted as a
        linear function of c', and the singular vectors of that function are the directions.
        """
        z, d = z.double(), z.shape[1]
        mean, covariance = z.mean(dim=0), torch.cov(z.T) + _RIDGE * torch.eye(d)
        L = torch.linalg.cholesky(covariance)
        white = torch.linalg.solve_triangular(L, (z - mean).T, upper=False).T
        away = outputs.double() - outputs.double().mean(dim=0)
        gram = white.T @ white + len(z) * _RIDGE * torch.eye(d)
        slope = torch.linalg.solve(gram, white.T @ away)
        U, singular, _ = torch.linalg.svd(slope, full_matrices=False)
        if U.shape[1] < d:  # fewer outputs than units: any completion will do
            U = torch.linalg.qr(torch.cat([U, torch.eye(d).double()], dim=1))[0]
            singular = torch.cat([singular, torch.zeros(d - len(singular))])
        squares = singular.square()
        return Directions(mean, U.T @ L.T, squares / squares.sum().clamp(min=1e-300))

    @property
    def titles(self) -> list[str]:
        """The number of each direction that is shown, and its share of the change of the output."""
        return [f"{i + 1} ({share:.0%})" for i, share in enumerate(self.change[:MOST_SHOWN].tolist())]

    @property
    def gaussian(self) -> Gaussian:
        """The mean and the variances of typical latents."""
        return Gaussian(self.mean[None].float(), self.axes.square().sum(dim=0).log()[None].float())

    def coordinates(self, z: Float[Tensor, "1 d"]) -> Float[Tensor, " d"]:
        """Return the coordinates of a latent."""
        return torch.linalg.solve(self.axes.T, z[0].double().cpu() - self.mean)

    def spread(self, posterior: Gaussian) -> Float[Tensor, " d"]:
        """Return the standard deviation of a posterior along each coordinate."""
        inverse = torch.linalg.inv(self.axes)
        variance = posterior.log_var[0].double().cpu().exp()
        return (inverse.square() * variance[:, None]).sum(dim=0).sqrt()

    def moved(self, z: Float[Tensor, "1 d"], index: int, value: float) -> Float[Tensor, "1 d"]:
        """Return the latent with one coordinate set to a value; the other coordinates do not change."""
        step = value - float(self.coordinates(z)[index])
        return z + (step * self.axes[index]).to(z)[None]

    def scale(self) -> float:
        """Return the root mean square distance between two random latents."""
        return float(self.axes.square().sum().mul(2).sqrt())


def measured(z: Float[Tensor, "n d"], decode: Callable[[Tensor], Tensor], part: int = 32) -> Directions:
    """Return the directions of latents, whose outputs `decode` returns, `part` latents at a time."""
    outputs = torch.cat([decode(each).flatten(1).float().cpu() for each in z.split(part)])
    return Directions.find(z.cpu(), outputs)
