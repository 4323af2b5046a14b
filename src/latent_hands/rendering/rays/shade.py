"""The light that hit points send to the camera: one kernel."""

from typing import Any, no_type_check

import numpy as np
from jaxtyping import Float32
from numpy import ndarray

from latent_hands.rendering.looks.noise import noise3
from latent_hands.rendering.looks.reflectance import (
    THING_MM,
    Material,
    Relief,
    band_albedo,
    band_at,
    cloth_albedo,
    crease_depth,
    skin_albedo,
    thing_albedo,
)
from latent_hands.rendering.rays.raycast import Hits, wp

wp.set_module_options({"enable_backward": False})


@wp.struct
@no_type_check
class Lighting:
    """The light as the kernel reads it.

    vertex: Irradiance of each vertex, and the share of the light that arrives. gloss: Two glossy maps (see
    `Environment`). to_world: Rotation of the camera. sun, sun_power: Direction and power of one hard light.
    shadow: The mesh that casts its shadow.
    """

    vertex: wp.array[wp.vec4]
    gloss: wp.array3d[wp.vec3]
    to_world: wp.mat33
    sun: wp.vec3
    sun_power: wp.vec3
    shadow: wp.uint64


@wp.func
@no_type_check
def _place_in(gloss: wp.array3d[wp.vec3], toward: wp.vec3):
    """Return the row and the column of a direction in the glossy maps."""
    y = wp.acos(wp.clamp(toward[1], -1.0, 1.0)) / wp.PI * float(gloss.shape[1]) - 0.5
    x = (wp.atan2(toward[0], -toward[2]) / (2.0 * wp.PI) + 0.5) * float(gloss.shape[2]) - 0.5
    return wp.vec2(y, x)


@wp.func
@no_type_check
def _look_up(gloss: wp.array3d[wp.vec3], level: int, at: wp.vec2):
    """Return the radiance at a row and a column of a glossy map, interpolated linearly."""
    rows = gloss.shape[1]
    columns = gloss.shape[2]
    total = wp.vec3(0.0)
    for step in range(4):
        row = wp.floor(at[0]) + float(step // 2)
        column = wp.floor(at[1]) + float(step % 2)
        share = (1.0 - wp.abs(at[0] - row)) * (1.0 - wp.abs(at[1] - column))
        i = wp.clamp(int(row), 0, rows - 1)
        j = (int(column) + columns) % columns
        total += share * gloss[level, i, j]
    return total


@wp.kernel
@no_type_check
def _shade(
    m: Material,
    r: Relief,
    lighting: Lighting,
    face: wp.array[int],
    weight: wp.array[wp.vec3],
    depth_m: wp.array[float],
    slope: wp.array[wp.vec2],
    normals: wp.array[wp.vec3],
    m_per_px: float,
    colour: wp.array[wp.vec3],
):
    i = wp.tid()
    f = face[i]
    if f < 0:
        return
    a, b, c = r.faces[f, 0], r.faces[f, 1], r.faces[f, 2]
    w = weight[i]
    at = r.at[a] * w[0] + r.at[b] * w[1] + r.at[c] * w[2]
    mark = r.marks[a] * w[0] + r.marks[b] * w[1] + r.marks[c] * w[2]
    lit = lighting.vertex[a] * w[0] + lighting.vertex[b] * w[1] + lighting.vertex[c] * w[2]
    normal = wp.normalize(normals[a] * w[0] + normals[b] * w[1] + normals[c] * w[2])
    ray = wp.vec3(slope[i][0], slope[i][1], 1.0)
    toward = -wp.normalize(ray)
    mm_per_px = 1000.0 * depth_m[i] * m_per_px
    along = mark[3]
    if wp.abs(along - m.sleeve_start) < 1.5:
        along += 1.2 * noise3(m.seed + wp.uint32(9), at / 9.0)[0]
    nail = wp.clamp(1.6 * mark[0] - 0.3, 0.0, 1.0)
    albedo = wp.vec3(0.0)
    oil = m.oil
    bump = m.bump
    crease = wp.float32(0.0)
    # Detail that is finer than a pixel fades out.
    coarse = noise3(m.seed + wp.uint32(8), at / 5.7)
    fine = wp.vec3(0.0)
    metal = wp.vec4(0.0)
    band = wp.int32(-1)
    if m.band_middle.shape[0] > 0 and along < m.sleeve_start:
        band = band_at(m, at)
    if along > 0.5 * THING_MM:
        albedo = thing_albedo(m, at)
        oil = 2.0 * m.thing_gloss
        bump = 0.1
        nail = 0.6 * m.thing_gloss
    elif band >= 0:
        metal = band_albedo(m, band, at)
        albedo = wp.vec3(metal[0], metal[1], metal[2]) * (1.0 - 0.8 * metal[3])
        oil = 0.8
        bump = 0.2
    elif along > m.sleeve_start:
        fine = noise3(m.seed + wp.uint32(7), at / 2.2) * wp.min(1.0, 1.5 / mm_per_px)
        albedo = cloth_albedo(m, at, along)
        oil = 0.15
        bump = 1.6 * m.weave
    else:
        fine = noise3(m.seed + wp.uint32(7), at / 1.5) * wp.min(1.0, 1.05 / mm_per_px)
        crease = m.creases * crease_depth(r, at, mark[1], 1.2 * coarse[0]) * (1.0 - nail)
        crease = crease * wp.min(1.0, 1.2 / mm_per_px)
        # Lines of the skin are broken, not drawn with an even stroke.
        crease = crease * wp.clamp(0.7 + 1.6 * coarse[2], 0.15, 1.15)
        uneven = 0.8 * coarse[1] + 0.9 * fine[0]
        albedo = skin_albedo(m, at, nail, mark[1], mark[2], crease, uneven)
        bump = bump * (1.0 - 0.8 * nail) * (1.0 + mark[2])
    turn = bump * (0.16 * fine + 0.08 * coarse)
    rough = wp.normalize(normal + turn)
    # The light was gathered for the smooth normal; the relief scales it by its turn towards the camera.
    soft = 1.0 + 0.9 * (wp.dot(rough, toward) - wp.dot(normal, toward))
    irradiance = wp.vec3(lit[0], lit[1], lit[2]) * soft
    sharp = wp.dot(rough, lighting.sun)
    if sharp > 0.0 and lighting.sun_power[1] > 0.0:
        start = ray * depth_m[i] + normal * 0.0025
        if not wp.mesh_query_ray_anyhit(lighting.shadow, start, lighting.sun, 0.5):
            irradiance += sharp * lighting.sun_power
    facing = wp.clamp(wp.dot(rough, toward), 0.0, 1.0)
    mirror = lighting.to_world * (2.0 * wp.dot(rough, toward) * rough - toward)
    fresnel = 0.028 + 0.30 * wp.pow(1.0 - facing, 5.0)
    place = _place_in(lighting.gloss, mirror)
    shine = _look_up(lighting.gloss, 0, place) * (1.0 - nail)
    if nail > 0.0:
        shine += _look_up(lighting.gloss, 1, place) * (1.5 * nail)
    shine = shine * (fresnel * oil * (1.0 - 0.35 * mark[1]) * lit[3] * lit[3] * (1.0 - 0.6 * crease))
    if band < 0 and along < m.sleeve_start:
        # Pores and dry patches break the gloss of skin; nails stay smooth.
        shine = shine * wp.clamp(0.8 + (1.0 - nail) * (1.6 * fine[1] + 0.8 * coarse[0]), 0.1, 1.6)
    if metal[3] > 0.0:
        mirrored = wp.cw_mul(wp.vec3(metal[0], metal[1], metal[2]), _look_up(lighting.gloss, 1, place))
        shine += metal[3] * lit[3] * mirrored
    colour[i] = wp.cw_mul(albedo, irradiance) / wp.PI + shine


def shade(
    hits: Hits,
    slope: Float32[ndarray, "n 2"],
    normals: Float32[ndarray, "v 3"],
    focal_px: float,
    material: Any,
    relief: Any,
    lighting: Any,
    device: str,
) -> Float32[ndarray, "n 3"]:
    """Return the radiance (linear RGB) from each hit point towards the camera.

    Args:
        hits: The hit points.
        slope: x/z and y/z of each ray.
        normals: Unit normals of the vertices, camera frame.
        focal_px: Focal length.
        material, relief, lighting: `Material`, `Relief` and `Lighting`.
        device: "cpu" or the name of a CUDA device in warp.
    """
    colour = wp.zeros(len(hits.face), dtype=wp.vec3, device=device)
    geometry = [
        wp.array(value, dtype=kind, device=device, copy=False)
        for value, kind in (
            (hits.face, int),
            (hits.weight, wp.vec3),
            (hits.depth_m, float),
            (np.ascontiguousarray(slope), wp.vec2),
            (normals, wp.vec3),
        )
    ]
    inputs = [material, relief, lighting, *geometry, 1 / focal_px]
    wp.launch(_shade, len(hits.face), inputs=inputs, outputs=[colour], device=device)
    return colour.numpy()
