"""Clutter in backgrounds: shapes, strokes, lamps out of focus, and people (gamma-coded RGB)."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float32
from numpy import ndarray
from PIL import Image, ImageDraw, ImageFilter

from latent_hands.rendering.looks.texture import enlarge, textured


def scatter(
    rng: np.random.Generator, image: Float32[ndarray, "s s 3"], colours: Float32[ndarray, "c 3"]
) -> None:
    """Draw one to eight shaded shapes over an image; most have one colour, some a texture."""
    size = len(image)
    for _ in range(rng.integers(1, 9)):
        scale = np.exp(rng.uniform(np.log(0.04), np.log(0.5)))
        mask = shape_mask(rng, size, scale)
        colour = colours[rng.integers(len(colours))]
        filling = textured(rng, size, colours) if rng.random() < 0.2 else colour
        lay(image, filling, mask, rng)


def people(
    rng: np.random.Generator,
    image: Float32[ndarray, "s s 3"],
    colours: Float32[ndarray, "c 3"],
    skin: Float32[ndarray, "3"],
) -> None:
    """Draw the form of a person over an image: a clothed torso, a head, and bare or clothed limbs."""
    size = len(image)
    hip = rng.uniform(-0.2, 1.2, 2)
    up = rng.normal(0, 0.35)
    height = rng.uniform(0.5, 1.4)
    neck = hip + height * np.array([np.sin(up), -np.cos(up)])
    cloth = textured(rng, size, colours) * shaded(rng, size)
    width = height * rng.uniform(0.16, 0.28)
    lay(image, cloth, limb_mask(size, [hip, neck], [width, width * 0.8]), rng)
    head = neck + height * 0.32 * np.array([np.sin(up), -np.cos(up)])
    lay(image, skin, limb_mask(size, [neck, head], [width * 0.35, width * 0.62]), rng)
    for _ in range(rng.integers(0, 4)):
        joints = [neck + rng.normal(0, 0.15, 2)]
        for _ in range(2):
            joints.append(joints[-1] + rng.normal(0, 0.35 * height, 2))
        thick = width * rng.uniform(0.15, 0.4)
        filling = skin if rng.random() < 0.6 else cloth
        lay(image, filling, limb_mask(size, joints, [thick, thick * 0.9, thick * 0.7]), rng)


def bokeh(
    rng: np.random.Generator, image: Float32[ndarray, "s s 3"], colours: Float32[ndarray, "c 3"]
) -> None:
    """Dim an image and draw lamps far out of focus over it."""
    size = len(image)
    disc = Image.new("RGB", (size, size))
    radius = size * rng.uniform(0.02, 0.12)
    glow = np.zeros_like(image)
    for _ in range(3):
        canvas = ImageDraw.Draw(disc)
        canvas.rectangle((0, 0, size, size), fill=0)
        for x, y in rng.random((rng.integers(2, 10), 2)) * size:
            colour = tuple(
                int(255 * c) for c in 0.3 * colours[rng.integers(len(colours))] + 0.2 * rng.random(3)
            )
            canvas.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
        glow += np.asarray(disc.filter(ImageFilter.BoxBlur(max(1, size / 200))), np.float32) / 255
    image *= np.float32(rng.uniform(0.2, 0.8))
    image += glow


def shape_mask(rng: np.random.Generator, size: int, scale: float) -> Image.Image:
    """Draw an ellipse, a polygon, a rotated rectangle or a stroke at a random place."""
    centre = rng.uniform(-0.1, 1.1, 2)
    kind = rng.integers(5)
    turn = rng.uniform(0, 2 * np.pi)
    if kind == 4:
        joints = centre + rng.normal(0, scale, (4, 2)).cumsum(0)
        return limb_mask(size, list(joints), [rng.uniform(0.004, 0.03)] * 4)
    if kind == 0:
        angles = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    elif kind == 1:
        angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 8)))
    else:
        angles = np.array([0.25, 0.75, 1.25, 1.75]) * np.pi
    across = scale * np.array([1.0, rng.uniform(0.15, 1.0)])
    points = np.stack([np.cos(angles), np.sin(angles)], 1) * across
    points = points @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) + centre
    return drawn(
        size, lambda canvas, span: canvas.polygon([tuple(point) for point in points * span], fill=255)
    )


def limb_mask(size: int, joints: list[ndarray], radii: list[float]) -> Image.Image:
    """Draw a chain of round cones; places and radii are in image sides."""

    def draw(canvas: ImageDraw.ImageDraw, span: int) -> None:
        for joint, radius in zip(joints, radii, strict=True):
            canvas.ellipse([*(span * (joint - radius)), *(span * (joint + radius))], fill=255)
        for a, b, ra, rb in zip(joints, joints[1:], radii, radii[1:], strict=False):
            along = (b - a) / max(float(np.linalg.norm(b - a)), 1e-6)
            side = np.array([-along[1], along[0]])
            corners = [a + side * ra, b + side * rb, b - side * rb, a - side * ra]
            canvas.polygon([tuple(span * corner) for corner in corners], fill=255)

    return drawn(size, draw)


def drawn(size: int, draw: Callable[[ImageDraw.ImageDraw, int], None]) -> Image.Image:
    """Return a mask that is drawn at twice its size and reduced, for smooth edges."""
    mask = Image.new("L", (2 * size, 2 * size))
    draw(ImageDraw.Draw(mask), 2 * size)
    return mask.reduce(2)


def shaded(rng: np.random.Generator, width: int, height: int = 0) -> Float32[ndarray, "h w 1"]:
    """Draw the uneven light of a rounded surface, as a factor of its colour."""
    low = rng.uniform(0.35, 1.0)
    return (low + (1.15 - low) * enlarge(rng.random((3, 3), dtype=np.float32), width, height))[..., None]


def lay(
    image: Float32[ndarray, "s s 3"],
    filling: Float32[ndarray, "s s 3"] | Float32[ndarray, "3"],
    mask: Image.Image,
    rng: np.random.Generator,
) -> None:
    """Lay a filling over an image, sometimes out of focus or with a soft shadow.

    Args:
        image: The image, which is changed.
        filling: Another image, or a colour, which is then shaded.
        mask: The shape.
        rng: Source of random numbers.
    """
    size = len(image)
    softness = size * rng.uniform(0.004, 0.03) if rng.random() < 0.3 else 0.0
    shade = rng.uniform(0.1, 0.6) if rng.random() < 0.3 else 0.0
    box = mask.getbbox()
    if box is None:
        return
    margin = int(3 * softness + 0.06 * size * (shade > 0)) + 1
    left, top = max(0, box[0] - margin), max(0, box[1] - margin)
    right, bottom = min(size, box[2] + margin), min(size, box[3] + margin)
    mask = mask.crop((left, top, right, bottom))
    under = image[top:bottom, left:right]
    if filling.ndim == 1:
        filling = shaded(rng, right - left, bottom - top) * filling
    else:
        filling = filling[top:bottom, left:right]
    if softness:
        mask = mask.filter(ImageFilter.BoxBlur(softness))
    if shade:
        shadow = np.asarray(mask.filter(ImageFilter.BoxBlur(0.03 * size)), np.float32)
        under *= 1 - np.float32(shade / 255) * shadow[..., None]
    under += np.asarray(mask, np.float32)[..., None] * np.float32(1 / 255) * (filling - under)
