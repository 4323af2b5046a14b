"""Rings, bracelets and watches: bands around bones, which move with the hand."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32
from numpy import ndarray

from latent_hands.hand.rig.model import HandModel
from latent_hands.hand.rig.points import FINGER_BONES, FOREARM
from latent_hands.rendering.looks.cloth import Colour, cloth_colour, vivid_colour

METALS = ((0.85, 0.62, 0.28), (0.75, 0.75, 0.76), (0.80, 0.48, 0.36), (0.25, 0.25, 0.27))
"""Gold, silver, rose gold and dark steel, linear RGB."""
FINGER_REACH_M, ARM_REACH_M = 0.013, 0.06
"""Points that are farther from a bone do not belong to its finger or arm."""


@dataclass(frozen=True)
class Band:
    """A band around a bone.

    Args:
        bone: Number of the bone, see `latent_hands.hand.rig.points`.
        place_m: Distance of the band's middle from the bone's head.
        half_m: Half of its width.
        thickness_m: Its distance from the skin.
        colour: Its colour, linear RGB.
        metal: 1 for metal, 0 for leather, cloth or plastic.
        dial_m: Radius of a ring's stone or a watch's dial on the back of the hand, 0 for none.
        dial: Colour of stone or dial, linear RGB.
    """

    bone: int
    place_m: float
    half_m: float
    thickness_m: float
    colour: Colour
    metal: float
    dial_m: float
    dial: Colour


def sample_jewellery(rng: np.random.Generator) -> tuple[Band, ...]:
    """Draw one to three rings, a bracelet or watch, or both."""
    chance = rng.random()
    rings = rng.integers(1, 4) if chance < 0.65 else 0
    fingers = rng.choice(4, rings, replace=False, p=[0.2, 0.25, 0.4, 0.15])
    bands = [_ring(rng, int(finger)) for finger in fingers]
    return (*bands, _around_the_wrist(rng)) if chance > 0.4 else tuple(bands)


def _ring(rng: np.random.Generator, finger: int) -> Band:
    half_m = float(rng.uniform(0.0012, 0.0035))
    return Band(
        bone=int(FINGER_BONES[finger, 0]),
        place_m=float(rng.uniform(0.017, 0.024)),
        half_m=half_m,
        thickness_m=float(rng.uniform(0.0006, 0.0016)),
        colour=METALS[rng.integers(len(METALS))],
        metal=1.0,
        dial_m=float(rng.uniform(1.2, 2.0)) * half_m if rng.random() < 0.3 else 0.0,
        dial=vivid_colour(rng),
    )


def _around_the_wrist(rng: np.random.Generator) -> Band:
    watch, metal = rng.random() < 0.6, rng.random() < 0.4
    dark = float(rng.uniform(0.005, 0.05))
    return Band(
        bone=FOREARM,
        place_m=float(rng.uniform(0.012, 0.035)),
        half_m=float(rng.uniform(0.007, 0.012) if watch else rng.uniform(0.002, 0.008)),
        thickness_m=float(rng.uniform(0.0015, 0.003)),
        colour=METALS[rng.integers(len(METALS))] if metal else cloth_colour(rng),
        metal=float(metal),
        dial_m=float(rng.uniform(0.014, 0.021)) if watch else 0.0,
        dial=(dark, dark, dark) if rng.random() < 0.6 else (0.8, 0.8, 0.78),
    )


def band_frame(model: HandModel, band: Band) -> tuple[Float32[ndarray, "3"], Float32[ndarray, "3"], float]:
    """Return middle, axis and reach from the axis of a band on the mean hand at rest, metres."""
    heads, tails = model.mean[len(model.weights) :].reshape(2, -1, 3)
    head, tail = heads[band.bone], tails[band.bone]
    axis = (tail - head) / np.linalg.norm(tail - head)
    return head + band.place_m * axis, axis, ARM_REACH_M if band.bone == FOREARM else FINGER_REACH_M


def band_offset(model: HandModel, bands: tuple[Band, ...]) -> Float32[ndarray, " v"]:
    """Return how far bands lift each vertex, metres."""
    lift = np.zeros(len(model.rest), np.float32)
    for band in bands:
        middle, axis, reach_m = band_frame(model, band)
        offset = model.rest - middle
        along = offset @ axis
        near = np.linalg.norm(offset - along[:, None] * axis, axis=1) < reach_m
        lift = np.maximum(lift, band.thickness_m * (near & (np.abs(along) < band.half_m + 0.001)))
    return lift.astype(np.float32)
