"""Objects in the hand or in front of it: rounded boxes, cylinders and ellipsoids.

All are superellipsoids (Barr 1981): (|y|^(2/e) + |z|^(2/e))^(e/f) + |x|^(2/f) = 1. The exponent e belongs to
the shape across the axis x, f to the shape along it: 1 is round, values near 0 are square.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int32
from numpy import ndarray

from latent_hands.hand.skeleton import INDEX_MCP, LITTLE_MCP, MIDDLE_MCP, WRIST
from latent_hands.rendering.looks.cloth import Colour, cloth_colour, vivid_colour

RINGS, SECTORS = 17, 28
SKIN_M = 0.009
"""Distance from the middle of a finger, or of the palm, to the surface of an object that it touches."""
THICKEST_M, THINNEST_M = 0.045, 0.004
HELD = np.array([5, 6, 7, 9, 10, 11, 13, 14, 15, 17, 18, 19])
"""Joints of the four fingers without their bases; they close around an object."""


@dataclass(frozen=True)
class Thing:
    """An object.

    Args:
        held: Whether it lies in the hand. A held object is as thick as the fingers allow.
        across, along: Exponents of its shape, 0.1 (box) .. 1 (ellipsoid).
        half_m: Half of its sides; the first two of a held object are shares of the free room.
        centre_m: Its middle in the camera frame; unused for a held object.
        turn: Rows of its rotation, relative to the hand for a held object, else to the camera.
        colours: Its two colours, linear RGB.
        stripe: Period of its pattern, in half sides.
        gloss: Strength of its gloss, 0 .. 1.
    """

    held: bool
    across: float
    along: float
    half_m: tuple[float, float, float]
    centre_m: tuple[float, float, float]
    turn: tuple[float, ...]
    colours: tuple[Colour, Colour]
    stripe: float
    gloss: float


def sample_thing(
    rng: np.random.Generator,
    palm_m: Float[ndarray, "3"],
    reach: float,
    turn: Float[ndarray, "3 3"],
) -> Thing:
    """Draw a random object, which is held or free.

    Args:
        rng: Source of random numbers.
        palm_m: The palm in the camera frame; a free object is between camera and palm.
        reach: Greatest sideways distance of a free object, as a share of its depth.
        turn: Rows of the rotation of a free object.
    """
    held = bool(rng.random() < 0.6)
    first = vivid_colour(rng) if rng.random() < 0.4 else cloth_colour(rng)
    depth = rng.uniform(0.6, 0.85)
    aside = palm_m[2] * reach * rng.uniform(-1, 1, 2)
    centre = depth * (palm_m + np.array([*aside, 0]))
    long = np.exp(rng.uniform(np.log(0.03), np.log(0.11))) if held else depth * rng.uniform(0.025, 0.08)
    thick = depth * rng.uniform(0.006, 0.022, 2)
    if held:
        lean = rng.normal(0, np.radians(12), 2)
        turn = np.array([[1, lean[0], lean[1]], [-lean[0], 1, 0], [-lean[1], 0, 1]])
        turn, _ = np.linalg.qr(turn.T)
        turn = (turn * np.sign(np.diag(turn))).T
        thick = np.array([1.0, 1.0 if rng.random() < 0.6 else rng.uniform(0.3, 1.0)])
    return Thing(
        held=held,
        across=float(rng.choice([1.0, 1.0, 0.3, 0.15])),
        along=float(rng.choice([1.0, 0.25, 0.15, 0.1])),
        half_m=(float(thick[0]), float(thick[1]), float(long)),
        centre_m=(float(centre[0]), float(centre[1]), float(centre[2])),
        turn=tuple(turn.ravel().tolist()),
        colours=(first, first if rng.random() < 0.5 else cloth_colour(rng)),
        stripe=float(rng.uniform(0.1, 0.8)),
        gloss=float(rng.uniform(0, 1)),
    )


def thing_faces() -> Int32[ndarray, "f 3"]:
    """Return the triangles of the grid of rings and sectors, wound outwards."""
    corner = np.arange(RINGS * SECTORS).reshape(RINGS, SECTORS)
    a, b = corner[:-1], np.roll(corner[:-1], -1, 1)
    d, c = corner[1:], np.roll(corner[1:], -1, 1)
    faces = [np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)]
    return np.concatenate(faces).astype(np.int32)


def unit_thing(across: float, along: float) -> Float32[ndarray, "n 3"]:
    """Return the grid's points on a superellipsoid with half sides of 1 and the axis x."""
    polar = np.linspace(-np.pi / 2, np.pi / 2, RINGS)[:, None]
    azimuth = np.arange(SECTORS) * 2 * np.pi / SECTORS

    def power(value: ndarray, exponent: float) -> ndarray:
        return np.sign(value) * np.abs(value) ** exponent

    radius = power(np.cos(polar).clip(1e-6), along)
    points = [
        power(np.sin(polar), along) * np.ones(SECTORS),
        radius * power(np.cos(azimuth), across),
        radius * power(np.sin(azimuth), across),
    ]
    return np.stack(points, -1).reshape(-1, 3).astype(np.float32)


def place_thing(thing: Thing, xyz_m: Float32[ndarray, "21 3"], mirrored: bool) -> Float32[ndarray, "n 3"]:
    """Return the points of an object in the camera frame; `mirrored` means that the hand is a left one."""
    points = unit_thing(thing.across, thing.along) * np.roll(thing.half_m, 1)
    turn = np.array(thing.turn).reshape(3, 3)
    if not thing.held:
        return (points @ turn + thing.centre_m).astype(np.float32)
    frame = hand_axes(xyz_m, mirrored)
    centre, room = grip(xyz_m, frame)
    points = points * np.array([1, room, room])
    return (points @ turn @ frame + centre).astype(np.float32)


def hand_axes(xyz_m: Float32[ndarray, "21 3"], mirrored: bool) -> Float[ndarray, "3 3"]:
    """Return three unit rows: from index to little finger, from wrist to middle MCP, and out of the palm."""
    y = xyz_m[MIDDLE_MCP] - xyz_m[WRIST]
    y = y / np.linalg.norm(y)
    x = xyz_m[LITTLE_MCP] - xyz_m[INDEX_MCP]
    x = x - (x @ y) * y
    x /= np.linalg.norm(x)
    return np.stack([x, y, np.cross(x, y) if mirrored else np.cross(y, x)]).astype(np.float64)


def grip(xyz_m: Float32[ndarray, "21 3"], frame: Float[ndarray, "3 3"]) -> tuple[Float[ndarray, "3"], float]:
    """Return the middle and the radius of the thickest rod that fits between palm and fingers."""
    joints = (xyz_m - xyz_m[MIDDLE_MCP]) @ frame.T
    along, out = np.meshgrid(np.linspace(-0.05, 0.01, 7), np.linspace(0.012, 0.055, 10))
    ends = joints[HELD][:, 1:]
    middles = (joints[HELD] + joints[HELD + 1])[:, 1:] / 2
    solid = np.concatenate([ends, middles])
    distance = np.hypot(along[..., None] - solid[:, 0], out[..., None] - solid[:, 1]).min(-1)
    room = np.minimum(distance, out) - SKIN_M
    best = np.unravel_index(room.argmax(), room.shape)
    radius = float(np.clip(room[best], THINNEST_M, THICKEST_M))
    return xyz_m[MIDDLE_MCP] + np.array([0, along[best], out[best]]) @ frame, radius
