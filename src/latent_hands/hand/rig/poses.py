"""Random natural articulations: gestures, blends of gestures and synergies, within limits, not colliding."""

import json
from functools import cache
from importlib.resources import files
from typing import TypeVar

import numpy as np
from jaxtyping import Float
from torch import Tensor

from latent_hands.hand.rig.articulation import Articulation, blend, neutral
from latent_hands.hand.rig.collision import penetration_mm

FINGER_LIMITS_DEG = np.array([[-20, 90], [-16, 16], [0, 108], [-3, 72]], float)
THUMB_LIMITS_DEG = np.array([[-25, 45], [-45, 16], [-60, 60], [-5, 58], [-15, 75]], float)
ARCH_LIMITS_DEG = (0.0, 15.0)
WRIST_LIMITS_DEG = np.array([[-55, 55], [-18, 28]], float)
# Fingers side by side may lean against each other by this much before they would cross.
LEAN_DEG = 5.0
# Skin gives way where fingers touch.
TOUCH_MM = 3.0
ATTEMPTS = 30
FREEING_STEPS = 10

Angles = TypeVar("Angles", np.ndarray, Tensor)


def sample_articulation(rng: np.random.Generator) -> Articulation:
    """A random articulation: 35 % a jittered gesture, 40 % a blend of two, 25 % a synergy of all fingers.

    Angles keep the joints' limits, PIP and DIP bend together, fingers neither cross nor enter one another.
    """
    return sample_kind(rng)[1]


def sample_kind(rng: np.random.Generator) -> tuple[str, Articulation]:
    """`sample_articulation`, and how it was drawn: "gesture", "blend" or "synergy"."""
    for _ in range(ATTEMPTS):
        kind, draw = _DRAWS[rng.choice(len(_DRAWS), p=[0.35, 0.2, 0.2, 0.25])]
        articulation = with_wrist(draw(rng), rng)
        if penetration_mm(articulation) < TOUCH_MM:
            return kind, articulation
    return "gesture", neutral()


def with_wrist(articulation: Articulation, rng: np.random.Generator) -> Articulation:
    """The articulation within limits, its wrist bent at random."""
    wrist = rng.normal([0, 2], [22, 8])
    return within_limits(Articulation(articulation.fingers, articulation.thumb, articulation.arch, wrist))


def freed(articulation: Articulation) -> Articulation | None:
    """The articulation, opened as little as it takes that no finger enters another.

    The thumb alone, else all fingers, go towards the relaxed hand, at most half of the way; None if that is
    not enough.
    """
    for moving in (_THUMB, 1.0):
        for share in np.arange(FREEING_STEPS + 1) / (2 * FREEING_STEPS):
            angles = articulation.flat() + share * moving * (neutral().flat() - articulation.flat())
            opened = within_limits(Articulation.from_flat(angles))
            if penetration_mm(opened) < TOUCH_MM:
                return opened
    return None


def within_limits(articulation: Articulation) -> Articulation:
    """The nearest angles that a hand's joints and the couplings between them allow."""
    mcp, abduction, pip, dip = np.clip(articulation.fingers, *FINGER_LIMITS_DEG.T).T
    dip = np.clip(dip, *dip_limits(pip))
    spread = most_spread(mcp)
    abduction = np.clip(uncross(abduction, mcp), -spread, spread)
    return Articulation(
        fingers=np.stack([mcp, abduction, pip, dip], 1),
        thumb=np.clip(articulation.thumb, *THUMB_LIMITS_DEG.T),
        arch=float(np.clip(articulation.arch, *ARCH_LIMITS_DEG)),
        wrist=np.clip(articulation.wrist, *WRIST_LIMITS_DEG.T),
    )


def dip_limits(pip: Angles) -> tuple[Angles, Angles]:
    """Least and largest flexion of end joints, degrees: they bend with the middle ones."""
    least, most = FINGER_LIMITS_DEG[3].tolist()
    return (0.35 * pip - 5).clip(least, None), (0.75 * pip + 8).clip(None, most)


def most_spread(mcp: Angles) -> Angles:
    """Largest abduction to either side, degrees: none in a flexed finger."""
    return FINGER_LIMITS_DEG[1, 1].item() * ((80 - mcp) / 45).clip(0, 1)


def uncross(abduction: Float[np.ndarray, "4"], mcp: Float[np.ndarray, "4"]) -> Float[np.ndarray, "4"]:
    """Abductions that leave every two neighbours of like flexion in their order."""
    apart = abduction.copy()
    for left in (1, 0, 2):
        overlap = apart[left] - apart[left + 1] - LEAN_DEG - 0.3 * abs(mcp[left] - mcp[left + 1])
        apart[left : left + 2] += np.array([-0.5, 0.5]) * max(overlap, 0)
    return apart


@cache
def gestures() -> dict[str, Articulation]:
    """Named gestures: open, fist, point, counting, pinches, grasps, letters."""
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
    """The articulation with all angles but the wrist's changed at random, by about so much."""
    return Articulation.from_flat(articulation.flat() + rng.normal(0, scale_deg, 24) * _RELATIVE)


def _blended(rng: np.random.Generator) -> Articulation:
    return jitter(blend(_pick(rng), _pick(rng), rng.uniform()), rng, 4.0)


def _finger_by_finger(rng: np.random.Generator) -> Articulation:
    a, b, t = _pick(rng), _pick(rng), rng.uniform(size=5)
    whole = blend(a, b, t[4])
    fingers = a.fingers + t[:4, None] * (b.fingers - a.fingers)
    return jitter(Articulation(fingers, whole.thumb, whole.arch, whole.wrist), rng, 4.0)


def _synergy(rng: np.random.Generator) -> Articulation:
    """All fingers close by about as much, their bases and ends by different amounts; the thumb is free."""
    closure = rng.beta(0.9, 1.1, 2) + 0.12 * rng.standard_normal((4, 2)).cumsum(0)
    mcp, pip = closure.T * [[95], [105]] - [[10], [0]]
    spread = rng.normal(0.3, 0.8) * np.array([-8, 0, 7, 14]) + rng.normal(0, 2, 4)
    fingers = np.stack([mcp, spread, pip, pip * rng.uniform(0.35, 0.75) + rng.normal(0, 4, 4)], 1)
    thumb = rng.normal([12, -12, 2, 20, 18], [18, 15, 14, 16, 20])
    return Articulation(fingers, thumb, rng.uniform(0, 10), np.zeros(2))


_DRAWS = (
    ("gesture", _jittered),
    ("blend", _blended),
    ("blend", _finger_by_finger),
    ("synergy", _synergy),
)
# Jitter of each angle against the others: fingers (MCP, abduction, PIP, DIP), thumb, arch, wrist.
_RELATIVE = np.array([1.2, 0.5, 1.2, 0.8] * 4 + [0.8, 0.8, 0.6, 1, 1.2] + [0.5] + [0, 0])
_THUMB = np.array([0.0] * 16 + [1.0] * 5 + [0.0] * 3)
