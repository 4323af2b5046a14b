"""The degrees of freedom of a hand, in degrees."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from latent_hands.errors import HandsError

SHAPES = {"fingers": (4, 4), "thumb": (5,), "arch": (), "wrist": (2,)}


@dataclass(frozen=True)
class Articulation:
    """Joint angles in degrees, zero for a flat hand with its fingers straight.

    fingers: index to little, each [MCP flexion, MCP abduction (positive to the little finger), PIP, DIP].
    thumb: [CMC flexion, CMC abduction (negative out of the palm), CMC twist, MCP, IP], zero at rest.
    arch: flexion of the little finger's metacarpal, which the ring finger's follows by half.
    wrist: [flexion, deviation (positive to the little finger)].
    """

    fingers: Float[np.ndarray, "4 4"]
    thumb: Float[np.ndarray, "5"]
    arch: float
    wrist: Float[np.ndarray, "2"]

    def flat(self) -> Float[np.ndarray, "24"]:
        """All angles as one vector: fingers row by row, thumb, arch, wrist."""
        return np.concatenate([self.fingers.ravel(), self.thumb, [self.arch], self.wrist])

    @staticmethod
    def from_flat(angles: Float[np.ndarray, "24"]) -> "Articulation":
        """Inverse of `flat`."""
        fingers, thumb, arch, wrist = np.split(angles, [16, 21, 22])
        return Articulation(fingers.reshape(4, 4), thumb, float(arch[0]), wrist)

    def to_json(self) -> dict[str, Any]:
        """Plain lists and numbers."""
        return {name: np.asarray(getattr(self, name)).tolist() for name in SHAPES}

    @staticmethod
    def from_json(record: dict[str, Any]) -> "Articulation":
        """Inverse of `to_json`; HandsError names a missing or misshaped part."""
        parts = {}
        for name, shape in SHAPES.items():
            if name not in record or np.shape(record[name]) != shape:
                raise HandsError(f"articulation: {name} must be given with shape {shape}")
            parts[name] = np.asarray(record[name], float)
        return Articulation(**parts | {"arch": float(parts["arch"])})


def neutral() -> Articulation:
    """A relaxed open hand, every joint slightly bent."""
    fingers = [[12, -4, 14, 7], [13, 0, 16, 8], [14, 3, 16, 8], [15, 8, 15, 8]]
    return Articulation(np.array(fingers, float), np.array([2.0, -8, 2, 8, 10]), 2.0, np.zeros(2))


def blend(a: Articulation, b: Articulation, t: float) -> Articulation:
    """Angles on the straight line from a (t = 0) to b (t = 1)."""
    return Articulation.from_flat((1 - t) * a.flat() + t * b.flat())
