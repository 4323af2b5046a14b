"""The One-Euro filter (Casiez et al. 2012), for comparison."""

import numpy as np


def one_euro(x: np.ndarray, fps: float, min_cutoff: float, beta: float, d_cutoff: float = 1.0) -> np.ndarray:
    """Filter signals x (frames, ...) with cutoff frequencies min_cutoff + beta |dx/dt|, in hertz."""
    alpha = lambda cutoff: 1 / (1 + fps / (2 * np.pi * cutoff))  # noqa: E731
    result, speed = x.copy(), np.zeros_like(x[0])
    for t in range(1, len(x)):
        speed = speed + alpha(d_cutoff) * ((x[t] - x[t - 1]) * fps - speed)
        share = alpha(min_cutoff + beta * np.abs(speed))
        result[t] = result[t - 1] + share * (x[t] - result[t - 1])
    return result
