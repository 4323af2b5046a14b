"""Random articulations: gestures, their blends, natural draws, and synergies.

All of them keep the limits of the joints, and no finger enters another.
"""

import json
from functools import cache
from importlib.resources import files

import numpy as np

from latent_hands.hand.rig.articulation import Articulation, blend, neutral
from latent_hands.hand.rig.collision import penetration_mm
from latent_hands.hand.rig.limits import within_limits
from latent_hands.hand.rig.natural import Mixture

WRIST_MEAN_DEG, WRIST_SPREAD_DEG = np.array([-4.0, 4.0]), np.array([17.0, 7.0])
"""The usual wrist is slightly extended and turned to the little finger, and bends little."""
TOUCH_MM = 3.0
"""Capsules may overlap by less than this, because skin is soft."""
CLAW_DEG = (20.0, 40.0)
CLAW_SHARE = 0.7
"""A draw is kept with this probability for each clawed finger; photographed hands rarely have one."""
ATTEMPTS = 30
"""The number of articulations drawn before a fallback is used."""
_FREEING_STEPS = 10


def sample_articulation(rng: np.random.Generator) -> Articulation:
    """Draw a random articulation that keeps the limits of the joints.

    Fingers neither cross nor enter one another. The articulation is a jittered gesture (30 %), a blend of two
    (25 %), a natural draw (30 %) or a synergy (15 %).
    """
    return sample_kind(rng)[1]


def sample_kind(rng: np.random.Generator) -> tuple[str, Articulation]:
    """Draw as `sample_articulation` does; return the kind, too: one of the names in `_DRAWS`."""
    for _ in range(ATTEMPTS):
        kind, draw = _DRAWS[rng.choice(len(_DRAWS), p=[0.3, 0.1, 0.15, 0.3, 0.15])]
        articulation = with_wrist(draw(rng), rng)
        if rng.random() < CLAW_SHARE ** claws(articulation) and penetration_mm(articulation) < TOUCH_MM:
            return kind, articulation
    return "gesture", neutral()


def claws(articulation: Articulation) -> int:
    """Return the number of clawed fingers: the PIP is bent, and the MCP is straight."""
    mcp, _, pip, _ = articulation.fingers.T
    return int(((mcp < CLAW_DEG[0]) & (pip > CLAW_DEG[1])).sum())


def with_wrist(articulation: Articulation, rng: np.random.Generator, spread: float = 1.0) -> Articulation:
    """Return the articulation with a random wrist, within the limits of the joints.

    `spread` scales the standard deviation. Only the wrist differs if the articulation keeps the limits.
    """
    wrist = rng.normal(WRIST_MEAN_DEG, spread * WRIST_SPREAD_DEG)
    return within_limits(Articulation(articulation.fingers, articulation.thumb, articulation.arch, wrist))


def freed(articulation: Articulation) -> Articulation | None:
    """Open the articulation by the smallest step after which no finger enters another.

    First the thumb alone moves towards the relaxed hand, then all fingers do, at most half of the way.
    Returns None if that is not enough.
    """
    for moving in (_THUMB, 1.0):
        for share in np.arange(_FREEING_STEPS + 1) / (2 * _FREEING_STEPS):
            angles = articulation.flat() + share * moving * (neutral().flat() - articulation.flat())
            opened = within_limits(Articulation.from_flat(angles))
            if penetration_mm(opened) < TOUCH_MM:
                return opened
    return None


@cache
def gestures() -> dict[str, Articulation]:
    """Return the named gestures: open, fist, point, counting, pinches, grasps, letters."""
    text = (files("latent_hands.hand") / "assets" / "gestures.json").read_text()
    return {name: _gesture(record) for name, record in json.loads(text).items()}


def _gesture(record: dict) -> Articulation:
    fingers = [record[finger] for finger in ("index", "middle", "ring", "pinky")]
    return Articulation(np.array(fingers), np.array(record["thumb"]), float(record["arch"]), np.zeros(2))


def _pick(rng: np.random.Generator) -> Articulation:
    table = list(gestures().values())
    return table[rng.integers(len(table))]


def _jittered(rng: np.random.Generator) -> Articulation:
    return jitter(_pick(rng), rng, 5.0)


def jitter(articulation: Articulation, rng: np.random.Generator, scale_deg: float) -> Articulation:
    """Add noise to all angles except the wrist; `scale_deg` is the typical standard deviation."""
    return Articulation.from_flat(articulation.flat() + rng.normal(0, scale_deg, 24) * _RELATIVE)


def _blended(rng: np.random.Generator) -> Articulation:
    return jitter(blend(_pick(rng), _pick(rng), float(_share(rng)[0])), rng, 4.0)


def _share(rng: np.random.Generator, size: int = 1) -> np.ndarray:
    """Draw shares of a blend, mostly near 0 or 1: hands rest in gestures and pass between them quickly."""
    return rng.beta(0.45, 0.45, size)


def _natural(rng: np.random.Generator) -> Articulation:
    return jitter(Mixture.load().draw(rng), rng, 3.0)


def _finger_by_finger(rng: np.random.Generator) -> Articulation:
    a, b, t = _pick(rng), _pick(rng), _share(rng, 5)
    whole = blend(a, b, t[4])
    fingers = a.fingers + t[:4, None] * (b.fingers - a.fingers)
    return jitter(Articulation(fingers, whole.thumb, whole.arch, whole.wrist), rng, 4.0)


def _synergy(rng: np.random.Generator) -> Articulation:
    """Draw fingers that close by similar amounts, bases and ends separately, and an independent thumb."""
    whole = rng.beta(0.5, 0.6) + 0.15 * rng.standard_normal(2)
    mcp, pip = (whole + 0.12 * rng.standard_normal((4, 2)).cumsum(0)).T * [[95], [105]] - [[10], [0]]
    spread = rng.normal(0.3, 0.8) * np.array([-8, 0, 7, 14]) + rng.normal(0, 2, 4)
    fingers = np.stack([mcp, spread, pip, pip * rng.uniform(0.4, 0.75) + rng.normal(0, 4, 4)], 1)
    thumb = rng.normal([12, -12, 2, 20, 18], [18, 15, 14, 16, 20])
    return Articulation(fingers, thumb, rng.uniform(0, 10), np.zeros(2))


_DRAWS = (
    ("gesture", _jittered),
    ("blend", _blended),
    ("blend", _finger_by_finger),
    ("natural", _natural),
    ("synergy", _synergy),
)
# The relative noise of each angle: fingers (MCP, abduction, PIP, DIP), thumb, arch, wrist.
_RELATIVE = np.array([1.2, 0.5, 1.2, 0.8] * 4 + [0.8, 0.8, 0.6, 1, 1.2] + [0.5] + [0, 0])
_THUMB = np.array([0.0] * 16 + [1.0] * 5 + [0.0] * 3)
