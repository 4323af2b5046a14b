"""A wall or a table close behind the hand: its place, which decides the shadow, and its look."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32
from numpy import ndarray

from latent_hands.rendering.looks.cloth import Colour, cloth_colour
from latent_hands.rendering.looks.light import Light, camera_to_world, environment, metered
from latent_hands.rendering.looks.sensor import film
from latent_hands.rendering.looks.texture import bricks, clouds, enlarge, plane, wood

KINDS = ("wall", "table", "wood", "cloth", "tiles")
KIND_SHARES = (0.35, 0.2, 0.2, 0.15, 0.1)
DISTANCE_M = (0.02, 0.35)
"""Range of the distance from the palm to the surface."""
TILT = 0.35
"""Standard deviation of the slopes of a surface against the image plane."""
DARKEST = 0.12
"""A share of the light always arrives: the room reflects it."""


@dataclass(frozen=True)
class NearSurface:
    """A plane behind the hand.

    Args:
        kind: One of KINDS.
        normal: Unit normal in the camera frame, towards the camera.
        offset_m: The plane is normal @ x = offset_m.
        colour: Its colour, linear RGB.
        exposure: Factor from radiance to the light of the film, for a light that needs no metering.
        seed: Seed of its pattern.
    """

    kind: str
    normal: tuple[float, float, float]
    offset_m: float
    colour: Colour
    exposure: float
    seed: int


def sample_near_surface(
    rng: np.random.Generator, palm_m: Float[ndarray, "3"], exposure: float
) -> NearSurface:
    """Draw a random surface behind a palm at this place of the camera frame."""
    kind = str(rng.choice(KINDS, p=KIND_SHARES))
    slopes = rng.normal(0, TILT, 2)
    normal = np.array([*slopes, -1.0]) / np.sqrt(1 + slopes @ slopes)
    distance_m = np.exp(rng.uniform(*np.log(DISTANCE_M)))
    return NearSurface(
        kind=kind,
        normal=(float(normal[0]), float(normal[1]), float(normal[2])),
        offset_m=float(normal @ palm_m - distance_m),
        colour=_colour(rng, kind),
        exposure=exposure,
        seed=int(rng.integers(2**31)),
    )


def _colour(rng: np.random.Generator, kind: str) -> Colour:
    """Draw a linear colour: walls and tables are light and pale, wood is brown."""
    if kind == "cloth":
        return cloth_colour(rng)
    grey = np.exp(rng.uniform(np.log(0.12), np.log(0.75)))
    warm, green = rng.normal(0.08, 0.12), rng.normal(0, 0.05)
    if kind == "wood":
        grey, warm = np.exp(rng.uniform(np.log(0.06), np.log(0.4))), rng.uniform(0.25, 0.6)
    red, green, blue = np.clip(grey * np.exp([warm, green, -warm]), 0.01, 0.85)
    return float(red), float(green), float(blue)


def paint_surface(surface: NearSurface, light: Light, size: int) -> Float32[ndarray, "s s 3"]:
    """Return the surface, lit by the light without shadows, gamma-coded."""
    rng = np.random.default_rng(surface.seed)
    surroundings = environment(light.place, light.seed)
    cosine = np.maximum(surroundings.directions @ camera_to_world(light) @ surface.normal, 0)
    sun = max(float(surroundings.sun @ camera_to_world(light) @ surface.normal), 0.0)
    irradiance = cosine @ surroundings.power + sun * surroundings.sun_power
    radiance = np.array(surface.colour) * np.array(light.tint) * irradiance / np.pi
    relief = _relief(rng, surface.kind, size)[..., None]
    across, _ = plane(rng, size, 1.0)
    falling = 1 + rng.uniform(0, 0.5) * across[..., None]
    warm = 1 + 0.15 * (relief - 1) * np.array([-1, 0, 1])
    shaded = radiance * surface.exposure * metered(light) * relief * warm * falling / falling.mean()
    return (film(shaded.clip(0).astype(np.float32)) ** np.float32(1 / 2.2)).astype(np.float32)


def _relief(rng: np.random.Generator, kind: str, size: int) -> Float32[ndarray, "s s"]:
    """Return the factors of a surface's colour, with a mean near 1."""
    if kind == "wood":
        pattern, depth = wood(rng, size), rng.uniform(0.15, 0.6)
    elif kind == "tiles":
        pattern, depth = bricks(rng, size), rng.uniform(0.2, 0.7)
    elif kind == "cloth":
        pattern, depth = enlarge(rng.random((size // 2, size // 2), dtype=np.float32), size), 0.2
        pattern = 0.6 * pattern + 0.8 * clouds(rng, size)
    else:
        pattern, depth = clouds(rng, size), rng.uniform(0.03, 0.3)
    return (1 + depth * (pattern - pattern.mean())).astype(np.float32)
