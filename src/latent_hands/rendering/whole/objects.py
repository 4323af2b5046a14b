"""Objects that a hand detector may mistake for hands, and things that stand around."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from latent_hands.rendering.looks.cloth import Colour, cloth_colour, vivid_colour
from latent_hands.rendering.looks.skin import skin_tone
from latent_hands.rendering.whole.clothes import sample_cloth
from latent_hands.rendering.whole.paint import Paint
from latent_hands.rendering.whole.solids import Solid, block, ellipsoid, tube, unit

WOODS: tuple[tuple[Colour, Colour], ...] = (
    *(((0.45, 0.27, 0.13), (0.30, 0.16, 0.07)), ((0.60, 0.42, 0.25), (0.50, 0.32, 0.17))),
    *(((0.14, 0.06, 0.03), (0.07, 0.03, 0.015)), ((0.70, 0.55, 0.38), (0.62, 0.44, 0.27))),
)


def sample_objects(
    rng: np.random.Generator, count: int, centre: Callable[[], Float[ndarray, "3"]]
) -> list[Solid]:
    """Draw objects at the places that `centre` draws, each in a random orientation."""
    solids = []
    for _ in range(count):
        kind = _KINDS[rng.choice(len(_KINDS), p=_SHARES)]
        turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        turn[0] *= np.linalg.det(turn)
        place = centre()
        solids += [solid.moved(turn, place) for solid in kind(rng)]
    return solids


def object_paint(rng: np.random.Generator) -> Paint:
    """Draw the paint of an object: skin-coloured, wooden, of cloth, or of any colour."""
    chance = rng.random()
    seed, gloss = int(rng.integers(2**31)), float(rng.uniform(0.1, 1))
    if chance < 0.4:
        tone = skin_tone(float(rng.uniform(0.1, 2.0)), float(rng.uniform(0.2, 0.9)))
        red, green, blue = (float(value * shade) for value, shade in zip(tone, (1, 0.97, 0.95), strict=True))
        return Paint(
            "plain", ((red, green, blue), (0.85 * red, 0.8 * green, 0.8 * blue)), gloss=gloss, seed=seed
        )
    if chance < 0.6:
        return Paint("wood", WOODS[rng.integers(len(WOODS))], gloss=gloss, seed=seed)
    if chance < 0.7:
        return sample_cloth(rng)
    first = vivid_colour(rng) if rng.random() < 0.5 else cloth_colour(rng)
    return Paint("plain", (first, first if rng.random() < 0.5 else cloth_colour(rng)), gloss=gloss, seed=seed)


def _bunch(rng: np.random.Generator) -> list[Solid]:
    """Return bananas, sausages, carrots or candles: bent rods side by side, like fingers."""
    paint = object_paint(rng)
    if rng.random() < 0.3:
        yellow = float(rng.uniform(0.3, 0.6))
        paint = Paint("plain", ((0.75, yellow, 0.04), (0.65, 0.8 * yellow, 0.05)), gloss=0.4, seed=paint.seed)
    count, length = int(rng.integers(2, 8)), rng.uniform(0.05, 0.18)
    radius, bend = rng.uniform(0.007, 0.018), rng.uniform(0, 0.5)
    fan, gap = rng.uniform(0, 0.25), rng.uniform(1.6, 2.6) * radius
    taper = np.linspace(1, rng.uniform(0.4, 1.0), 6)
    solids = []
    for k in range(count):
        reach = length * rng.uniform(0.8, 1.1)
        angle = fan * (k - (count - 1) / 2) + rng.normal(0, 0.04)
        t = np.linspace(0, 1, 6)
        path = reach * np.stack(
            [np.sin(angle) * t, np.cos(angle) * t, bend * t * t + 0.05 * rng.normal() * t], 1
        )
        path += [gap * (k - (count - 1) / 2), 0, 0]
        solids.append(tube(path, radius * taper, paint, 10))
    if rng.random() < 0.12:
        palm = ellipsoid((0.5 * gap * count, 0.3 * length, 1.6 * radius), paint, 10, 14)
        solids.append(palm.moved(np.eye(3), np.array([0, -0.15 * length, 0])))
    return solids


def _ball(rng: np.random.Generator) -> list[Solid]:
    half = rng.uniform(0.02, 0.12) * np.array([1, *rng.uniform(0.6, 1, 2)])
    return [ellipsoid(half.tolist(), object_paint(rng))]


def _stick(rng: np.random.Generator) -> list[Solid]:
    """Return a stick with branches, or a fork."""
    paint, length, radius = object_paint(rng), rng.uniform(0.1, 0.6), rng.uniform(0.004, 0.025)
    trunk = [np.zeros(3), np.array([0.03 * length * rng.normal(), length / 2, 0]), np.array([0, length, 0])]
    solids = [tube(trunk, [radius, 0.9 * radius, 0.7 * radius], paint)]
    for _ in range(int(rng.integers(0, 6))):
        start = np.array([0, rng.uniform(0.3, 1) * length, 0])
        out = unit(rng.normal([0, 0.8, 0], 0.6))
        solids.append(
            tube([start, start + rng.uniform(0.1, 0.4) * length * out], [0.6 * radius, 0.4 * radius], paint)
        )
    return solids


def _box(rng: np.random.Generator) -> list[Solid]:
    half = np.exp(rng.uniform(np.log(0.01), np.log(0.15), 3))
    return [block(half.tolist(), object_paint(rng))]


def _vessel(rng: np.random.Generator) -> list[Solid]:
    """Return a mug, a bottle or a candle, sometimes with a handle."""
    paint, height, radius = object_paint(rng), rng.uniform(0.05, 0.13), rng.uniform(0.015, 0.05)
    neck = rng.choice([1.0, 1.0, 0.4])
    steps = np.array([-1, -0.6, 0.2, 0.5, 1.0])
    path = np.outer(steps, [0, height, 0])
    solids = [tube(path, radius * np.array([1, 1, 1, 0.5 + 0.5 * neck, neck]), paint, 18)]
    if rng.random() < 0.4:
        angle = np.linspace(-np.pi / 2, np.pi / 2, 8)
        ring = np.stack([radius + 0.6 * radius * np.cos(angle), 0.5 * height * np.sin(angle), 0 * angle], 1)
        solids.append(tube(ring, [0.15 * radius + 0.002] * 8, paint, 8))
    return solids


def _limb(rng: np.random.Generator) -> list[Solid]:
    """Return a bare bent limb of skin colour without a hand, such as a knee or an elbow."""
    seed = int(rng.integers(2**31))
    none = (0.0, 0.0, 0.0)
    paint = Paint("skin", (none, none), float(rng.uniform(0.1, 2)), float(rng.uniform(0.2, 0.9)), seed=seed)
    bend, reach = rng.uniform(0.2, 2.4), rng.uniform(0.15, 0.5)
    radius = rng.uniform(0.03, 0.07)
    path = [np.array([0, -reach, 0.0]), np.zeros(3), reach * np.array([np.sin(bend), -np.cos(bend) * -1, 0])]
    half = [(path[0] + path[1]) / 2, (path[1] + path[2]) / 2]
    full = [path[0], half[0], path[1], half[1], path[2]]
    return [tube(full, radius * np.array([1.1, 1.1, 0.95, 1.05, 0.9]), paint, 14)]


_KINDS: tuple[Callable[[np.random.Generator], list[Solid]], ...] = (
    _bunch,
    _ball,
    _stick,
    _box,
    _vessel,
    _limb,
)
_SHARES = (0.3, 0.15, 0.15, 0.15, 0.15, 0.1)
