"""The background of an image: a place or a pattern, with clutter and another hand."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float32
from numpy import ndarray
from PIL import Image, ImageFilter

from latent_hands.rendering.looks.cloth import Sleeve
from latent_hands.rendering.looks.clutter import bokeh, people, scatter
from latent_hands.rendering.looks.light import (
    ASSETS,
    EVALUATION_PLACES,
    LAMPS,
    TRAINING_PLACES,
    Light,
    camera_to_world,
)
from latent_hands.rendering.looks.near_surface import NearSurface, paint_surface
from latent_hands.rendering.looks.skin import Skin, skin_tone
from latent_hands.rendering.looks.texture import textured

LAYERS = ("scatter", "people", "bokeh")
LAYER_SHARES = (0.25, 0.3, 0.04)
LEVEL, LEVEL_SHARE = 0.2, 0.5
"""Mean linear light of a well exposed background, and the share of the correction towards it in stops."""


@dataclass(frozen=True)
class OtherHand:
    """Another hand behind the labelled one. It belongs to the background and has no labels.

    Args:
        side: "left" or "right".
        identity, articulation: Flat numbers of its shape and pose.
        turn: Rows of its rotation from the model's frame, mirrored for a left hand.
        palm: Place of its palm, and side of a box seven bones wide around it, both in image sides.
        skin: Its skin.
        sleeve: Its sleeve.
    """

    side: str
    identity: tuple[float, ...]
    articulation: tuple[float, ...]
    turn: tuple[float, ...]
    palm: tuple[float, float, float]
    skin: Skin
    sleeve: Sleeve | None


@dataclass(frozen=True)
class Background:
    """Everything behind the hand.

    Args:
        place: Name of the panorama that is visible, or that gives a pattern its colours.
        seen: Whether the place is visible; otherwise the background is a random pattern.
        layers: Clutter over it: any of LAYERS.
        view_deg: Horizontal angle of view of the place; the direction of view is that of the light.
        blur: Standard deviation of the defocus, in image sides.
        gain: Factor of the brightness, which is then levelled by LEVEL.
        natural: Whether the colours come from the place; otherwise they are random.
        skin: Colour of people's skin, gamma-coded.
        seed: Seed of all patterns and shapes.
        other: Another hand, in the light of the place.
        surface: A wall or a table close behind the hand, instead of a place or a pattern.
    """

    place: str
    seen: bool
    layers: tuple[str, ...]
    view_deg: float
    blur: float
    gain: float
    natural: bool
    skin: tuple[float, float, float]
    seed: int
    other: OtherHand | None = None
    surface: NearSurface | None = None


def sample_background(rng: np.random.Generator, training: bool, light: Light, skin: Skin) -> Background:
    """Draw a random background; the places of training and evaluation are disjoint, as for light."""
    places = TRAINING_PLACES if training else EVALUATION_PLACES
    chance = rng.random(4)
    like_hand = rng.random() < 0.5
    tone = skin_tone(skin.melanin if like_hand else rng.uniform(0.1, 2.3), skin.blood)
    red, green, blue = (float((0.65 * channel) ** (1 / 2.2)) for channel in tone)
    return Background(
        place=str(rng.choice(places)) if light.place == LAMPS else light.place,
        seen=bool(chance[0] < 0.65),
        layers=tuple(
            name for name, draw, p in zip(LAYERS, chance[1:], LAYER_SHARES, strict=True) if draw < p
        ),
        view_deg=float(rng.uniform(40, 100)),
        blur=float(rng.choice([0.0, 1.0]) * rng.uniform(0.004, 0.03)),
        gain=float(np.exp(rng.normal(-0.2, 0.4))),
        natural=bool(rng.random() < 0.93),
        skin=(red, green, blue),
        seed=int(rng.integers(2**31)),
    )


def paint(background: Background, light: Light, size: int) -> Float32[ndarray, "s s 3"]:
    """Return the background without the other hand, as display-referred linear light."""
    rng = np.random.default_rng(background.seed)
    colours = palette(rng, background)
    if background.surface is not None:
        image = paint_surface(background.surface, light, size)
    elif background.seen:
        image = view(background.place, camera_to_world(light), background.view_deg, size)
    else:
        image = textured(rng, size, colours)
    skin = np.array(background.skin, np.float32)
    image = np.array(image, np.float32)
    for layer in background.layers:
        if layer == "scatter":
            scatter(rng, image, colours)
        elif layer == "people":
            people(rng, image, colours, skin)
        else:
            bokeh(rng, image, colours)
    if background.blur > 0:
        coded = Image.fromarray((255 * np.clip(image, 0, 1)).astype(np.uint8))
        image = np.asarray(coded.filter(ImageFilter.GaussianBlur(background.blur * size)), np.float32) / 255
    light_behind = np.clip(image, 0, 1.2).astype(np.float32) ** np.float32(2.2)
    levelling = (LEVEL / max(float(light_behind.mean()), 1e-3)) ** LEVEL_SHARE
    return light_behind * np.float32(background.gain * levelling)


def view(
    place: str, to_world: Float32[ndarray, "3 3"], view_deg: float, size: int
) -> Float32[ndarray, "s s 3"]:
    """Return a camera's view of a place, gamma-coded.

    The panorama is sampled at its own resolution, and the view is enlarged smoothly.
    """
    panorama = load_panorama(place)
    height, width = panorama.shape[:2]
    count = int(min(size, max(24, view_deg / 360 * width * 1.3)))
    axis = np.linspace(-1, 1, count, dtype=np.float32) * np.float32(np.tan(np.deg2rad(view_deg / 2)))
    rays = np.stack([*np.broadcast_arrays(axis, axis[:, None], np.float32(1))], -1) @ to_world.T
    row = np.arccos(rays[..., 1] / np.sqrt((rays * rays).sum(-1))) * (height / np.pi) - 0.5
    column = (np.arctan2(rays[..., 0], -rays[..., 2]) / (2 * np.pi) + 0.5) * width - 0.5
    top, left = np.floor(row).astype(int), np.floor(column).astype(int)
    down, right = (row - top)[..., None], (column - left)[..., None]
    rows = np.clip([top, top + 1], 0, height - 1)
    edges = panorama[rows, left % width] * (1 - right) + panorama[rows, (left + 1) % width] * right
    sampled = (edges[0] * (1 - down) + edges[1] * down).astype(np.uint8)
    return (
        np.asarray(Image.fromarray(sampled).resize((size, size), Image.Resampling.BICUBIC), np.float32) / 255
    )


def palette(rng: np.random.Generator, background: Background) -> Float32[ndarray, "5 3"]:
    """Draw five gamma-coded colours, from the place or from all colours."""
    if not background.natural:
        return (rng.random((5, 3)) ** rng.uniform(0.6, 1.6)).astype(np.float32)
    panorama = load_panorama(background.place).reshape(-1, 3)
    return panorama[rng.integers(len(panorama), size=5)].astype(np.float32) / 255


@lru_cache(maxsize=32)
def load_panorama(place: str) -> ndarray:
    """Return a shipped panorama, gamma-coded bytes."""
    with Image.open(ASSETS / f"light_{place}.jpg") as image:  # noqa: TID251
        return np.asarray(image)
