"""The proportions of a hand: distances of joints that no pose changes much."""

from latent_hands.hand.skeleton import FINGERS, INDEX_MCP, LITTLE_MCP, MIDDLE_MCP

_KNUCKLES = [chain[0] for chain in FINGERS.values()]
_THUMB_CMC, _RING_MCP = _KNUCKLES[0], _KNUCKLES[3]
RIGID = (
    *((chain[i], chain[i + 1]) for chain in FINGERS.values() for i in range(3)),
    *((INDEX_MCP, MIDDLE_MCP), (MIDDLE_MCP, _RING_MCP), (_RING_MCP, LITTLE_MCP)),
    *((_THUMB_CMC, INDEX_MCP), (_THUMB_CMC, LITTLE_MCP)),
)
"""Pairs of joints whose distance no pose changes much."""
MEAN_LENGTHS = (
    *(0.93, 1.02, 0.72),
    *(0.83, 0.74, 0.63),
    *(0.98, 0.75, 0.70),
    *(0.86, 0.68, 0.73),
    *(0.75, 0.44, 0.43),
    *(0.72, 0.58, 0.60, 1.80, 2.14),
)
"""The lengths of these distances in the renderer's mean hand, in middle bones."""
