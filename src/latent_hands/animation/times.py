"""When a hand of a clip is visible, and its poses at other times."""

import numpy as np
from jaxtyping import Bool, Float

LONGEST_GAP = 0.5
"""In gaps of at most this many seconds poses are interpolated. A hand keeps its track for so long."""
FRAME = 1 / 30
"""The length of a frame where a hand has one pose only."""


def shown(
    seconds: Float[np.ndarray, " t"], end: float, times: Float[np.ndarray, " n"]
) -> Bool[np.ndarray, " n"]:
    """Return whether a hand is visible at these times, as `visibility` says."""
    keys, visible = visibility(seconds, end)
    return visible[np.searchsorted(keys, times, "right") - 1]


def visibility(
    seconds: Float[np.ndarray, " t"], end: float
) -> tuple[Float[np.ndarray, " keys"], Bool[np.ndarray, " keys"]]:
    """Return times from which on a hand is visible or not, in a clip from 0 to `end`.

    `seconds` are the times of its poses. It is visible for one frame after a pose, and in gaps of at most
    LONGEST_GAP between poses.
    """
    frame = float(np.median(np.diff(seconds))) if len(seconds) > 1 else FRAME
    keys: list[tuple[float, bool]] = [] if seconds[0] <= 0 else [(0.0, False)]
    keys.append((max(float(seconds[0]), 0.0), True))
    for before, after in zip(seconds[:-1].tolist(), seconds[1:].tolist(), strict=True):
        if after - before > LONGEST_GAP:
            keys += [(before + min(frame, LONGEST_GAP), False), (after, True)]
    if seconds[-1] + 1.5 * frame < end:
        keys += [(float(seconds[-1]) + frame, False), (end, False)]
    times, visible = zip(*keys, strict=True)
    return np.array(times), np.array(visible)
