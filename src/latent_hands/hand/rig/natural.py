"""Natural articulations: a mixture of Gaussians over joint angles, fitted to the poses of photographed hands.

The statistics are those of STB's ten training sequences (hand/assets/PROVENANCE.md).
"""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from jaxtyping import Float

from latent_hands.hand.rig.articulation import Articulation


@dataclass(frozen=True)
class Mixture:
    """A mixture of Gaussians over the angles of fingers, thumb and arch, in degrees.

    Args:
        share: Probability of each Gaussian.
        mean: Its mean.
        directions: Its principal directions, scaled by their standard deviations.
    """

    share: Float[np.ndarray, " groups"]
    mean: Float[np.ndarray, "groups 22"]
    directions: Float[np.ndarray, "groups directions 22"]

    @staticmethod
    @cache
    def load() -> "Mixture":
        """Return the shipped mixture; it is read once."""
        text = (files("latent_hands.hand") / "assets" / "natural_poses.json").read_text()
        groups = json.loads(text)["groups"]
        share, mean, directions = (
            np.array([g[name] for g in groups]) for name in ("share", "mean", "directions")
        )
        return Mixture(share / share.sum(), mean, directions)

    def draw(self, rng: np.random.Generator) -> Articulation:
        """Draw an articulation with a straight wrist. It may leave the limits of the joints."""
        group = rng.choice(len(self.share), p=self.share)
        along = rng.standard_normal(self.directions.shape[1])
        angles = self.mean[group] + along @ self.directions[group]
        return Articulation.from_flat(np.concatenate([angles, [0.0, 0.0]]))
