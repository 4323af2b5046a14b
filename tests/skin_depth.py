"""Distance of points from the surface of a closed mesh, for tests."""

import numpy as np


def winding_number(points: np.ndarray, vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Return generalised winding numbers: 1 inside, 0 outside (van Oosterom & Strackee)."""
    a, b, c = (vertices[faces[:, k]][None] - points[:, None] for k in range(3))
    na, nb, nc = (np.linalg.norm(x, axis=2) for x in (a, b, c))
    volume = np.einsum("pfi,pfi->pf", a, np.cross(b, c))
    base = na * nb * nc + (a * b).sum(2) * nc + (b * c).sum(2) * na + (c * a).sum(2) * nb
    return np.arctan2(volume, base).sum(1) / (2 * np.pi)


def height_above_skin_mm(points: np.ndarray, vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Return the distance to the nearest vertex, negative inside the mesh."""
    distance = 1000 * np.linalg.norm(points[:, None] - vertices, axis=2).min(1)
    return np.where(winding_number(points, vertices, faces) > 0.5, -distance, distance)
