"""One picture of a posed hand with exact depth and part labels."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, UInt8
from numpy import ndarray

from latent_hands.errors import HandsError
from latent_hands.render.background import Background, paint, sample_background
from latent_hands.render.cloth import Sleeve, sample_sleeve
from latent_hands.render.hand_model import HandModel
from latent_hands.render.light import Light, sample_light
from latent_hands.render.raster import rasterise
from latent_hands.render.raycast import Hits
from latent_hands.render.sensor import Sensor, develop, film, sample_sensor
from latent_hands.render.skin import Skin, sample_skin
from latent_hands.render.stage import PlacedSurface, Stage, stage

EXPOSURE = 0.37
"""Of a light of mean radiance 1, at 0 stops."""
DEPTH_EDGE, PART_EDGE = 0.03, 0.006
"""Neighbouring pixels whose depths differ by more than this part of them lie on different surfaces; less will
do between different parts of the hand."""
SUBPIXELS = np.array([[-0.125, -0.375], [0.375, -0.125], [0.125, 0.375], [-0.375, 0.125]], np.float32)


@dataclass(frozen=True)
class Look:
    """All that decides a picture besides the hand's shape, pose and place, every seed included."""

    skin: Skin
    light: Light
    background: Background
    sleeve: Sleeve | None
    sensor: Sensor

    def factors(self) -> dict[str, Any]:
        """The look's numbers, ready for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Picture:
    """A picture and its exact labels.

    Args:
        rgb: The picture.
        depth_m: Depth of the surface at each pixel's centre, metres; 0 where no hand is.
        part: Part number of RHD's left hand at each pixel's centre (1 arm, 2-4 thumb from tip to base, .., 17
            palm); 0 where no hand is.
    """

    rgb: UInt8[ndarray, "s s 3"]
    depth_m: Float32[ndarray, "s s"]
    part: UInt8[ndarray, "s s"]


def sample_look(rng: np.random.Generator, split: str) -> Look:
    """A random look. No place of the "training" split is ever seen in the "evaluation" split."""
    if split not in ("training", "evaluation"):
        raise HandsError(f'unknown split "{split}". Legal: training, evaluation')
    training = split == "training"
    skin, light = sample_skin(rng), sample_light(rng, training)
    return Look(
        skin=skin,
        light=light,
        background=sample_background(rng, training, light, skin),
        sleeve=sample_sleeve(rng) if rng.random() < 0.5 else None,
        sensor=sample_sensor(rng),
    )


def render_picture(
    model: HandModel,
    vertices_m: Float32[ndarray, "v 3"],
    K: Float[ndarray, "3 3"],
    size: int,
    look: Look,
    mirrored: bool = False,
    device: str = "cpu",
) -> Picture:
    """Render a hand: ray casting, image-based light with shadows, skin, background, sensor.

    Args:
        vertices_m: Posed fine vertices in metres, camera frame (x right, y down, z forward).
        K: Intrinsics without skew in pixels, pixel centres at integers.
        size: Side of the square picture.
        mirrored: The vertices were mirrored (a left hand), so the model's faces wind the other way.
        device: Where rays are cast: "cpu" or a CUDA device as warp names it.
    """
    if vertices_m.shape != model.rest.shape:
        raise HandsError(f"vertices_m has shape {vertices_m.shape}; legal: the model's {model.rest.shape}")
    if not np.isfinite(vertices_m).all():
        raise HandsError("the hand's vertices must be finite numbers, got NaN or infinity")
    K = K.astype(np.float32)
    scene = stage(model, device)
    hand = scene.place(vertices_m, look.sleeve, mirrored)
    every = rasterise(scene.fine, K, size)
    covered = np.flatnonzero(every.face >= 0)
    hits = Hits(every.face[covered], every.weight[covered], every.depth_m[covered])
    part = np.zeros(size * size, np.uint8)
    part[covered] = scene.part(hits)
    depth_m, part = every.depth_m.reshape(size, size), part.reshape(size, size)
    light = paint(look.background, look.light, size).copy()
    if len(covered):
        _composite(light, scene, hand, hits, covered, _edges(depth_m, part), K, look)
    return Picture(develop(light, look.sensor), depth_m, part)


def _edges(depth_m: ndarray, part: ndarray) -> ndarray:
    """Pixels beside another surface."""
    edge = np.zeros(depth_m.shape, bool)
    for axis in (0, 1):
        first = [slice(None)] * 2
        second = [slice(None)] * 2
        first[axis], second[axis] = slice(None, -1), slice(1, None)
        near, far = depth_m[tuple(first)], depth_m[tuple(second)]
        limit = np.where(part[tuple(first)] == part[tuple(second)], DEPTH_EDGE, PART_EDGE)
        differ = np.abs(near - far) > limit * np.minimum(near, far)
        edge[tuple(first)] |= differ
        edge[tuple(second)] |= differ
    return edge


def _composite(
    light: Float32[ndarray, "s s 3"],
    scene: Stage,
    hand: PlacedSurface,
    hits: Hits,
    covered: Int[ndarray, " n"],
    edge: Bool[ndarray, "s s"],
    K: Float32[ndarray, "3 3"],
    look: Look,
) -> None:
    """Lay the shaded hand over the background, four samples a pixel where surfaces end."""
    size, flat = len(light), light.reshape(-1, 3)
    within = ~edge.ravel()[covered]
    inner, rim = covered[within], np.flatnonzero(edge)
    rim_uv = (_uv(rim, size)[:, None] + SUBPIXELS).reshape(-1, 2)
    rays = scene.fine.first_hit(rim_uv, K)
    both = Hits(
        np.concatenate([hits.face[within], rays.face]),
        np.concatenate([hits.weight[within], rays.weight]),
        np.concatenate([hits.depth_m[within], rays.depth_m]),
    )
    uv = np.concatenate([_uv(inner, size), rim_uv])
    radiance = scene.radiance(hand, both, uv, K, look.light, look.skin, look.sleeve)
    gain = EXPOSURE * 2.0**look.sensor.stops * np.array(look.light.tint)
    colour = film(radiance * gain.astype(np.float32))
    flat[inner] = colour[: len(inner)]
    seen = (rays.face >= 0).reshape(-1, 4, 1)
    summed = (colour[len(inner) :].reshape(-1, 4, 3) * seen).mean(1)
    flat[rim] = summed + (1 - seen.mean(1, dtype=np.float32)) * flat[rim]


def _uv(pixels: Int[ndarray, " n"], size: int) -> Float32[ndarray, "n 2"]:
    """Image points of the pixels with these numbers, row by row."""
    return np.stack([pixels % size, pixels // size], 1).astype(np.float32)
