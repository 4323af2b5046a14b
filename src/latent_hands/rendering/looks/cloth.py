"""Sleeves: their look, and how far they lift the surface of the arm."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32
from numpy import ndarray

Colour = tuple[float, float, float]
FOLDS = 4
HEM_M = 0.006


@dataclass(frozen=True)
class Sleeve:
    """Cloth on the forearm.

    Args:
        start_m: Distance of its hem from the wrist.
        thickness_m: Its distance from the skin.
        colours: Its two colours, linear RGB.
        stripe_m: Period of its pattern along the arm.
        check: Share of the same pattern across the arm, 0 .. 1.
        weave: Strength of its relief and folds, 0 .. 1.
        seed: Seed of its folds.
    """

    start_m: float
    thickness_m: float
    colours: tuple[Colour, Colour]
    stripe_m: float
    check: float
    weave: float
    seed: int


def sample_sleeve(rng: np.random.Generator) -> Sleeve:
    """Draw a random sleeve that ends between the wrist and the middle of the forearm."""
    first = cloth_colour(rng)
    plain = rng.random() < 0.55
    return Sleeve(
        start_m=float(rng.uniform(0.005, 0.13)),
        thickness_m=float(rng.uniform(0.0015, 0.008)),
        colours=(first, first if plain else cloth_colour(rng)),
        stripe_m=float(np.exp(rng.uniform(np.log(0.006), np.log(0.05)))),
        check=float(rng.choice([0.0, 1.0])),
        weave=float(rng.uniform(0.2, 1.0)),
        seed=int(rng.integers(2**31)),
    )


def cloth_offset(
    sleeve: Sleeve, rest_m: Float32[ndarray, "v 3"], forearm_m: Float32[ndarray, " v"]
) -> Float32[ndarray, " v"]:
    """Return how far a sleeve lifts each vertex, metres: its thickness with folds, and 0 on bare skin."""
    rng = np.random.default_rng(sleeve.seed)
    waves = (rng.normal(size=(3, FOLDS)) * rng.uniform(60, 220, FOLDS)).astype(np.float32)
    folds = np.sin(rest_m @ waves + rng.uniform(0, 2 * np.pi, FOLDS).astype(np.float32)).sum(1)
    rise = np.clip((forearm_m - sleeve.start_m) / HEM_M + 0.5, 0, 1)
    return (sleeve.thickness_m * rise * (1 + 0.22 * sleeve.weave * folds)).astype(np.float32)


def cloth_colour(rng: np.random.Generator) -> Colour:
    """Draw a colour of cloth, linear RGB, mostly a muted one."""
    if rng.random() < 0.2:
        return vivid_colour(rng)
    grey = np.exp(rng.uniform(np.log(0.015), np.log(0.7)))
    red, green, blue = np.clip(grey * np.exp(rng.normal(0, 0.3, 3)), 0.005, 0.85)
    return float(red), float(green), float(blue)


def vivid_colour(rng: np.random.Generator) -> Colour:
    """Draw a saturated colour, linear RGB."""
    red, green, blue = 0.02 + 0.7 * rng.random(3) ** 2.2
    return float(red), float(green), float(blue)
