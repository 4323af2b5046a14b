"""Colours of solids: skin, faces, hair, cloth, wood and plain colours, as functions of places on them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32
from numpy import ndarray

from latent_hands.rendering.looks.cloth import Colour
from latent_hands.rendering.looks.skin import BARE_RGB, BLOOD_RGB, MELANIN_RGB

WAVES = 7


@dataclass(frozen=True)
class Paint:
    """The colours of a solid.

    Args:
        kind: "skin", "face", "cloth", "wood" or "plain".
        colours: Two colours, linear RGB; of a face, those of its hair and its eyes.
        melanin, blood: Pigments of skin.
        period_m: Period of the pattern of cloth or wood; 0 for none.
        gloss: Strength of the gloss, 0 .. 1.
        seed: Seed of the patterns.
        half_m: Half axes of the head of a face.
        hairline: Height of a face's hair above the middle of the head, in half heads; bald above 1.
        beard: Cover of a beard, 0 .. 1.
    """

    kind: str
    colours: tuple[Colour, Colour]
    melanin: float = 0.0
    blood: float = 0.0
    period_m: float = 0.0
    gloss: float = 0.2
    seed: int = 0
    half_m: tuple[float, float, float] = (1.0, 1.0, 1.0)
    hairline: float = 0.5
    beard: float = 0.0


def albedo(paint: Paint, at: Float32[ndarray, "n 3"]) -> Float32[ndarray, "n 3"]:
    """Return the albedo, linear RGB, at places on a solid, metres."""
    return _KINDS[paint.kind](paint, at).astype(np.float32)


def waves(at: Float32[ndarray, "n 3"], seed: int, size_m: float) -> Float32[ndarray, " n"]:
    """Return smooth noise of mean 0 and standard deviation 1 with features of this size."""
    rng = np.random.default_rng(seed)
    slopes = rng.normal(size=(3, WAVES)) * (2.2 / size_m)
    phases = rng.uniform(0, 2 * np.pi, WAVES)
    return np.sin(at @ np.float32(slopes) + np.float32(phases)).sum(1) * np.float32((2 / WAVES) ** 0.5)


def _skin(paint: Paint, at: ndarray) -> ndarray:
    uneven = 0.10 * waves(at, paint.seed, 0.05) + 0.05 * waves(at, paint.seed + 1, 0.006)
    blood = paint.blood * (1 + 1.5 * uneven) + 0.05 * waves(at, paint.seed + 2, 0.09)
    absorbed = (paint.melanin * (1 + uneven))[:, None] * MELANIN_RGB + blood[:, None] * BLOOD_RGB
    return np.array(BARE_RGB) * np.exp(-absorbed)


def _face(paint: Paint, at: ndarray) -> ndarray:
    """Return the colours of a head; its eyes look along -z, and y points down."""
    place = at / np.array(paint.half_m, np.float32)
    x, y, front = np.abs(place[:, 0]), place[:, 1], place[:, 2] < 0.1
    colour = _skin(paint, at)
    hair, eye = np.array(paint.colours, np.float32)
    streaks = 1 + 0.25 * waves(at * np.array([1, 0.2, 1], np.float32), paint.seed + 3, 0.006)
    ragged = 0.06 * waves(at, paint.seed + 4, 0.02)

    def blend(mask: ndarray, tone: ndarray, share: float = 1.0) -> None:
        colour[mask] += share * (tone - colour[mask])

    def oval(u: float, v: float, a: float, b: float) -> ndarray:
        return front & (((x - u) / a) ** 2 + ((y - v) / b) ** 2 < 1)

    dark = 0.45 * colour
    if paint.beard > 0:
        chin = front & (y > 0.28 + ragged) & ~oval(0.0, 0.45, 0.24, 0.1)
        blend(chin, hair[None], paint.beard)
    blend(oval(0.36, -0.10, 0.24, 0.15), dark[oval(0.36, -0.10, 0.24, 0.15)], 0.25)
    blend(oval(0.36, -0.08, 0.17, 0.07), np.array([0.75, 0.72, 0.70], np.float32))
    blend(oval(0.36, -0.08, 0.075, 0.075), eye)
    blend(oval(0.36, -0.08, 0.035, 0.035), np.array([0.01, 0.01, 0.01], np.float32))
    blend(oval(0.36, -0.145, 0.19, 0.02), dark[oval(0.36, -0.145, 0.19, 0.02)], 0.8)
    blend(oval(0.38, -0.27, 0.22, 0.045), hair, 0.75)
    blend(oval(0.10, 0.21, 0.05, 0.03), dark[oval(0.10, 0.21, 0.05, 0.03)], 0.7)
    lips = oval(0.0, 0.45, 0.26, 0.075)
    blend(lips, colour[lips] * np.array([0.85, 0.5, 0.5], np.float32), 0.8)
    line = oval(0.0, 0.45, 0.25, 0.013)
    blend(line, dark[line], 0.9)
    scalp = (y < -paint.hairline + ragged + 0.25 * x) | ((place[:, 2] > 0.1) & (y < 0.55 + ragged))
    colour[scalp] = hair * streaks[scalp, None].clip(0.3)
    return colour


def _cloth(paint: Paint, at: ndarray) -> ndarray:
    first, second = np.array(paint.colours, np.float32)
    share = np.zeros(len(at), np.float32)
    if paint.period_m > 0:
        turn = 2 * np.pi / paint.period_m
        share = np.clip(0.5 + 4 * np.sin(at[:, 1] * turn), 0, 1)
        if paint.seed % 2:
            share = (share + np.clip(0.5 + 4 * np.sin((at[:, 0] + at[:, 2]) * turn), 0, 1)) / 2
    folds = 1 + 0.10 * waves(at, paint.seed + 5, 0.06) + 0.05 * waves(at, paint.seed + 6, 0.008)
    return (first + share[:, None] * (second - first)) * folds[:, None].clip(0.3)


def _wood(paint: Paint, at: ndarray) -> ndarray:
    first, second = np.array(paint.colours, np.float32)
    bent = at * np.array([1, 0.08, 1], np.float32)
    grain = np.sin(waves(bent, paint.seed, 0.02) * 5) * 0.5 + 0.5
    share = 0.7 * grain + 0.3 * (0.5 + 0.5 * waves(bent, paint.seed + 1, 0.004)).clip(0, 1)
    return first + share[:, None] * (second - first)


def _plain(paint: Paint, at: ndarray) -> ndarray:
    first, second = np.array(paint.colours, np.float32)
    share = (0.5 + 0.6 * waves(at, paint.seed, 0.05)).clip(0, 1)
    return first + share[:, None] * (second - first)


_KINDS = {"skin": _skin, "face": _face, "cloth": _cloth, "wood": _wood, "plain": _plain}
