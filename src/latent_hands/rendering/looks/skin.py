"""The look of skin and nails."""

from dataclasses import dataclass

import numpy as np

from latent_hands.rendering.looks.cloth import Colour, vivid_colour

MELANIN_RGB = (0.56, 0.92, 1.28)
BLOOD_RGB = (0.06, 0.75, 0.60)
BARE_RGB = (0.80, 0.76, 0.68)
"""Skin reflects BARE_RGB * exp(-melanin * MELANIN_RGB - blood * BLOOD_RGB), linear RGB."""


@dataclass(frozen=True)
class Skin:
    """Skin, described by the pigments that absorb light.

    Args:
        melanin: Amount of melanin, 0.1 (very light) .. 2.1 (very dark).
        blood: Amount of haemoglobin, around 0.5.
        mottle: Strength of uneven colour, 0 .. 1.
        bump: Roughness of the relief, 0 .. 1.
        oil: Strength of the gloss, around 1.
        creases: Depth of the lines of joints and palm, 0 .. 1.
        freckles: Strength of freckles, 0 .. 1; old skin has up to 1.6.
        nail: Colour of the nail varnish, linear RGB.
        varnish: Cover of the varnish, 0 (bare nails) .. 1.
        seed: Seed of all patterns.
        veins: Visibility of veins on the back of the hand, 0 .. 1.
    """

    melanin: float
    blood: float
    mottle: float
    bump: float
    oil: float
    creases: float
    freckles: float
    nail: Colour
    varnish: float
    seed: int
    veins: float = 0.0


def sample_skin(rng: np.random.Generator) -> Skin:
    """Draw a random skin, from light to dark."""
    varnished = rng.random() < 0.12
    return Skin(
        melanin=float(rng.uniform(0.12, 1.0) if rng.random() < 0.7 else rng.uniform(1.0, 2.1)),
        blood=float(np.clip(rng.normal(0.5, 0.17), 0.15, 1.0)),
        mottle=float(rng.uniform(0.3, 1.0)),
        bump=float(rng.uniform(0.3, 1.0)),
        oil=float(np.exp(rng.normal(-0.3, 0.5))),
        creases=float(rng.uniform(0.3, 1.0)),
        freckles=float(max(0.0, rng.uniform(-2.0, 1.0))),
        nail=vivid_colour(rng),
        varnish=float(rng.uniform(0.7, 1.0)) if varnished else 0.0,
        seed=int(rng.integers(2**31)),
    )


def skin_tone(melanin: float, blood: float) -> Colour:
    """Return the albedo of skin, linear RGB."""
    absorbed = melanin * np.array(MELANIN_RGB) + blood * np.array(BLOOD_RGB)
    red, green, blue = BARE_RGB * np.exp(-absorbed)
    return float(red), float(green), float(blue)
