"""Indoor backdrops: plain walls, and rooms of rectangles such as doors, frames, shelves and windows."""

import numpy as np
from jaxtyping import Float32
from numpy import ndarray
from PIL import Image, ImageDraw, ImageFilter

from latent_hands.rendering.looks.cloth import cloth_colour
from latent_hands.rendering.looks.texture import enlarge
from latent_hands.rendering.whole.objects import WOODS

GRAIN = 0.012


def plain_wall(rng: np.random.Generator, size: int) -> Float32[ndarray, "s s 3"]:
    """Draw a wall of one colour in uneven light, linear light."""
    return _lit(rng, np.tile(_wall_colour(rng), (size, size, 1)))


def room(rng: np.random.Generator, size: int) -> Float32[ndarray, "s s 3"]:
    """Draw a wall with a floor or a table, and two to nine things of straight edges, linear light."""
    canvas = Image.new("RGB", (2 * size, 2 * size), _coded(_wall_colour(rng)))
    draw = ImageDraw.Draw(canvas)
    span = 2 * size
    tilt = rng.normal(0, 0.03)
    if rng.random() < 0.6:
        height = rng.uniform(0.45, 0.95)
        ends = [(0, span * (height - tilt)), (span, span * (height + tilt)), (span, span), (0, span)]
        wood = WOODS[rng.integers(len(WOODS))][0]
        draw.polygon(ends, fill=_coded(np.array(wood if rng.random() < 0.5 else cloth_colour(rng))))
    for _ in range(int(rng.integers(2, 10))):
        _furniture(rng, draw, span, tilt)
    image = canvas.reduce(2).filter(ImageFilter.GaussianBlur(float(rng.uniform(0, 0.006) * size)))
    return _lit(rng, (np.asarray(image, np.float32) / 255) ** np.float32(2.2))


def _furniture(rng: np.random.Generator, draw: ImageDraw.ImageDraw, span: int, tilt: float) -> None:
    """Draw a rectangle with a border, and sometimes shelves or panes in it."""
    centre = rng.uniform(-0.1, 1.1, 2)
    half = np.exp(rng.uniform(np.log(0.03), np.log(0.35), 2))
    lean = np.array([[1, 2 * tilt], [-2 * tilt, 1]])

    def box(low: ndarray, high: ndarray, colour: tuple[int, int, int]) -> None:
        corners = np.array([[low[0], low[1]], [high[0], low[1]], [high[0], high[1]], [low[0], high[1]]])
        draw.polygon([tuple(span * (centre + corner @ lean)) for corner in corners], fill=colour)

    border, inner = (_coded(_wall_colour(rng)) for _ in range(2))
    edge = rng.uniform(0, 0.25) * half.min()
    box(-half, half, border)
    box(-half + edge, half - edge, inner)
    if rng.random() < 0.4:
        rows = int(rng.integers(2, 6))
        for k in range(1, rows):
            level = -half[1] + 2 * half[1] * k / rows
            box(np.array([-half[0], level - 0.006]), np.array([half[0], level + 0.006]), border)
            for x in np.arange(-half[0], half[0] - 0.03, 0.03) if rng.random() < 0.7 else ():
                top = level - rng.uniform(0.3, 0.9) * 2 * half[1] / rows
                box(np.array([x, top]), np.array([x + 0.026, level]), _coded(np.array(cloth_colour(rng))))


def _wall_colour(rng: np.random.Generator) -> ndarray:
    """Draw a colour of walls: mostly light and pale, linear RGB."""
    if rng.random() < 0.25:
        return np.array(cloth_colour(rng), np.float32)
    grey = rng.uniform(0.15, 0.85)
    return np.clip(grey * np.exp(rng.normal(0, 0.10, 3)), 0.01, 0.95).astype(np.float32)


def _coded(colour: ndarray) -> tuple[int, int, int]:
    red, green, blue = (255 * np.clip(colour, 0, 1) ** (1 / 2.2)).astype(int).tolist()
    return red, green, blue


def _lit(rng: np.random.Generator, image: ndarray) -> Float32[ndarray, "s s 3"]:
    """Light an image unevenly, and give it a fine grain."""
    size = len(image)
    shade = enlarge(rng.random((3, 3), dtype=np.float32), size)[..., None] * rng.uniform(0, 0.7)
    grain = 1 + np.float32(rng.uniform(0, 3) * GRAIN) * rng.standard_normal((size, size, 1), dtype=np.float32)
    gain = np.float32(np.exp(rng.normal(-0.5, 0.4)))
    return (np.float32(image) * (1.15 - shade) * grain * gain).astype(np.float32)
