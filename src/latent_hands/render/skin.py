"""Looks of skin, nails and cloth: what the shader needs to know, and how it is drawn at random."""

from dataclasses import dataclass

import numpy as np

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Skin:
    """Skin by what absorbs light in it.

    Args:
        melanin: 0.1 (very light) .. 2.4 (very dark).
        blood: Haemoglobin, around 0.5.
        mottle: Strength of uneven colour, 0 .. 1.
        bump: Roughness of the relief, 0 .. 1.
        oil: Strength of the gloss, around 1.
        veins: 0 .. 1.
        freckles: 0 .. 1.
        nail: Linear RGB of the nails' varnish, with `varnish` its cover (0: bare nails).
        seed: Of all patterns.
    """

    melanin: float
    blood: float
    mottle: float
    bump: float
    oil: float
    veins: float
    freckles: float
    nail: Colour
    varnish: float
    seed: int


@dataclass(frozen=True)
class Sleeve:
    """Cloth on the forearm.

    Args:
        start_m: Where it begins, metres from the wrist.
        thickness_m: How far it stands off the skin.
        colours: Linear RGB of its two colours.
        stripe_m: Period of its pattern along the arm; `check` adds the same across (0 .. 1).
        weave: Strength of its relief.
        seed: Of its folds.
    """

    start_m: float
    thickness_m: float
    colours: tuple[Colour, Colour]
    stripe_m: float
    check: float
    weave: float
    seed: int


def sample_skin(rng: np.random.Generator) -> Skin:
    """A random skin: tones spread evenly from light to dark."""
    varnished = rng.random() < 0.12
    return Skin(
        melanin=float(rng.uniform(0.12, 1.0) if rng.random() < 0.7 else rng.uniform(1.0, 2.4)),
        blood=float(np.clip(rng.normal(0.5, 0.17), 0.15, 1.0)),
        mottle=float(rng.uniform(0.3, 1.0)),
        bump=float(rng.uniform(0.3, 1.0)),
        oil=float(np.exp(rng.normal(-0.1, 0.5))),
        veins=float(max(0.0, rng.uniform(-0.6, 1.0))),
        freckles=float(max(0.0, rng.uniform(-2.0, 1.0))),
        nail=vivid_colour(rng),
        varnish=float(rng.uniform(0.7, 1.0)) if varnished else 0.0,
        seed=int(rng.integers(2**31)),
    )


def sample_sleeve(rng: np.random.Generator) -> Sleeve:
    """A random sleeve that ends between the wrist and the middle of the forearm."""
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


def cloth_colour(rng: np.random.Generator) -> Colour:
    """Mostly the muted colours of real cloth."""
    if rng.random() < 0.2:
        return vivid_colour(rng)
    grey = np.exp(rng.uniform(np.log(0.015), np.log(0.7)))
    red, green, blue = np.clip(grey * np.exp(rng.normal(0, 0.3, 3)), 0.005, 0.85)
    return float(red), float(green), float(blue)


def vivid_colour(rng: np.random.Generator) -> Colour:
    """A saturated colour."""
    red, green, blue = 0.02 + 0.7 * rng.random(3) ** 2.2
    return float(red), float(green), float(blue)
