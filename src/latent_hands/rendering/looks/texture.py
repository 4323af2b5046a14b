"""Random patterns for backgrounds: grey maps in 0 .. 1, and their colouring (gamma-coded RGB)."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float32
from numpy import ndarray
from PIL import Image

Pattern = Callable[[np.random.Generator, int], Float32[ndarray, "s s"]]


def enlarge(grid: Float32[ndarray, "n m"], width: int, height: int = 0) -> Float32[ndarray, "h w"]:
    """Enlarge a grid smoothly (bicubic) to width x height, or to a square if no height is given."""
    return np.asarray(Image.fromarray(grid).resize((width, height or width), Image.Resampling.BICUBIC))


def clouds(rng: np.random.Generator, size: int) -> Float32[ndarray, "s s"]:
    """Draw noise of several octaves, rough or smooth, sometimes stretched."""
    first = int(rng.integers(2, 7))
    fall = rng.uniform(0.4, 0.85)
    stretch = int(rng.choice([1, 1, 1, 4]))
    total = np.zeros((size, size), np.float32)
    for octave in range(6):
        cells = first * 2**octave
        if cells > size:
            break
        total += np.float32(fall**octave) * enlarge(
            rng.random((cells + 3, cells // stretch + 3), dtype=np.float32) - 0.5, size
        )
    return normalise(total)


def gradient(rng: np.random.Generator, size: int) -> Float32[ndarray, "s s"]:
    """Draw a straight or round gradient."""
    x, y = plane(rng, size, 0.5)
    return normalise(x if rng.random() < 0.6 else np.sqrt(x * x + y * y))


def stripes(rng: np.random.Generator, size: int) -> Float32[ndarray, "s s"]:
    """Draw stripes, hard or soft, straight or wavy."""
    x, y = plane(rng, size, rng.uniform(2, 14))
    if rng.random() < 0.4:
        x = x + rng.uniform(0.1, 0.6) * np.sin(y * rng.uniform(0.5, 3))
    return harden(np.sin(2 * np.pi * x), rng)


def plaid(rng: np.random.Generator, size: int) -> Float32[ndarray, "s s"]:
    """Draw crossed stripes of two periods."""
    x, y = plane(rng, size, rng.uniform(2, 9))
    fine = int(rng.integers(2, 6))
    return normalise(
        harden(np.sin(2 * np.pi * x), rng)
        + harden(np.sin(2 * np.pi * y), rng)
        + 0.4 * np.sin(2 * np.pi * fine * x)
        + 0.4 * np.sin(2 * np.pi * fine * y)
    )


def checks(rng: np.random.Generator, size: int) -> Float32[ndarray, "s s"]:
    """Draw a chessboard or a grid of dots."""
    x, y = plane(rng, size, rng.uniform(2, 8))
    wave = np.sin(2 * np.pi * x) * np.sin(2 * np.pi * y)
    return harden(wave - (0.45 if rng.random() < 0.5 else 0.0), rng)


def bricks(rng: np.random.Generator, size: int) -> Float32[ndarray, "s s"]:
    """Draw bricks, tiles or planks with joints; each has its own grey."""
    x, y = plane(rng, size, rng.uniform(2, 8))
    long = rng.uniform(1, 6)
    row = np.floor(y).astype(int)
    x = x / long + rng.choice([0.0, 0.5]) * (row % 2)
    column = np.floor(x).astype(int)
    greys = rng.random(257, dtype=np.float32)
    tone = 0.5 + rng.uniform(0.1, 0.5) * (greys[(row * 57 + column * 131) % 257] - 0.5)
    joint = np.minimum(np.minimum(x % 1, 1 - x % 1) * long, np.minimum(y % 1, 1 - y % 1))
    return (tone - rng.uniform(-0.4, 0.5) * np.clip(1.5 - joint * rng.uniform(12, 40), 0, 1)).astype(
        np.float32
    )


def wood(rng: np.random.Generator, size: int) -> Float32[ndarray, "s s"]:
    """Draw the grain of wood: rings bent by noise."""
    x, y = plane(rng, size, 1.0)
    bend = enlarge(rng.random((5, 5), dtype=np.float32), size)
    fine = enlarge(rng.random((size // 2, 4), dtype=np.float32), size)
    rings = np.sqrt(x * x + (rng.uniform(0.1, 0.4) * y) ** 2) + rng.uniform(0.05, 0.3) * bend
    return normalise(np.sin(rings * rng.uniform(25, 90)) + 0.5 * fine)


def cells(rng: np.random.Generator, size: int) -> Float32[ndarray, "s s"]:
    """Draw Voronoi cells of one grey each, or the distance from their centres."""
    small = min(size, 160)
    count = int(np.exp(rng.uniform(np.log(6), np.log(60))))
    centres = rng.random((count, 2), dtype=np.float32) * small
    axis = np.arange(small, dtype=np.float32)
    bent = rng.uniform(0, 0.06) * small * (enlarge(rng.random((9, 9), dtype=np.float32), small) - 0.5)
    distance = (axis[:, None] + bent - centres[:, 0, None, None]) ** 2
    distance += (axis + bent - centres[:, 1, None, None]) ** 2
    if rng.random() < 0.3:
        return normalise(enlarge(np.sqrt(distance.min(0)), size))
    return enlarge(rng.random(count, dtype=np.float32)[distance.argmin(0)], size)


PATTERNS: tuple[Pattern, ...] = (clouds, gradient, wood, bricks, stripes, plaid, checks, cells)
PATTERN_SHARES = (0.45, 0.2, 0.12, 0.12, 0.03, 0.02, 0.02, 0.04)
"""All patterns and their shares; regular ones are rare, as behind photographed hands."""


def textured(
    rng: np.random.Generator, size: int, colours: Float32[ndarray, "c 3"]
) -> Float32[ndarray, "s s 3"]:
    """Draw a random pattern in the given colours, roughened and unevenly lit."""
    grey = PATTERNS[rng.choice(len(PATTERNS), p=PATTERN_SHARES)](rng, size)
    image = paint_with(grey, colours[rng.permutation(len(colours))[: rng.integers(2, len(colours) + 1)]])
    if rng.random() < 0.7:
        image *= (0.75 + 0.5 * clouds(rng, size))[..., None]
    if rng.random() < 0.5:
        image *= 1 + np.float32(rng.uniform(0.03, 0.2)) * (
            rng.random((size, size, 1), dtype=np.float32) - 0.5
        )
    return image


def paint_with(grey: Float32[ndarray, "s s"], colours: Float32[ndarray, "c 3"]) -> Float32[ndarray, "s s 3"]:
    """Map grey to a scale of colours."""
    steps = np.linspace(0, 1, 256) * (len(colours) - 1)
    table = np.stack([np.interp(steps, np.arange(len(colours)), channel) for channel in colours.T], 1)
    return table.astype(np.float32)[np.clip(grey * 255, 0, 255).astype(np.uint8)]


def plane(rng: np.random.Generator, size: int, periods: float) -> tuple[ndarray, ndarray]:
    """Draw rotated and shifted coordinates that span `periods` units across the image."""
    turn = rng.uniform(0, 2 * np.pi)
    axis = np.linspace(-0.5, 0.5, size, dtype=np.float32) * np.float32(periods)
    cosine, sine = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    left, up = (rng.random(2) * 4 - 2).astype(np.float32)
    return cosine * axis + sine * axis[:, None] + left, cosine * axis[:, None] - sine * axis + up


def harden(wave: ndarray, rng: np.random.Generator) -> ndarray:
    """Convert a wave in -1 .. 1 to grey in 0 .. 1, with soft or steep flanks."""
    return np.clip(0.5 + wave * np.float32(np.exp(rng.uniform(-0.7, 2.0))), 0, 1)


def normalise(values: ndarray) -> ndarray:
    """Stretch values to 0 .. 1."""
    low = values.min()
    return (values - low) / max(values.max() - low, 1e-6)
