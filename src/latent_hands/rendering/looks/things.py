"""Objects in the hand or in front of it: rounded boxes, cylinders and ellipsoids.

All are superellipsoids (Barr 1981): (|y|^(2/e) + |z|^(2/e))^(e/f) + |x|^(2/f) = 1. The exponent e belongs to
the shape across the axis x, f to the shape along it: 1 is round, values near 0 are square.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int32
from numpy import ndarray

from latent_hands.hand.skeleton import INDEX_MCP, LITTLE_MCP, MIDDLE_MCP, WRIST
from latent_hands.rendering.looks.cloth import Colour, vivid_colour

THUMB_TIP, INDEX_TIP = 1, 5
DIPS = np.array([6, 10, 14, 18])

RINGS, SECTORS = 17, 28
SKIN_M = 0.009
"""Distance from the middle of a finger, or of the palm, to the surface of an object that it touches."""
PAD_M = 0.006
"""The same distance at the pads of the fingertips."""
LOOSE_M = 0.01
"""Greatest gap between the palm and a rod in the hand; what lies farther out is outside the fingers."""
THICKEST_M, THINNEST_M = 0.045, 0.003
ROD_PLACES_M = np.meshgrid(np.linspace(-0.03, 0.012, 8), np.linspace(0.012, 0.06, 13))
"""Middles of a rod that are tried, relative to the middle MCP: along the palm, and out of it."""
HELD = np.array([5, 6, 7, 9, 10, 11, 13, 14, 15, 17, 18, 19])
"""Joints of the four fingers without their bases; they close around an object."""


@dataclass(frozen=True)
class Form:
    """The form of a kind of object.

    Args:
        grasp: How a hand holds it: "wrap", "flat" (on palm and fingers) or "pinch".
        across, along: Exponents of its shape, see `Thing`.
        thick_m, wide_m, long_m: Ranges of half of its sides; `wide_m` is None for a round one.
    """

    grasp: str
    across: float
    along: float
    thick_m: tuple[float, float]
    wide_m: tuple[float, float] | None
    long_m: tuple[float, float]


FORMS = {
    "bottle": Form("wrap", 1.0, 0.3, (0.026, 0.036), None, (0.08, 0.12)),
    "cup": Form("wrap", 1.0, 0.1, (0.032, 0.042), None, (0.04, 0.06)),
    "ball": Form("wrap", 1.0, 1.0, (0.024, 0.038), None, (0.024, 0.038)),
    "tool": Form("wrap", 0.5, 0.2, (0.010, 0.018), None, (0.07, 0.15)),
    "box": Form("wrap", 0.15, 0.15, (0.012, 0.03), (0.012, 0.03), (0.03, 0.09)),
    "phone": Form("flat", 0.3, 0.2, (0.004, 0.006), (0.033, 0.038), (0.068, 0.078)),
    "pen": Form("pinch", 1.0, 0.2, (0.0035, 0.0055), None, (0.06, 0.08)),
}
FORM_SHARES = (0.17, 0.15, 0.13, 0.17, 0.08, 0.18, 0.12)
HELD_SHARE = 0.75


@dataclass(frozen=True)
class Thing:
    """An object.

    Args:
        held: Whether it lies in the hand. A held object is at most as thick as the fingers allow.
        across, along: Exponents of its shape, 0.1 (box) .. 1 (ellipsoid).
        half_m: Half of its sides: two across its axis, then along it.
        centre_m: Its middle in the camera frame; unused for a held object.
        turn: Rows of its rotation, relative to the hand for a held object, else to the camera.
        colours: Its two colours, linear RGB.
        stripe: Period of its pattern, in half sides.
        gloss: Strength of its gloss, 0 .. 1.
        kind: A name in FORMS, or "free".
    """

    held: bool
    across: float
    along: float
    half_m: tuple[float, float, float]
    centre_m: tuple[float, float, float]
    turn: tuple[float, ...]
    colours: tuple[Colour, Colour]
    stripe: float
    gloss: float
    kind: str = "free"

    @property
    def grasp(self) -> str:
        """Return the grasp of its kind; "wrap" for a kind without a form."""
        return FORMS[self.kind].grasp if self.kind in FORMS else "wrap"


def sample_thing(
    rng: np.random.Generator,
    palm_m: Float[ndarray, "3"],
    reach: float,
    turn: Float[ndarray, "3 3"],
) -> Thing:
    """Draw a random object, which is held or free.

    Args:
        rng: Source of random numbers.
        palm_m: The palm in the camera frame; a free object is between camera and palm.
        reach: Greatest sideways distance of a free object, as a share of its depth.
        turn: Rows of the rotation of a free object.
    """
    held = bool(rng.random() < HELD_SHARE)
    first = vivid_colour(rng) if rng.random() < 0.3 else _plain_colour(rng)
    depth = rng.uniform(0.6, 0.85)
    aside = palm_m[2] * reach * rng.uniform(-1, 1, 2)
    centre = depth * (palm_m + np.array([*aside, 0]))
    kind, across, along = (
        "free",
        float(rng.choice([1.0, 1.0, 0.3, 0.15])),
        float(rng.choice([1.0, 0.25, 0.1])),
    )
    half = depth * np.array([*rng.uniform(0.006, 0.022, 2), rng.uniform(0.025, 0.08)])
    if held:
        kind = str(rng.choice(list(FORMS), p=FORM_SHARES))
        form = FORMS[kind]
        across, along = form.across, form.along
        half = np.array([rng.uniform(*(form.wide_m or form.thick_m)), 0, rng.uniform(*form.long_m)])
        half[1] = rng.uniform(*form.thick_m) if form.wide_m else half[0]
        if kind == "ball":
            half[2] = half[0]
        lean = rng.normal(0, np.radians(5), 2)
        turn = np.array([[1, lean[0], lean[1]], [-lean[0], 1, 0], [-lean[1], 0, 1]])
        turn, _ = np.linalg.qr(turn.T)
        turn = (turn * np.sign(np.diag(turn))).T
    return Thing(
        held=held,
        across=across,
        along=along,
        half_m=(float(half[0]), float(half[1]), float(half[2])),
        centre_m=(float(centre[0]), float(centre[1]), float(centre[2])),
        turn=tuple(turn.ravel().tolist()),
        colours=(first, first if rng.random() < 0.6 else _plain_colour(rng)),
        stripe=float(rng.uniform(0.1, 0.8)),
        gloss=float(rng.uniform(0, 1)),
        kind=kind,
    )


def _plain_colour(rng: np.random.Generator) -> Colour:
    """Draw a muted colour of plastic, ceramics or metal, linear RGB."""
    grey = np.exp(rng.uniform(np.log(0.04), np.log(0.75)))
    red, green, blue = np.clip(grey * np.exp(rng.normal(0, 0.15, 3)), 0.01, 0.85)
    return float(red), float(green), float(blue)


def thing_faces() -> Int32[ndarray, "f 3"]:
    """Return the triangles of the grid of rings and sectors, wound outwards."""
    corner = np.arange(RINGS * SECTORS).reshape(RINGS, SECTORS)
    a, b = corner[:-1], np.roll(corner[:-1], -1, 1)
    d, c = corner[1:], np.roll(corner[1:], -1, 1)
    faces = [np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)]
    return np.concatenate(faces).astype(np.int32)


def unit_thing(across: float, along: float) -> Float32[ndarray, "n 3"]:
    """Return the grid's points on a superellipsoid with half sides of 1 and the axis x."""
    polar = np.linspace(-np.pi / 2, np.pi / 2, RINGS)[:, None]
    azimuth = np.arange(SECTORS) * 2 * np.pi / SECTORS

    def power(value: ndarray, exponent: float) -> ndarray:
        return np.sign(value) * np.abs(value) ** exponent

    radius = power(np.cos(polar).clip(1e-6), along)
    points = [
        power(np.sin(polar), along) * np.ones(SECTORS),
        radius * power(np.cos(azimuth), across),
        radius * power(np.sin(azimuth), across),
    ]
    return np.stack(points, -1).reshape(-1, 3).astype(np.float32)


def place_thing(thing: Thing, xyz_m: Float32[ndarray, "21 3"], mirrored: bool) -> Float32[ndarray, "n 3"]:
    """Return the points of an object in the camera frame; `mirrored` means that the hand is a left one."""
    half_m = np.roll(thing.half_m, 1)
    turn = np.array(thing.turn).reshape(3, 3)
    centre = np.array(thing.centre_m)
    if thing.held:
        frame = hand_axes(xyz_m, mirrored)
        if thing.grasp == "pinch":
            axes, centre, room = _between_tips(xyz_m, frame, half_m[0])
            half_m, turn = np.array([half_m[0], *np.minimum(half_m[1:], room)]), axes
        elif thing.grasp == "flat":
            centre = _on_palm(xyz_m, frame, half_m)
            turn = turn @ frame
        else:
            centre, room = grip(xyz_m, frame)
            half_m = half_m * np.array([1, *2 * [min(1.0, room / half_m[1:].max())]])
            turn = turn @ frame
    return (unit_thing(thing.across, thing.along) * half_m @ turn + centre).astype(np.float32)


def _on_palm(
    xyz_m: Float32[ndarray, "21 3"], frame: Float[ndarray, "3 3"], half_m: Float[ndarray, "3"]
) -> Float[ndarray, "3"]:
    """Return the middle of a flat object on the palm; its far edge touches the middles of the fingers."""
    joints = (xyz_m - xyz_m[MIDDLE_MCP]) @ frame.T
    edge = float(np.clip((joints[DIPS] + joints[DIPS + 1])[:, 1].min() / 2 - SKIN_M, 0.0, 0.04))
    out = SKIN_M + 0.5 * float(joints[DIPS + 1][:, 2].mean().clip(0.008, 0.02)) + half_m[2]
    return xyz_m[MIDDLE_MCP] + np.array([0, edge - half_m[1], out]) @ frame


def _between_tips(
    xyz_m: Float32[ndarray, "21 3"], frame: Float[ndarray, "3 3"], half_long_m: float
) -> tuple[Float[ndarray, "3 3"], Float[ndarray, "3"], float]:
    """Return axes, middle and radius of a pen between thumb and index finger that lies on the web between."""
    thumb, index = xyz_m[THUMB_TIP], xyz_m[INDEX_TIP]
    pinch = (thumb + index) / 2
    web = (xyz_m[THUMB_TIP + 2] + 2 * xyz_m[INDEX_MCP]) / 3 - 0.012 * frame[0]
    along = (web - pinch) / np.linalg.norm(web - pinch)
    side = np.cross(along, frame[2])
    side /= np.linalg.norm(side)
    room = float(np.clip(np.linalg.norm(thumb - index) / 2 - PAD_M, THINNEST_M, THICKEST_M))
    axes = np.stack([along, side, np.cross(along, side)])
    return axes, pinch + (half_long_m - 0.03) * along, room


def hand_axes(xyz_m: Float32[ndarray, "21 3"], mirrored: bool) -> Float[ndarray, "3 3"]:
    """Return three unit rows: from index to little MCP, about along the palm, and out of the palm."""
    x = xyz_m[LITTLE_MCP] - xyz_m[INDEX_MCP]
    x = x / np.linalg.norm(x)
    y = xyz_m[MIDDLE_MCP] - xyz_m[WRIST]
    y = y - (y @ x) * x
    y /= np.linalg.norm(y)
    return np.stack([x, y, np.cross(x, y) if mirrored else np.cross(y, x)]).astype(np.float64)


def grip(xyz_m: Float32[ndarray, "21 3"], frame: Float[ndarray, "3 3"]) -> tuple[Float[ndarray, "3"], float]:
    """Return the middle and the radius of the thickest rod that fits between palm and fingers."""
    joints = (xyz_m - xyz_m[MIDDLE_MCP]) @ frame.T
    along, out = ROD_PLACES_M
    ends = joints[HELD][:, 1:]
    middles = (joints[HELD] + joints[HELD + 1])[:, 1:] / 2
    solid = np.concatenate([ends, middles])
    distance = np.hypot(along[..., None] - solid[:, 0], out[..., None] - solid[:, 1]).min(-1)
    room = np.minimum(distance, out) - SKIN_M
    room[out - room > SKIN_M + LOOSE_M] = -1
    best = np.unravel_index(room.argmax(), room.shape)
    radius = float(np.clip(room[best], THINNEST_M, THICKEST_M))
    return xyz_m[MIDDLE_MCP] + np.array([0, along[best], out[best]]) @ frame, radius
