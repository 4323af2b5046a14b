"""Properties of every hand in every pose: proportions, ranges of angles, the side that fingers bend to.

Hands are (n, 21, 3) in RHD's order, in any unit and frame, with the wrist or the palm as joint 0.
"""

import numpy as np
from jaxtyping import Bool, Float

from latent_hands.hand.skeleton import (
    BONES,
    FINGERS,
    JOINTS,
    LITTLE_MCP,
    MIDDLE_MCP,
    MIDDLE_PIP,
)

Hands = Float[np.ndarray, "n 21 3"]

_THUMB_CMC, _INDEX_MCP = FINGERS["thumb"][0], FINGERS["index"][0]

BEND_LIMITS_DEG = {"base": (-80.0, 125.0), "middle": (-45.0, 155.0), "end": (-45.0, 130.0)}
"""The range of the angles of a finger, positive towards the palm, with a margin for joint conventions."""


def middle_bone(xyz: Hands) -> Float[np.ndarray, " n"]:
    """Return the length of the middle MCP-PIP bone, which is the unit of poses."""
    return np.linalg.norm(xyz[:, MIDDLE_MCP] - xyz[:, MIDDLE_PIP], axis=-1)


def bone_lengths(xyz: Hands) -> Float[np.ndarray, "n 20"]:
    """Return the lengths of the bones, in the order of `BONES`."""
    parent, child = (list(ends) for ends in zip(*BONES, strict=True))
    return np.linalg.norm(xyz[:, child] - xyz[:, parent], axis=-1)


def thumb_base(xyz: Hands) -> Float[np.ndarray, " n"]:
    """Return the place of the thumb's base along the line from joint 0 (at 0) to the middle MCP (at 1).

    It is 0.15 to 0.4 if joint 0 is the wrist, and -0.6 to -0.3 if it is the palm.
    """
    way = xyz[:, MIDDLE_MCP] - xyz[:, 0]
    along = ((xyz[:, _THUMB_CMC] - xyz[:, 0]) * way).sum(axis=-1)
    return along / np.maximum((way * way).sum(axis=-1), 1e-12)


def bend_deg(xyz: Hands, left: Bool[np.ndarray, " n"]) -> Float[np.ndarray, "n 4 3"]:
    """Return the angles of MCP, PIP and DIP of index to little finger, positive towards the palm."""
    across = _unit(xyz[:, LITTLE_MCP] - xyz[:, _INDEX_MCP]) * np.where(left, 1.0, -1.0)[:, None]
    angles = []
    for chain in list(FINGERS.values())[1:]:
        bones = _unit(np.diff(xyz[:, (0, *chain)], axis=1))
        before, after = bones[:, :-1], bones[:, 1:]
        bend = np.degrees(np.arccos(np.clip((before * after).sum(axis=-1), -1, 1)))
        angles.append(bend * np.sign((np.cross(before, after) * across[:, None]).sum(axis=-1)))
    return np.stack(angles, axis=1)


def bone_name(index: int) -> str:
    """Return the name of a bone: the names of its ends, as in "middle_mcp-middle_pip"."""
    return "-".join(JOINTS[joint] for joint in BONES[index])


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
