"""Light: panoramas of real places or random lamps, reduced to a few directions and two glossy maps.

World frame: x right, y up, z backward. The rows of a panorama go from the zenith down, and its middle column
is the direction -z.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32
from numpy import ndarray
from safetensors.numpy import load_file
from scipy.sparse import csr_array

ASSETS = Path(__file__).parents[1] / "assets"
EVALUATION_PLACES = ("lab", "park", "venice", "workshop")
TRAINING_PLACES = (
    *("apartment", "bridge", "city", "dawn", "esplanade", "forest", "hall"),
    *("lobby", "night", "sky", "studio", "sunrise", "sunset", "warehouse"),
)
LAMPS = "lamps"
SHAPE = (32, 64)
GLOSS_SHAPE = (16, 32)
DIRECTIONS = 20
SKIN_LOBE, NAIL_LOBE = 14.0, 90.0  # exponents of the cosine to the mirror direction
LOBE_END = 1e-3  # smaller values of a lobe are set to 0
SUN_SHARE, SUN_ROUND = 0.08, 0.995  # least share of all light; least length of the mean direction
WHITE_BALANCE = 0.8  # cameras remove most of the mean colour of the light
METER_SHARE, METER_RANGE = 0.8, (0.4, 4.0)
"""The share of an exposure meter's correction in stops, and the range of its factor."""
LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)


@dataclass(frozen=True)
class Light:
    """The light, and the camera's rotation in its world.

    Args:
        place: Name of a panorama, or "lamps" for a few random lamps over a gradient.
        seed: Seed of the lamps.
        yaw_deg, pitch_deg, roll_deg: Rotation of the camera; at 0 it looks along -z and is upright.
        tint: Colour of the light, linear RGB around 1.
    """

    place: str
    seed: int
    yaw_deg: float
    pitch_deg: float
    roll_deg: float
    tint: tuple[float, float, float]


@dataclass(frozen=True)
class Environment:
    """A light prepared for shading. The mean radiance over all directions has luminance 1.

    Args:
        directions: Unit vectors towards the light, world frame.
        power: Radiance times solid angle of each direction, linear RGB.
        sun, sun_power: The same for one small and strong lamp with sharp shadows; the power is 0 for none.
        gloss: Radiance blurred by the lobes of skin and of nails, by direction as in a panorama.
    """

    directions: Float32[ndarray, "d 3"]
    power: Float32[ndarray, "d 3"]
    sun: Float32[ndarray, "3"]
    sun_power: Float32[ndarray, "3"]
    gloss: Float32[ndarray, "2 h w 3"]


def sample_light(rng: np.random.Generator, training: bool) -> Light:
    """Draw a random light; the places of training and evaluation are disjoint."""
    places = TRAINING_PLACES if training else EVALUATION_PLACES
    place = str(rng.choice(places)) if rng.random() < 0.7 else LAMPS
    warmth, green = rng.normal(0, 0.10), rng.normal(0, 0.03)
    return Light(
        place=place,
        seed=int(rng.integers(2**31)),
        yaw_deg=float(rng.uniform(-180, 180)),
        pitch_deg=float(rng.normal(-5, 18)),
        roll_deg=float(rng.normal(0, 8)),
        tint=(float(np.exp(warmth)), float(np.exp(green)), float(np.exp(-warmth))),
    )


def camera_to_world(light: Light) -> Float32[ndarray, "3 3"]:
    """Return the matrix M with x_world = M x_camera (camera: x right, y down, z forward)."""
    angles = np.deg2rad([light.yaw_deg, light.pitch_deg, light.roll_deg])
    (cy, cp, cr), (sy, sp, sr) = np.cos(angles), np.sin(angles)
    turn = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
    tilt = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    lean = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return (turn @ tilt @ lean @ np.diag([1, -1, -1])).astype(np.float32)


def metered(light: Light) -> float:
    """Return the factor by which a camera that measures the light on a wall before it changes the exposure.

    Light from behind the camera shortens the exposure; backlight lengthens it.
    """
    world = environment(light.place, light.seed)
    towards = camera_to_world(light) @ np.array([0, 0, -1], np.float32)
    wall = np.maximum(world.directions @ towards, 0) @ world.power
    wall = wall + max(float(world.sun @ towards), 0.0) * world.sun_power
    factor = (np.pi / max(float(wall @ LUMINANCE), 1e-3)) ** METER_SHARE
    return float(np.clip(factor, *METER_RANGE))


def environment(place: str, seed: int) -> Environment:
    """Return the light of a place, or of the lamps of a seed; it is prepared once."""
    return _environment(place, seed if place == LAMPS else 0)


@lru_cache(maxsize=64)
def _environment(place: str, seed: int) -> Environment:
    radiance = lamps(np.random.default_rng(seed)) if place == LAMPS else _places()[place].astype(np.float32)
    directions, solid_angle = _sphere(*SHAPE)
    power = radiance.reshape(-1, 3) * solid_angle[:, None]
    power /= power.sum(0) ** WHITE_BALANCE
    power /= (power @ LUMINANCE).sum() / (4 * np.pi)
    gloss = (_lobes() @ power).reshape(2, *GLOSS_SHAPE, 3)
    groups = median_cut(power.reshape(*SHAPE, 3) @ LUMINANCE, DIRECTIONS)
    member = np.zeros((DIRECTIONS, groups.size), np.float32)
    member[groups.ravel(), np.arange(groups.size)] = 1
    luminance = power @ LUMINANCE
    towards, energy, power = member @ (directions * luminance[:, None]), member @ luminance, member @ power
    length = np.linalg.norm(towards, axis=1)
    towards /= length[:, None]
    sun_power = np.zeros(3, np.float32)
    brightest = int(energy.argmax())
    if energy[brightest] > SUN_SHARE * energy.sum() and length[brightest] > SUN_ROUND * energy[brightest]:
        sun_power, power[brightest] = power[brightest].copy(), 0
    return Environment(towards, power, towards[brightest], sun_power, gloss.astype(np.float32))


def lamps(rng: np.random.Generator) -> Float32[ndarray, "h w 3"]:
    """Draw the radiance of one to four lamps of random size, colour and place over a dim gradient."""
    directions, _ = _sphere(*SHAPE)
    up = rng.normal(size=3) + np.array([0, 1.5, 0])
    height = directions @ (up / np.linalg.norm(up)) * 0.5 + 0.5
    radiance = height[:, None] * _warmth(rng, 0.15) + (1 - height[:, None]) * _warmth(
        rng, 0.15
    ) * rng.uniform(0.1, 0.8)
    for _ in range(rng.integers(1, 5)):
        centre = rng.normal(size=3) + np.array([0, 0.6, 0.2])
        centre /= np.linalg.norm(centre)
        sharpness = np.exp(rng.uniform(np.log(2), np.log(3000)))
        energy = np.exp(rng.normal(0, 0.7))
        lobe = sharpness * np.exp(sharpness * (directions @ centre - 1))
        radiance += energy * lobe[:, None] * _warmth(rng, 0.12)
    return radiance.reshape(*SHAPE, 3).astype(np.float32)


def _warmth(rng: np.random.Generator, spread: float) -> ndarray:
    """Draw a colour between the light of a candle and of the sky."""
    return np.exp(rng.normal(0, spread) * np.array([1, 0.1, -1]))


def median_cut(energy: Float[ndarray, "h w"], count: int) -> ndarray:
    """Divide a panorama into `count` regions of similar energy (Debevec 2005); return each pixel's region."""
    groups = np.zeros(energy.shape, int)
    stretch = np.sin((np.arange(energy.shape[0]) + 0.5) * np.pi / energy.shape[0])
    boxes = [(float(energy.sum()), 0, energy.shape[0], 0, energy.shape[1])]
    while len(boxes) < count:
        boxes.sort(key=lambda box: box[0] * (box[2] - box[1] + box[4] - box[3] > 2))
        _, top, bottom, left, right = boxes.pop()
        block = energy[top:bottom, left:right]
        tall = bottom - top >= (right - left) * stretch[top:bottom].mean() and bottom - top > 1
        across = block.sum(1) if tall or right - left == 1 else block.sum(0)
        half = int(np.searchsorted(across.cumsum(), across.sum() / 2)) + 1
        half = min(max(half, 1), len(across) - 1)
        if tall or right - left == 1:
            parts = [(top, top + half, left, right), (top + half, bottom, left, right)]
        else:
            parts = [(top, bottom, left, left + half), (top, bottom, left + half, right)]
        boxes += [(float(energy[a:b, c:d].sum()), a, b, c, d) for a, b, c, d in parts]
    for number, (_, top, bottom, left, right) in enumerate(boxes):
        groups[top:bottom, left:right] = number
    return groups


@lru_cache(maxsize=1)
def _places() -> dict[str, ndarray]:
    return load_file(ASSETS / "light.safetensors")


@lru_cache(maxsize=2)
def _sphere(height: int, width: int) -> tuple[Float32[ndarray, "n 3"], Float32[ndarray, " n"]]:
    """Return the direction and the solid angle of each pixel of a panorama."""
    polar = (np.arange(height) + 0.5) * np.pi / height
    azimuth = (np.arange(width) + 0.5) * 2 * np.pi / width - np.pi
    polar, azimuth = (grid.ravel() for grid in np.meshgrid(polar, azimuth, indexing="ij"))
    directions = [np.sin(polar) * np.sin(azimuth), np.cos(polar), -np.sin(polar) * np.cos(azimuth)]
    solid_angle = np.sin(polar) * (np.pi / height) * (2 * np.pi / width)
    return np.stack(directions, 1).astype(np.float32), solid_angle.astype(np.float32)


@lru_cache(maxsize=1)
def _lobes() -> csr_array:
    """Return the matrix, (pixels of both gloss maps, directions), of the lobes of skin and nails."""
    directions, solid_angle = _sphere(*SHAPE)
    cosine = np.maximum(_sphere(*GLOSS_SHAPE)[0] @ directions.T, 0)
    lobes = np.concatenate([cosine**SKIN_LOBE, cosine**NAIL_LOBE])
    lobes[lobes < LOBE_END] = 0
    return csr_array(lobes / (lobes @ solid_angle)[:, None])
