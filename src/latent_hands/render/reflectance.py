"""What skin, nails and cloth reflect, point by point (kernel functions)."""

from typing import Any, no_type_check

from latent_hands.render.cloth import Sleeve
from latent_hands.render.noise import noise3
from latent_hands.render.raycast import wp
from latent_hands.render.skin import BARE_RGB, BLOOD_RGB, MELANIN_RGB, Skin

wp.set_module_options({"enable_backward": False})

NO_SLEEVE = Sleeve(1e3, 0.0, ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0)), 1.0, 0.0, 0.0, 0)
MELANIN, BLOOD, BARE = wp.vec3(*MELANIN_RGB), wp.vec3(*BLOOD_RGB), wp.vec3(*BARE_RGB)


@wp.struct
@no_type_check
class Material:
    """Skin and sleeve as the kernel reads them, lengths in millimetres."""

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


@wp.struct
@no_type_check
class Relief:
    """The hand at rest, millimetres. Per vertex: its place and (nail, palm, knuckle, forearm).

    Per crease: its place, its finger's direction, and 1 where it also wrinkles the back of the finger.
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
    """A soft line, by the distance from its middle."""
    scaled = distance_mm / width_mm
    return wp.exp(-scaled * scaled)


@wp.func
@no_type_check
def crease_depth(r: Relief, at: wp.vec3, palm: float, waver: float):
    """Lines of the joints and of the palm, 0 .. 1; `waver` bends them, millimetres."""
    depth = wp.float32(0.0)
    for j in range(r.joint.shape[0]):
        offset = at - r.joint[j]
        along = wp.dot(offset, r.along[j])
        if wp.abs(along) < 8.0 and wp.length(offset - along * r.along[j]) < 13.0:
            bent = along + waver
            wrinkles = (0.5 + 0.5 * wp.cos(2.8 * bent)) * _line(along, 3.5)
            depth += palm * _line(bent, 0.8) + 0.7 * (1.0 - palm) * r.around[j] * wrinkles
    # Heart, head and life line of the palm; x runs to the little finger, y from the wrist to the middle MCP.
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
    """Linear RGB that skin and nails reflect; `uneven` is a noise of two octaves."""
    uneven = m.mottle * (0.9 * noise3(m.seed, at / 21.0)[0] + uneven)
    spot = wp.float32(0.0)
    if m.freckles > 0.0:
        spot = wp.max(0.0, noise3(m.seed + wp.uint32(5), at / 2.6)[0] - 0.35) * m.freckles * (1.0 - palm)
    melanin = m.melanin * (1.0 - 0.55 * palm) * (1.0 + 0.16 * uneven + 0.15 * crease)
    melanin += knuckle * (0.04 + 0.14 * m.melanin) + 1.2 * spot
    blood = m.blood * (1.0 + 0.25 * uneven) + 0.14 * knuckle + 0.12 * palm + 0.3 * crease
    absorbed = melanin * MELANIN + blood * BLOOD
    bare = wp.cw_mul(BARE, wp.vec3(wp.exp(-absorbed[0]), wp.exp(-absorbed[1]), wp.exp(-absorbed[2])))
    bare = bare * (1.0 - 0.18 * crease)
    plate = (0.5 * bare + wp.vec3(0.28, 0.16, 0.13)) * (1.0 - m.varnish) + m.nail * m.varnish
    return bare * (1.0 - nail) + plate * nail


@wp.func
@no_type_check
def cloth_albedo(m: Material, at: wp.vec3, along: float):
    """Linear RGB that a sleeve reflects."""
    band = wp.clamp(0.5 + 4.0 * wp.sin(6.2832 * along / m.stripe), 0.0, 1.0)
    cross = wp.clamp(0.5 + 4.0 * wp.sin(6.2832 * (at[0] + at[2]) / m.stripe), 0.0, 1.0)
    share = band * (1.0 - 0.5 * m.check) + 0.5 * m.check * cross
    hem = 1.0 - 0.25 * wp.exp(-1.5 * wp.abs(along - m.sleeve_start - 9.0))
    uneven = 1.0 + 0.12 * noise3(m.seed + wp.uint32(6), at / 17.0)[0]
    return (m.cloth * share + m.trim * (1.0 - share)) * (uneven * hem)


def material(skin: Skin, sleeve: Sleeve | None) -> Any:
    """Skin and sleeve in the kernel's form."""
    sleeve = sleeve or NO_SLEEVE
    made: Any = Material()
    for name in ("melanin", "blood", "mottle", "bump", "oil", "creases", "freckles", "varnish"):
        setattr(made, name, getattr(skin, name))
    made.nail, made.seed = wp.vec3(*skin.nail), wp.uint32(skin.seed)
    made.sleeve_start, made.stripe = 1000 * sleeve.start_m, 1000 * sleeve.stripe_m
    made.cloth, made.trim = wp.vec3(*sleeve.colours[0]), wp.vec3(*sleeve.colours[1])
    made.check, made.weave = sleeve.check, sleeve.weave
    return made
