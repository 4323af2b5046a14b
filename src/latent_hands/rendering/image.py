"""One image of a posed hand with exact depth and part labels."""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Float32, UInt8
from numpy import ndarray

from latent_hands.errors import HandsError
from latent_hands.hand.rig.articulation import Articulation
from latent_hands.hand.rig.model import HandModel
from latent_hands.hand.skeleton import MIDDLE_MCP, WRIST
from latent_hands.rendering.canvas import Canvas
from latent_hands.rendering.looks.background import Background, OtherHand, paint, sample_background
from latent_hands.rendering.looks.cloth import Sleeve, sample_sleeve
from latent_hands.rendering.looks.jewellery import Band
from latent_hands.rendering.looks.light import Light, metered, sample_light
from latent_hands.rendering.looks.near_surface import NearSurface
from latent_hands.rendering.looks.reflectance import material
from latent_hands.rendering.looks.sensor import PLAIN, Sensor, defocus, develop, film, sample_sensor
from latent_hands.rendering.looks.skin import Skin, sample_skin
from latent_hands.rendering.looks.things import Thing
from latent_hands.rendering.rays.raycast import Hits
from latent_hands.rendering.rays.shadow import shadow
from latent_hands.rendering.rays.stage import PlacedSurface, Stage, stage

EXPOSURE = 0.37
"""Exposure at 0 stops, for a light of mean radiance 1 from all directions."""
OTHER_DEPTH_M, OTHER_SIDE_M, OTHER_STOPS = 0.6, 0.255, 0.5
"""The other hand: its distance, the side of its box, and its exposure relative to the background."""


@dataclass(frozen=True)
class Look:
    """Everything that decides an image, seeds included, except the shape, pose and place of the hand."""

    skin: Skin
    light: Light
    background: Background
    sleeve: Sleeve | None
    sensor: Sensor
    jewellery: tuple[Band, ...] = ()
    thing: Thing | None = None


@dataclass(frozen=True)
class RenderedImage:
    """An image and its exact labels.

    Args:
        rgb: The image.
        depth_m: Depth of hand or object at each pixel's centre, metres; 0 for the background.
        part: Part number at each pixel's centre, as of a left hand in RHD; 0 for background and objects.
            1 is the arm, 2-4 the thumb from tip to base, and so on to 17, the palm.
    """

    rgb: UInt8[ndarray, "s s 3"]
    depth_m: Float32[ndarray, "s s"]
    part: UInt8[ndarray, "s s"]


def sample_look(rng: np.random.Generator, training: bool) -> Look:
    """Draw a random look; training and evaluation share no place."""
    skin, light = sample_skin(rng), sample_light(rng, training)
    return Look(
        skin=skin,
        light=light,
        background=sample_background(rng, training, light, skin),
        sleeve=sample_sleeve(rng) if rng.random() < 0.5 else None,
        sensor=sample_sensor(rng),
    )


def render_image(
    model: HandModel,
    vertices_m: Float32[ndarray, "v 3"],
    K: Float[ndarray, "3 3"],
    size: int,
    look: Look,
    mirrored: bool = False,
    thing_m: Float32[ndarray, "t 3"] | None = None,
    device: str = "cpu",
    behind: Float32[ndarray, "s s 3"] | None = None,
) -> RenderedImage:
    """Render a hand: ray casting, image-based light with shadows, skin, background and sensor.

    Args:
        model: The hand model.
        vertices_m: Posed fine vertices, camera frame (x right, y down, z forward).
        K: Intrinsics without skew, pixel centres at integers.
        size: Side of the square image, pixels.
        look: The look.
        mirrored: Whether the vertices are mirrored (a left hand), so that faces wind the other way.
        thing_m: Points of the look's object, camera frame.
        device: "cpu" or the name of a CUDA device in warp.
        behind: Display-referred linear light that replaces the look's background.

    Raises HandsError if `vertices_m` has another shape than the model, or is not finite.
    """
    if vertices_m.shape != model.rest.shape:
        raise HandsError(
            f"vertices_m has shape {vertices_m.shape}; it must have the model's {model.rest.shape}"
        )
    if not np.isfinite(vertices_m).all():
        raise HandsError("vertices_m contains NaN or infinity; all vertices must be finite")
    scene = stage(model, device)
    light = backdrop(scene, look.background, look.light, size) if behind is None else behind
    light = light.copy()
    surface = look.background.surface if behind is None else None
    depth_m, part = _lay_hand(light, scene, vertices_m, K, look, mirrored, thing_m, surface)
    return RenderedImage(develop(light, look.sensor), depth_m, part)


@lru_cache(maxsize=4)
def backdrop(scene: Stage, background: Background, light: Light, size: int) -> Float32[ndarray, "s s 3"]:
    """Return everything behind the hand as display-referred linear light; it is cached and read-only."""
    image = paint(background, light, size)
    other = background.other
    if other is not None:
        # The other hand is lit by its own place; only the rotation of the camera comes from the light.
        lit = replace(light, place=background.place, seed=0, tint=(1.0, 1.0, 1.0))
        vertices_m, K = _place_other(scene.model, other, size)
        stops = float(np.log2(background.gain)) + OTHER_STOPS
        look = Look(other.skin, lit, background, other.sleeve, replace(PLAIN, stops=stops))
        _lay_hand(image, scene, vertices_m, K, look, other.side == "left", None)
        if background.blur > 0:
            image = defocus(image, background.blur * size)
    image.setflags(write=False)
    return image


def _place_other(model: HandModel, other: OtherHand, size: int) -> tuple[ndarray, ndarray]:
    """Return the vertices of the other hand, metres, and the intrinsics of its camera."""
    shape = model.identity(np.array(other.identity))
    posed = model.pose(shape, Articulation.from_flat(np.array(other.articulation)))
    palm = (posed.keypoints[WRIST] + posed.keypoints[MIDDLE_MCP]) / 2
    u, v, side = other.palm
    focal_px = side * size * OTHER_DEPTH_M / OTHER_SIDE_M
    K = np.array([[focal_px, 0, u * size], [0, focal_px, v * size], [0, 0, 1]])
    vertices_m = (posed.vertices - palm) @ np.reshape(other.turn, (3, 3)) + [0, 0, OTHER_DEPTH_M]
    return vertices_m.astype(np.float32), K


def _lay_hand(
    light: Float32[ndarray, "s s 3"],
    scene: Stage,
    vertices_m: Float32[ndarray, "v 3"],
    K: Float[ndarray, "3 3"],
    look: Look,
    mirrored: bool,
    thing_m: Float32[ndarray, "t 3"] | None,
    on: NearSurface | None = None,
) -> tuple[Float32[ndarray, "s s"], UInt8[ndarray, "s s"]]:
    """Render a hand and its object over an image, and return depth and part numbers.

    Their shadow falls on the image if `on` is given.
    """
    K, canvas = K.astype(np.float32), Canvas.over(light)
    hand = scene.place(vertices_m, mirrored, look.sleeve, look.jewellery, thing_m)
    if on is not None:
        light *= shadow(scene, hand, on, K, look.light, len(light), look.background.blur * len(light))
    lay_hand(canvas, scene, hand, K, look)
    return np.where(np.isfinite(canvas.depth_m), canvas.depth_m, 0).astype(np.float32), canvas.part


def lay_hand(
    canvas: Canvas,
    scene: Stage,
    hand: PlacedSurface,
    K: Float32[ndarray, "3 3"],
    look: Look,
    owner: int = 1,
) -> None:
    """Lay the hand that was last placed on the stage, and its object, on a canvas.

    Args:
        canvas: The canvas.
        scene: The stage.
        hand: The surface that `scene.place` returned.
        K: Intrinsics without skew.
        look: Skin, light, exposure and all that the hand wears and holds.
        owner: Number of the hand on the canvas.
    """
    surface = material(scene.model, look.skin, look.sleeve, look.jewellery, look.thing, scene.device)
    gain = exposure(look.light, look.sensor)

    def colour_of(hits: Hits, uv_px: Float32[ndarray, "n 2"]) -> Float32[ndarray, "n 3"]:
        return film(scene.radiance(hand, hits, uv_px, K, look.light, surface) * gain)

    canvas.lay(scene.fine, K, owner, scene.part, colour_of)


def exposure(light: Light, sensor: Sensor) -> Float32[ndarray, "3"]:
    """Return the factors of radiance, red, green and blue, of a light and a sensor."""
    gain = EXPOSURE * 2.0**sensor.stops * metered(light) * np.array(light.tint)
    return gain.astype(np.float32)
