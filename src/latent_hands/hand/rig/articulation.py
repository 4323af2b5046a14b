"""Articulations: the joint angles of a hand, in degrees."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from latent_hands.errors import HandsError
from latent_hands.shapes import Float

ANGLES = (
    *(
        f"{finger}_{angle}"
        for finger in ("index", "middle", "ring", "little")
        for angle in ("mcp_flexion", "mcp_abduction", "pip_flexion", "dip_flexion")
    ),
    *("thumb_cmc_flexion", "thumb_cmc_abduction", "thumb_cmc_twist", "thumb_mcp_flexion", "thumb_ip_flexion"),
    "little_cmc_flexion",
)
"""The names of the first 22 numbers of `Articulation.flat`: all angles but the two of the wrist."""
_SHAPES = {"fingers": (4, 4), "thumb": (5,), "arch": (), "wrist": (2,)}


@dataclass(frozen=True)
class Articulation:
    """The joint angles of a hand, in degrees. All are 0 for a flat hand with straight fingers.

    fingers: a row for index, middle, ring and little finger: [MCP flexion, MCP abduction, PIP flexion, DIP
    flexion]. Flexion bends towards the palm. Abduction is positive towards the little finger.
    thumb: [CMC flexion, CMC abduction, CMC twist, MCP flexion, IP flexion], 0 at rest. Abduction is negative
    out of the palm.
    arch: flexion of the little finger's metacarpal. That of the ring finger is half of it.
    wrist: [flexion, deviation]. Deviation is positive towards the little finger.
    """

    fingers: Float[np.ndarray, "4 4"]
    thumb: Float[np.ndarray, "5"]
    arch: float
    wrist: Float[np.ndarray, "2"]

    def flat(self) -> Float[np.ndarray, "24"]:
        """Return all angles as one vector: fingers row by row, thumb, arch, wrist."""
        return np.concatenate([self.fingers.ravel(), self.thumb, [self.arch], self.wrist])

    @staticmethod
    def from_flat(angles: Float[np.ndarray, "24"]) -> "Articulation":
        """Return the articulation of a vector of angles: the inverse of `flat`."""
        fingers, thumb, arch, wrist = np.split(angles, [16, 21, 22])
        return Articulation(fingers.reshape(4, 4), thumb, float(arch[0]), wrist)

    def to_json(self) -> dict[str, Any]:
        """Return the angles as lists and numbers, by name."""
        return {name: np.asarray(getattr(self, name)).tolist() for name in _SHAPES}

    @staticmethod
    def from_json(record: dict[str, Any]) -> "Articulation":
        """Return the articulation of a record: the inverse of `to_json`.

        Raises HandsError if a part is missing or has another shape.
        """
        parts = {}
        for name, shape in _SHAPES.items():
            if name not in record or np.shape(record[name]) != shape:
                raise HandsError(f"articulation: {name} must be given with the shape {shape}")
            parts[name] = np.asarray(record[name], float)
        return Articulation(**parts | {"arch": float(parts["arch"])})


def neutral() -> Articulation:
    """Return a relaxed open hand with every joint slightly bent."""
    fingers = [[12, -4, 14, 7], [13, 0, 16, 8], [14, 3, 16, 8], [15, 8, 15, 8]]
    return Articulation(np.array(fingers, float), np.array([2.0, -8, 2, 8, 10]), 2.0, np.zeros(2))


def blend(a: Articulation, b: Articulation, t: float) -> Articulation:
    """Interpolate linearly between the angles of `a` (t = 0) and `b` (t = 1)."""
    return Articulation.from_flat((1 - t) * a.flat() + t * b.flat())
