"""What lies where on the skin of the hand model."""

import numpy as np
from jaxtyping import Float32, Int32


def vertex_normals(
    vertices: Float32[np.ndarray, "n 3"], faces: Int32[np.ndarray, "faces 3"]
) -> Float32[np.ndarray, "n 3"]:
    """Outward unit normals, faces weighted by their areas."""
    a, b, c = vertices[faces].transpose(1, 0, 2)
    face = np.repeat(np.cross(b - a, c - a), 3, 0)
    sums = [np.bincount(faces.ravel(), face[:, k], len(vertices)) for k in range(3)]
    normals = np.stack(sums, 1)
    return (normals / np.linalg.norm(normals, axis=1, keepdims=True).clip(1e-12)).astype(np.float32)


def palm_side(normals: Float32[np.ndarray, "n 3"]) -> Float32[np.ndarray, " n"]:
    """1 where the flat hand looks out of its palm, 0 on its back, smooth at the sides."""
    return _smoothstep(0.35, -0.35, normals[:, 2])


def blush(
    rest: Float32[np.ndarray, "fine 3"],
    normals: Float32[np.ndarray, "fine 3"],
    heads: Float32[np.ndarray, "bones 3"],
    tails: Float32[np.ndarray, "bones 3"],
) -> Float32[np.ndarray, " fine"]:
    """Where blood shows, 0..1: on the back of the finger joints and around the fingertips."""
    phalanges = [3, 4, 6, 7, 8, 10, 11, 12, 14, 15, 16, 18, 19, 20]
    joint = np.exp(-(_nearest(rest, heads[phalanges]) ** 2) / (2 * 0.009**2)) * _smoothstep(
        -0.2, 0.5, normals[:, 2]
    )
    tip = np.exp(-(_nearest(rest, tails[[4, 8, 12, 16, 20]]) ** 2) / (2 * 0.008**2))
    return np.maximum(joint, tip).astype(np.float32)


def _nearest(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    return np.linalg.norm(points[:, None] - centres, axis=-1).min(1)


def _smoothstep(low: float, high: float, x: Float32[np.ndarray, " n"]) -> Float32[np.ndarray, " n"]:
    t = np.clip((x - low) / (high - low), 0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)
