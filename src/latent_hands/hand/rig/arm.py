"""The form of the forearm: an ellipse across, flat at the wrist and wider towards the elbow.

The baked arm is round, and hardly wider at the elbow than at the wrist. A real arm is 1.4 times as broad as
deep at the wrist, and 1.15 times at its thickest part.
"""

import numpy as np
from jaxtyping import Float, Float32

FROM_WRIST_M = np.array([0.02, 0.05, 0.08, 0.12, 0.16, 0.2, 0.25, 0.65])
"""Distances from the wrist along the arm; nothing changes nearer than the first."""
BREADTH = np.array([1.0, 1.06, 1.13, 1.2, 1.18, 1.3, 1.4, 2.2])
DEPTH = np.array([1.0, 0.92, 0.88, 0.86, 0.92, 1.1, 1.2, 1.9])
"""Factors of the extent from thumb to little finger, and from palm to back, at these distances."""


def shaped_arm(
    vertices_m: Float32[np.ndarray, "v 3"],
    changes_m: Float32[np.ndarray, "c v 3"],
    wrist_m: Float[np.ndarray, "3"],
    axes: Float[np.ndarray, "3 3"],
) -> tuple[Float32[np.ndarray, "v 3"], Float32[np.ndarray, "c v 3"]]:
    """Return vertices of a mean hand at rest, and their principal components, with a shaped arm.

    Args:
        vertices_m: Vertices of the mean hand at rest.
        changes_m: Their change by each component.
        wrist_m: Head of the forearm's bone.
        axes: Columns: breadth, along the arm, depth.
    """
    along = (vertices_m - wrist_m) @ axes[:, 1]
    factors = np.ones((len(along), 3), np.float32)
    factors[:, 0] = np.interp(along, FROM_WRIST_M, BREADTH)
    factors[:, 2] = np.interp(along, FROM_WRIST_M, DEPTH)

    def scaled(offsets: np.ndarray) -> np.ndarray:
        return ((offsets @ axes * factors) @ axes.T).astype(np.float32)

    return (scaled(vertices_m - wrist_m) + wrist_m).astype(np.float32), scaled(changes_m)
