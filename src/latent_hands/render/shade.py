"""Colour of the points where rays meet the hand."""

from typing import no_type_check

from jaxtyping import Float32
from numpy import ndarray

from latent_hands.render.raycast import Hits, wp
from latent_hands.render.skin import Skin, Sleeve

NO_SLEEVE = Sleeve(1e3, 0.0, ((0, 0, 0), (0, 0, 0)), 1.0, 0.0, 0.0, 0)


@wp.struct
class Material:
    """Skin and Sleeve as the kernel reads them."""

    melanin: float
    blood: float
    mottle: float
    bump: float
    oil: float
    veins: float
    freckles: float
    nail: wp.vec3
    varnish: float
    seed: wp.uint32
    sleeve_start: float
    cloth: wp.vec3
    trim: wp.vec3
    stripe: float
    check: float
    weave: float


@wp.func
@no_type_check
def wave3(state: wp.uint32, at: wp.vec3):
    return wp.vec3(
        wp.noise(state, at),
        wp.noise(state, at + wp.vec3(31.4, 0.0, 7.7)),
        wp.noise(state, at + wp.vec3(0.0, 57.1, 3.9)),
    )


@wp.func
@no_type_check
def skin_albedo(m: Material, at_mm: wp.vec3, nail: float, palm: float, knuckle: float, mm_per_px: float):
    broad = wp.noise(m.seed, at_mm / 21.0)
    patch = wp.noise(m.seed + wp.uint32(1), at_mm / 6.0)
    grain = wp.noise(m.seed + wp.uint32(2), at_mm / 1.7) * wp.min(1.0, 1.2 / mm_per_px)
    uneven = m.mottle * (0.9 * broad + 0.8 * patch + 0.6 * grain)
    melanin = m.melanin * (1.0 - 0.55 * palm) * (1.0 + 0.16 * uneven) + knuckle * (0.05 + 0.14 * m.melanin)
    blood = m.blood * (1.0 + 0.25 * uneven) + 0.14 * knuckle + 0.12 * palm
    crease = 1.0 - wp.abs(wp.noise(m.seed + wp.uint32(3), wp.cw_mul(at_mm, wp.vec3(0.055, 0.055, 0.055))))
    line = wp.max(0.0, crease - 0.93) / 0.07 * palm
    blood += 0.30 * line
    vein = 1.0 - wp.abs(wp.noise(m.seed + wp.uint32(4), at_mm / 26.0))
    vein = m.veins * wp.max(0.0, vein - 0.88) / 0.12 * (1.0 - palm) * (1.0 - nail)
    spot = wp.max(0.0, wp.noise(m.seed + wp.uint32(5), at_mm / 2.6) - 0.35) * m.freckles * (1.0 - palm)
    melanin += 1.2 * spot
    red = 0.80 * wp.exp(-0.55 * melanin - 0.06 * blood - 0.16 * vein)
    green = 0.76 * wp.exp(-0.95 * melanin - 0.75 * blood - 0.07 * vein)
    blue = 0.66 * wp.exp(-1.35 * melanin - 0.60 * blood + 0.02 * vein)
    bare = wp.vec3(red, green, blue)
    plate = wp.vec3(0.5 * red + 0.30, 0.5 * green + 0.17, 0.5 * blue + 0.14)
    plate = plate * (1.0 - m.varnish) + m.nail * m.varnish
    return bare * (1.0 - nail) + plate * nail


@wp.func
@no_type_check
def cloth_albedo(m: Material, at_mm: wp.vec3, along_mm: float):
    fold = wp.noise(m.seed + wp.uint32(6), at_mm / 17.0)
    band = wp.sin(6.2832 * (along_mm / m.stripe))
    cross = wp.sin(6.2832 * ((at_mm[0] + at_mm[1]) / m.stripe))
    share = wp.clamp(0.5 + 4.0 * band, 0.0, 1.0)
    share = share * (1.0 - 0.5 * m.check) + 0.5 * m.check * wp.clamp(0.5 + 4.0 * cross, 0.0, 1.0)
    hem = 1.0 - 0.25 * wp.exp(-wp.abs(along_mm - m.sleeve_start - 9.0) * 1.5)
    return (m.cloth * share + m.trim * (1.0 - share)) * (1.0 + 0.12 * fold) * hem


@wp.func
@no_type_check
def look_up(gloss: wp.array4d(dtype=float), level: int, toward: wp.vec3):
    height = float(gloss.shape[1])
    width = float(gloss.shape[2])
    y = wp.acos(wp.clamp(toward[1], -1.0, 1.0)) / wp.PI * height - 0.5
    x = (wp.atan2(toward[0], -toward[2]) / (2.0 * wp.PI) + 0.5) * width - 0.5
    row = wp.floor(y)
    column = wp.floor(x)
    total = wp.vec3(0.0)
    for step in range(4):
        down = float(step // 2)
        right = float(step % 2)
        share = (1.0 - wp.abs(y - row - down)) * (1.0 - wp.abs(x - column - right))
        i = wp.clamp(int(row + down), 0, gloss.shape[1] - 1)
        j = (int(column + right) + gloss.shape[2]) % gloss.shape[2]
        total += share * wp.vec3(gloss[level, i, j, 0], gloss[level, i, j, 1], gloss[level, i, j, 2])
    return total


@wp.kernel
@no_type_check
def _shade(
    m: Material,
    faces: wp.array2d(dtype=int),
    face: wp.array(dtype=int),
    weight: wp.array(dtype=wp.vec3),
    depth_m: wp.array(dtype=float),
    toward: wp.array(dtype=wp.vec3),
    focal_px: float,
    rest_m: wp.array(dtype=wp.vec3),
    marks: wp.array(dtype=wp.vec4),
    normals: wp.array(dtype=wp.vec3),
    light: wp.array(dtype=wp.vec4),
    gloss: wp.array4d(dtype=float),
    to_world: wp.mat33,
    colour: wp.array(dtype=wp.vec3),
):
    i = wp.tid()
    f = face[i]
    if f < 0:
        return
    a = faces[f, 0]
    b = faces[f, 1]
    c = faces[f, 2]
    w = weight[i]
    at_mm = 1000.0 * (rest_m[a] * w[0] + rest_m[b] * w[1] + rest_m[c] * w[2])
    mark = marks[a] * w[0] + marks[b] * w[1] + marks[c] * w[2]
    lit = light[a] * w[0] + light[b] * w[1] + light[c] * w[2]
    normal = wp.normalize(normals[a] * w[0] + normals[b] * w[1] + normals[c] * w[2])
    mm_per_px = 1000.0 * depth_m[i] / focal_px
    along_mm = 1000.0 * mark[3] + 1.2 * wp.noise(m.seed + wp.uint32(9), at_mm / 9.0)
    nail = wp.clamp(mark[0] * 1.6 - 0.3, 0.0, 1.0)
    albedo = wp.vec3(0.0)
    oil = m.oil
    level = 0
    relief = m.bump
    scale_mm = 1.4
    if along_mm > m.sleeve_start:
        albedo = cloth_albedo(m, at_mm, along_mm)
        oil = 0.15
        relief = 1.6 * m.weave
        scale_mm = 2.2
    else:
        albedo = skin_albedo(m, at_mm, nail, mark[1], mark[2], mm_per_px)
        relief = relief * (1.0 - 0.8 * nail) * (1.0 + 1.5 * mark[2])
    fine = relief * wp.min(1.0, scale_mm / (1.5 * mm_per_px))
    bump = 0.10 * fine * wave3(m.seed + wp.uint32(7), at_mm / scale_mm)
    bump += 0.07 * relief * wave3(m.seed + wp.uint32(8), at_mm / 5.5)
    rough = wp.normalize(normal + bump)
    # The light was gathered along the smooth normal; relief changes it by what it turns towards the camera.
    shading = 1.0 + 0.9 * (wp.dot(rough, toward[i]) - wp.dot(normal, toward[i]))
    diffuse = wp.cw_mul(albedo, wp.vec3(lit[0], lit[1], lit[2])) * (shading / wp.PI)
    facing = wp.clamp(wp.dot(rough, toward[i]), 0.0, 1.0)
    mirror = to_world * (2.0 * wp.dot(rough, toward[i]) * rough - toward[i])
    fresnel = 0.028 + 0.45 * wp.pow(1.0 - facing, 5.0)
    shine = look_up(gloss, 0, mirror) * (1.0 - nail) + look_up(gloss, 1, mirror) * (1.5 * nail)
    colour[i] = diffuse + shine * (fresnel * oil * lit[3] * lit[3])


def material(skin: Skin, sleeve: Sleeve | None) -> Material:
    """The look in the kernel's form; lengths in millimetres."""
    sleeve = sleeve or NO_SLEEVE
    made = Material()
    for name in ("melanin", "blood", "mottle", "bump", "oil", "veins", "freckles", "varnish"):
        setattr(made, name, getattr(skin, name))
    made.nail = wp.vec3(*skin.nail)
    made.seed = wp.uint32(skin.seed)
    made.sleeve_start, made.stripe = 1000 * sleeve.start_m, 1000 * sleeve.stripe_m
    made.cloth, made.trim = wp.vec3(*sleeve.colours[0]), wp.vec3(*sleeve.colours[1])
    made.check, made.weave = sleeve.check, sleeve.weave
    return made


def shade(
    hits: Hits,
    toward: Float32[ndarray, "n 3"],
    focal_px: float,
    faces: ndarray,
    rest_m: ndarray,
    marks: ndarray,
    normals: Float32[ndarray, "v 3"],
    light: Float32[ndarray, "v 4"],
    gloss: Float32[ndarray, "2 h w 3"],
    to_world: Float32[ndarray, "3 3"],
    made: Material,
    device: str,
) -> Float32[ndarray, "n 3"]:
    """Radiance (linear RGB) that leaves each hit point towards the camera."""
    colour = wp.zeros(len(hits.face), dtype=wp.vec3, device=device)
    array = lambda value, kind: wp.array(value, dtype=kind, device=device, copy=False)
    inputs = [
        made,
        array(faces, int),
        array(hits.face, int),
        array(hits.weight, wp.vec3),
        array(hits.depth_m, float),
        array(toward, wp.vec3),
        focal_px,
        array(rest_m, wp.vec3),
        array(marks, wp.vec4),
        array(normals, wp.vec3),
        array(light, wp.vec4),
        array(gloss, float),
        wp.mat33(*to_world.ravel().tolist()),
    ]
    wp.launch(_shade, len(hits.face), inputs=inputs, outputs=[colour], device=device)
    return colour.numpy()
