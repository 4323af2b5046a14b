"""Random articulations: gestures, their blends, natural draws, and synergies.

All of them keep the limits of the joints, and no finger enters another.
"""

import json
from functools import cache
from importlib.resources import files
from typing import TypeVar

import numpy as np
from jaxtyping import Float
from torch import Tensor

from latent_hands.hand.rig.articulation import Articulation, blend, neutral
from latent_hands.hand.rig.collision import penetration_mm
from latent_hands.hand.rig.natural import Mixture

FINGER_LIMITS_DEG = np.array([[-20, 90], [-16, 16], [0, 108], [-3, 72]], float)
"""[least, largest] MCP flexion, MCP abduction, PIP and DIP flexion, in degrees."""
THUMB_LIMITS_DEG = np.array([[-25, 45], [-45, 16], [-60, 60], [-5, 58], [-15, 75]], float)
ARCH_LIMITS_DEG = (0.0, 15.0)
WRIST_LIMITS_DEG = np.array([[-50, 50], [-16, 26]], float)
"""[least, largest] flexion and deviation. Together they stay in the ellipse of these limits."""
WRIST_MEAN_DEG, WRIST_SPREAD_DEG = np.array([-4.0, 4.0]), np.array([17.0, 7.0])
"""The usual wrist is slightly extended and turned to the little finger, and bends little."""
FIST_FLEXION_DEG = 30.0
"""A closed hand flexes its wrist less than an open one, by this much, because its tendons are too short."""
LEAN_DEG = 5.0
"""By this much, neighbouring fingers may lean against each other before they cross."""
TOUCH_MM = 3.0
"""Capsules may overlap by less than this, because skin is soft."""
CLAW_DEG = (20.0, 40.0)
CLAW_SHARE = 0.7
"""A draw is kept with this probability for each clawed finger; photographed hands rarely have one."""
ATTEMPTS = 30
"""The number of articulations drawn before a fallback is used."""
_FREEING_STEPS = 10

Angles = TypeVar("Angles", np.ndarray, Tensor)


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


def within_limits(articulation: Articulation) -> Articulation:
    """Clip the angles to the limits of the joints and of the couplings between them."""
    mcp, abduction, pip, dip = np.clip(articulation.fingers, *FINGER_LIMITS_DEG.T).T
    dip = np.clip(dip, *dip_limits(pip))
    spread = most_spread(mcp)
    abduction = np.clip(uncross(abduction, mcp), -spread, spread)
    return Articulation(
        fingers=np.stack([mcp, abduction, pip, dip], 1),
        thumb=np.clip(articulation.thumb, *THUMB_LIMITS_DEG.T),
        arch=float(np.clip(articulation.arch, *ARCH_LIMITS_DEG)),
        wrist=_wrist_within(articulation.wrist, _closure(mcp, pip)),
    )


def closure(articulation: Articulation) -> float:
    """Return how closed the four fingers are: 0 for straight fingers, 1 for a fist."""
    return _closure(*articulation.fingers[:, [0, 2]].T)


def _closure(mcp: Float[np.ndarray, "4"], pip: Float[np.ndarray, "4"]) -> float:
    return float(np.clip((mcp + pip).mean() / 180, 0, 1))


def _wrist_within(wrist: Float[np.ndarray, "2"], closed: float) -> Float[np.ndarray, "2"]:
    """Return the nearest wrist, towards the middle of its range, in the ellipse of its limits."""
    low, high = WRIST_LIMITS_DEG.T
    middle, half = np.array([0, (low[1] + high[1]) / 2]), (high - low) / 2
    half = half - [FIST_FLEXION_DEG * closed * (wrist[0] > 0), 0]
    reach = float(np.linalg.norm((wrist - middle) / half))
    return middle + (wrist - middle) / max(1.0, reach)


def dip_limits(pip: Angles) -> tuple[Angles, Angles]:
    """Return the least and the largest DIP flexion for these PIP flexions, in degrees."""
    least, most = FINGER_LIMITS_DEG[3].tolist()
    return (0.35 * pip - 5).clip(least, None), (0.75 * pip + 8).clip(None, most)


def most_spread(mcp: Angles) -> Angles:
    """Return the largest abduction for these MCP flexions, in degrees: 0 in a flexed finger."""
    return FINGER_LIMITS_DEG[1, 1].item() * ((80 - mcp) / 45).clip(0, 1)


def uncross(abduction: Float[np.ndarray, "4"], mcp: Float[np.ndarray, "4"]) -> Float[np.ndarray, "4"]:
    """Return abductions with which neighbouring fingers of similar flexion do not cross."""
    spread = abduction.copy()
    for left in (1, 0, 2):
        overlap = spread[left] - spread[left + 1] - LEAN_DEG - 0.3 * abs(mcp[left] - mcp[left + 1])
        spread[left : left + 2] += np.array([-0.5, 0.5]) * max(overlap, 0)
    return spread


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
