"""The limits of the joints, and of the couplings between them."""

from typing import TYPE_CHECKING, TypeVar

import numpy as np
from jaxtyping import Float

from latent_hands.hand.rig.articulation import Articulation

if TYPE_CHECKING:
    import torch  # takes a second to import, and the renderer does without it

FINGER_LIMITS_DEG = np.array([[-20, 90], [-16, 16], [0, 108], [-3, 72]], float)
"""[least, largest] MCP flexion, MCP abduction, PIP and DIP flexion, in degrees."""
THUMB_LIMITS_DEG = np.array([[-25, 45], [-45, 16], [-60, 60], [-5, 58], [-15, 75]], float)
ARCH_LIMITS_DEG = (0.0, 15.0)
WRIST_LIMITS_DEG = np.array([[-50, 50], [-16, 26]], float)
"""[least, largest] flexion and deviation. Together they stay in the ellipse of these limits."""
FIST_FLEXION_DEG = 30.0
"""A closed hand flexes its wrist less than an open one, by this much, because its tendons are too short."""
LEAN_DEG = 5.0
"""By this much, neighbouring fingers may lean against each other before they cross."""

Angles = TypeVar("Angles", np.ndarray, "torch.Tensor")


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
