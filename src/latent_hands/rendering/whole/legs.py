"""Legs and feet of a body: bare or in trousers, barefoot with toes or in shoes."""

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from latent_hands.rendering.whole.clothes import Dress
from latent_hands.rendering.whole.solids import Solid, rings, tube, unit

THIGH_M, SHIN_M = 0.43, 0.42
TOES = (
    (-0.027, 0.052, 0.0125),
    (-0.008, 0.046, 0.0085),
    (0.006, 0.042, 0.0080),
    (0.018, 0.036, 0.0078),
    (0.029, 0.030, 0.0075),
)
"""Each toe from the big one: its place across the foot, its length and its radius, metres."""


def leg(
    dress: Dress, hip: Float[ndarray, "3"], knee: Float[ndarray, "3"], ankle: Float[ndarray, "3"], bare: bool
) -> list[Solid]:
    """Return thigh and shin."""
    paint, scale = dress.bare if bare else dress.trousers, dress.scale
    thigh = hip + np.linspace(0, 1, 5)[:, None] * (knee - hip)
    shin = knee + np.linspace(0, 1, 6)[:, None] * (ankle - knee)
    return [
        tube(thigh, scale * np.array([0.095, 0.088, 0.078, 0.066, 0.058]), paint, 16),
        tube(shin, scale * np.array([0.056, 0.06, 0.057, 0.047, 0.038, 0.035]), paint, 16),
    ]


def foot(
    dress: Dress, ankle: Float[ndarray, "3"], toes: Float[ndarray, "3"], up: Float[ndarray, "3"], side: str
) -> list[Solid]:
    """Return a foot from the ankle towards the direction `toes`: bare with toes, or a shoe."""
    scale = dress.scale
    along = unit(toes)
    up = unit(up - (up @ along) * along)
    across = np.cross(along, up) * (1 if side == "left" else -1)
    heel = ankle - 0.045 * scale * up - 0.045 * scale * along
    steps = scale * np.array([0, 0.05, 0.1, 0.15, 0.185])
    wide = scale * np.array([0.03, 0.033, 0.037, 0.043, 0.038])
    high = scale * np.array([0.034, 0.042, 0.033, 0.02, 0.013])
    path = heel + steps[:, None] * along - (scale * 0.034 - high)[:, None] * up
    paint = dress.bare if dress.barefoot else dress.trousers
    solids = [
        rings(
            np.concatenate([path[:1] - 0.02 * scale * along, path, path[-1:] + 0.012 * scale * along]),
            np.concatenate([[0 * across], wide[:, None] * across, [0 * across]]),
            np.concatenate([[0 * up], high[:, None] * up, [0 * up]]),
            paint,
        ),
        tube([ankle + 0.03 * scale * up, ankle - 0.03 * scale * up], [0.035 * scale, 0.034 * scale], paint),
    ]
    if dress.barefoot:
        for k, (place, length, radius) in enumerate(TOES):
            start = path[-1] + scale * (place * across - 0.012 * k / 4 * along)
            middle = start + scale * 0.6 * length * along + 0.004 * up
            solids.append(
                tube(
                    [start, middle, start + scale * length * along - 0.004 * up],
                    [scale * radius] * 3,
                    paint,
                    10,
                )
            )
    return solids
