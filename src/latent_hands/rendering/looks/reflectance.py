"""Reflection of skin, nails, cloth, jewellery and objects: kernel functions and their data."""

from functools import lru_cache
from typing import Any, no_type_check

import numpy as np
from numpy import ndarray

from latent_hands.hand.rig.model import HandModel
from latent_hands.hand.rig.points import FINGER_BONES, PARENTS, THUMB_BONES
from latent_hands.rendering.looks.cloth import Sleeve
from latent_hands.rendering.looks.jewellery import Band, band_frame
from latent_hands.rendering.looks.noise import noise3
from latent_hands.rendering.looks.skin import BARE_RGB, BLOOD_RGB, MELANIN_RGB, Skin
from latent_hands.rendering.looks.things import Thing
from latent_hands.rendering.rays.raycast import wp

wp.set_module_options({"enable_backward": False})

THING_MM = 1e7
"""Marks a vertex of an object, in the field of the millimetres along the arm."""
NO_SLEEVE = Sleeve(1e3, 0.0, ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0)), 1.0, 0.0, 0.0, 0)
MELANIN, BLOOD, BARE = wp.vec3(*MELANIN_RGB), wp.vec3(*BLOOD_RGB), wp.vec3(*BARE_RGB)


@wp.struct
@no_type_check
class Material:
    """Skin, sleeve, jewellery and object as the kernel reads them; lengths are in millimetres.

    Each band has four vectors: middle and half width; axis and reach; colour and share of metal; colour and
    radius of the dial.
    """

    melanin: float
    blood: float
    mottle: float
    bump: float
    oil: float
    creases: float
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
    veins: float
    thing: wp.vec3
    thing_trim: wp.vec3
    thing_stripe: float
    thing_gloss: float
    band_middle: wp.array[wp.vec4]
    band_axis: wp.array[wp.vec4]
    band_colour: wp.array[wp.vec4]
    band_dial: wp.array[wp.vec4]


@wp.struct
@no_type_check
class Relief:
    """The hand at rest as the kernel reads it; lengths are in millimetres.

    at, marks: Place of each vertex, and its nail, palm, knuckle and forearm.
    joint, along, around: Place of each crease, direction of its finger, and 1 if it also wrinkles the back.
    """

    faces: wp.array2d[int]
    at: wp.array[wp.vec3]
    marks: wp.array[wp.vec4]
    joint: wp.array[wp.vec3]
    along: wp.array[wp.vec3]
    around: wp.array[float]


@wp.func
@no_type_check
def _line(distance_mm: float, width_mm: float):
    """Return the strength of a soft line, 0 .. 1, at a distance from its middle."""
    scaled = distance_mm / width_mm
    return wp.exp(-scaled * scaled)


@wp.func
@no_type_check
def crease_depth(r: Relief, at: wp.vec3, palm: float, waver: float):
    """Return the depth of the lines of joints and palm, 0 .. 1; `waver` (millimetres) bends the lines."""
    depth = wp.float32(0.0)
    for j in range(r.joint.shape[0]):
        offset = at - r.joint[j]
        along = wp.dot(offset, r.along[j])
        if wp.abs(along) < 8.0 and wp.length(offset - along * r.along[j]) < 13.0:
            bent = along + waver
            wrinkles = (0.5 + 0.5 * wp.cos(2.8 * bent)) * _line(along, 3.5)
            depth += palm * _line(bent, 0.8) + 0.7 * (1.0 - palm) * r.around[j] * wrinkles
    # Heart, head and life line. x points to the little finger, y from the wrist to the middle MCP joint.
    x = at[0] + 2.5 * waver
    y = at[1] + 2.5 * waver
    if palm > 0.3 and y > 5.0 and y < 95.0:
        heart = y - 66.0 - 0.008 * (38.0 - x) * (38.0 - x)
        head = y - 64.0 + 0.30 * (x + 38.0)
        life = wp.length(wp.vec2(x + 46.0, y - 22.0)) - 39.0
        lines = wp.float32(0.0)
        if x > -12.0:
            lines += _line(heart, 1.0)
        if x < 24.0:
            lines += _line(head, 0.9)
        if x > -40.0:
            lines += _line(life, 1.1)
        depth += 0.9 * palm * lines
    return wp.min(depth, 1.0)


@wp.func
@no_type_check
def skin_albedo(
    m: Material, at: wp.vec3, nail: float, palm: float, knuckle: float, crease: float, uneven: float
):
    """Return the albedo of skin and nails, linear RGB; `uneven` is a noise of two octaves."""
    uneven = m.mottle * (0.9 * noise3(m.seed, at / 21.0)[0] + uneven)
    spot = wp.float32(0.0)
    if m.freckles > 0.0:
        spot = wp.max(0.0, noise3(m.seed + wp.uint32(5), at / 2.6)[0] - 0.35) * m.freckles * (1.0 - palm)
    melanin = m.melanin * (1.0 - 0.55 * palm) * (1.0 + 0.16 * uneven + 0.15 * crease)
    melanin += knuckle * (0.04 + 0.14 * m.melanin) + 1.2 * spot
    blood = m.blood * (1.0 + 0.25 * uneven) + 0.14 * knuckle + 0.12 * palm + 0.3 * crease
    absorbed = melanin * MELANIN + blood * BLOOD
    if m.veins > 0.0 and palm < 0.5:
        # Veins run along the hand.
        course = noise3(m.seed + wp.uint32(4), wp.vec3(at[0] / 16.0, at[1] / 42.0, at[2] / 16.0))[0]
        vein = m.veins * (1.0 - 2.0 * palm) * _line(course, 0.035) * (1.0 - nail)
        absorbed += vein * wp.vec3(0.30, 0.16, 0.06)
    bare = wp.cw_mul(BARE, wp.vec3(wp.exp(-absorbed[0]), wp.exp(-absorbed[1]), wp.exp(-absorbed[2])))
    bare = bare * (1.0 - 0.18 * crease)
    plate = (0.5 * bare + wp.vec3(0.28, 0.16, 0.13)) * (1.0 - m.varnish) + m.nail * m.varnish
    return bare * (1.0 - nail) + plate * nail


@wp.func
@no_type_check
def cloth_albedo(m: Material, at: wp.vec3, along: float):
    """Return the albedo of a sleeve, linear RGB."""
    band = wp.clamp(0.5 + 4.0 * wp.sin(6.2832 * along / m.stripe), 0.0, 1.0)
    cross = wp.clamp(0.5 + 4.0 * wp.sin(6.2832 * (at[0] + at[2]) / m.stripe), 0.0, 1.0)
    share = band * (1.0 - 0.5 * m.check) + 0.5 * m.check * cross
    hem = 1.0 - 0.25 * wp.exp(-1.5 * wp.abs(along - m.sleeve_start - 9.0))
    uneven = 1.0 + 0.12 * noise3(m.seed + wp.uint32(6), at / 17.0)[0]
    return (m.cloth * share + m.trim * (1.0 - share)) * (uneven * hem)


@wp.func
@no_type_check
def band_at(m: Material, at: wp.vec3):
    """Return the number of the band around a place on the hand at rest, -1 for none."""
    found = wp.int32(-1)
    for k in range(m.band_middle.shape[0]):
        middle = m.band_middle[k]
        axis = m.band_axis[k]
        offset = at - wp.vec3(middle[0], middle[1], middle[2])
        direction = wp.vec3(axis[0], axis[1], axis[2])
        along = wp.dot(offset, direction)
        if wp.length(offset - along * direction) < axis[3]:
            side = wp.length(wp.vec2(along, offset[0]))
            if wp.abs(along) < middle[3] or (side < m.band_dial[k][3] and offset[2] > 0.0):
                found = k
    return found


@wp.func
@no_type_check
def band_albedo(m: Material, k: int, at: wp.vec3):
    """Return the albedo (linear RGB) and the share of metal of a band or its dial."""
    middle = m.band_middle[k]
    axis = m.band_axis[k]
    offset = at - wp.vec3(middle[0], middle[1], middle[2])
    along = wp.dot(offset, wp.vec3(axis[0], axis[1], axis[2]))
    radius = m.band_dial[k][3]
    side = wp.length(wp.vec2(along, offset[0]))
    albedo = m.band_colour[k]
    if side < 0.82 * radius and offset[2] > 0.0:
        albedo = wp.vec4(m.band_dial[k][0], m.band_dial[k][1], m.band_dial[k][2], 0.15)
    elif side > radius or offset[2] < 0.0:
        edge = along / middle[3]
        albedo = wp.vec4(albedo[0], albedo[1], albedo[2], albedo[3]) * (1.0 - 0.6 * edge * edge * edge * edge)
    return albedo


@wp.func
@no_type_check
def thing_albedo(m: Material, at: wp.vec3):
    """Return the albedo of an object, linear RGB; at rest its half sides are 50 mm."""
    band = wp.clamp(0.5 + 4.0 * wp.sin(6.2832 * at[0] / (50.0 * m.thing_stripe)), 0.0, 1.0)
    return m.thing * band + m.thing_trim * (1.0 - band)


@lru_cache(maxsize=8)
def material(
    model: HandModel,
    skin: Skin,
    sleeve: Sleeve | None,
    bands: tuple[Band, ...],
    thing: Thing | None,
    device: str,
) -> Any:
    """Return the material of a scene's surfaces in the form that the kernel reads."""
    sleeve = sleeve or NO_SLEEVE
    values: Any = Material()
    for name in ("melanin", "blood", "mottle", "bump", "oil", "creases", "freckles", "varnish", "veins"):
        setattr(values, name, getattr(skin, name))
    values.nail, values.seed = wp.vec3(*skin.nail), wp.uint32(skin.seed)
    values.sleeve_start, values.stripe = 1000 * sleeve.start_m, 1000 * sleeve.stripe_m
    values.cloth, values.trim = wp.vec3(*sleeve.colours[0]), wp.vec3(*sleeve.colours[1])
    values.check, values.weave = sleeve.check, sleeve.weave
    if thing is not None:
        values.thing, values.thing_trim = wp.vec3(*thing.colours[0]), wp.vec3(*thing.colours[1])
        values.thing_stripe, values.thing_gloss = thing.stripe, thing.gloss
    rows = np.zeros((4, len(bands), 4), np.float32)
    for k, band in enumerate(bands):
        middle, axis, reach_m = band_frame(model, band)
        rows[:, k, :3] = 1000 * middle, axis, band.colour, band.dial
        rows[:, k, 3] = 1000 * band.half_m, 1000 * reach_m, band.metal, 1000 * band.dial_m
    for name, row in zip(("middle", "axis", "colour", "dial"), rows, strict=True):
        setattr(values, f"band_{name}", wp.array(row, dtype=wp.vec4, device=device))
    return values


def relief(model: HandModel, faces: ndarray, rest_m: ndarray, device: str) -> Any:
    """Return the marks and creases of model and object in the form that the kernel reads."""
    bones = np.concatenate([THUMB_BONES[None], FINGER_BONES])
    points = 1000 * model.mean[len(model.weights) :]
    heads, tails = points[: len(PARENTS)], points[len(PARENTS) :]
    directions = (tails - heads) / np.linalg.norm(tails - heads, axis=1, keepdims=True)
    joints = [heads[bones[:, 1]], heads[bones[:, 2]], 0.55 * heads[bones[1:, 0]] + 0.45 * heads[bones[1:, 1]]]
    along = [
        directions[bones[:, 0]] + directions[bones[:, 1]],
        directions[bones[:, 1]] + directions[bones[:, 2]],
        directions[bones[1:, 0]],
    ]
    along = np.concatenate(along)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    around = np.concatenate([np.ones(2 * len(bones)), np.zeros(len(bones) - 1)])
    marks = np.stack([model.nail, model.palm, model.knuckle, 1000 * model.forearm], 1)
    marks = np.concatenate([marks, np.tile([0, 0, 0, THING_MM], (len(rest_m) - len(marks), 1))])
    values: Any = Relief()
    values.faces = wp.array(faces, dtype=int, device=device)
    values.at = wp.array(1000 * rest_m, dtype=wp.vec3, device=device)
    values.marks = wp.array(marks.astype(np.float32), dtype=wp.vec4, device=device)
    values.joint = wp.array(np.concatenate(joints).astype(np.float32), dtype=wp.vec3, device=device)
    values.along = wp.array(along.astype(np.float32), dtype=wp.vec3, device=device)
    values.around = wp.array(around.astype(np.float32), dtype=float, device=device)
    return values
