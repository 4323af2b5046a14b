"""The shadow of a placed hand on a near surface: the share of the light that still arrives."""

import numpy as np
from jaxtyping import Float32
from numpy import ndarray
from PIL import Image, ImageFilter

from latent_hands.rendering.looks.light import Light, camera_to_world, environment
from latent_hands.rendering.looks.near_surface import DARKEST, NearSurface
from latent_hands.rendering.rays.stage import PlacedSurface, Stage

STEP_PX = 4
"""Shadows are computed at every fourth pixel, and enlarged: their edges are soft."""
GAP_M = 0.003
"""Least distance of the hand from the surface."""
ARM_M = 0.1
"""The surface stays behind the hand and this much of its arm; the rest of the arm may lie behind it."""


def shadow(
    stage: Stage,
    hand: PlacedSurface,
    surface: NearSurface,
    K: Float32[ndarray, "3 3"],
    light: Light,
    size: int,
    blur_px: float = 0.0,
) -> Float32[ndarray, "s s 3"]:
    """Return the share of the light that arrives at each pixel of a surface, per channel.

    Args:
        stage: The stage on which the hand is placed.
        hand: The placed hand.
        surface: The surface. It moves back if the hand would enter it.
        K: Intrinsics without skew.
        light: The light.
        size: Side of the image, pixels.
        blur_px: Standard deviation of a blur by the lens.
    """
    normal = np.array(surface.normal, np.float32)
    solid = hand.vertices_m[: len(stage.model.rest)][stage.model.forearm < ARM_M]
    offset_m = min(surface.offset_m, float((solid @ normal).min()) - GAP_M)
    count = -(-size // STEP_PX)
    axis = (np.arange(count, dtype=np.float32) + 0.5) * (size / count) - 0.5
    slopes = (np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2) - K[:2, 2]) / K[[0, 1], [0, 1]]
    rays = np.concatenate([slopes, np.ones((len(slopes), 1))], 1).astype(np.float32)
    towards = rays @ normal
    arrived = np.ones((len(rays), 3), np.float32)
    met = towards < -0.05
    points = rays[met] * (offset_m / towards[met])[:, None]
    world, to_world = environment(light.place, light.seed), camera_to_world(light)
    directions = np.concatenate([world.directions, world.sun[None]]) @ to_world
    power = np.concatenate([world.power, world.sun_power[None]])
    lit = directions @ normal > 0
    if met.any() and lit.any():
        normals = np.broadcast_to(normal, points.shape)
        direct, blocked = stage.coarse.irradiance(points, normals, directions[lit], power[lit])
        arrived[met] = direct / np.maximum(direct + blocked, 1e-6)
    coded = (255 * arrived.reshape(count, count, 3)).round().astype(np.uint8)
    image = Image.fromarray(coded).filter(ImageFilter.GaussianBlur(0.5))
    image = image.resize((size, size), Image.Resampling.BICUBIC)
    if blur_px > 0:
        image = image.filter(ImageFilter.GaussianBlur(blur_px))
    return DARKEST + (1 - DARKEST) * np.asarray(image, np.float32) / 255
