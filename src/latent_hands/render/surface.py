"""What lies where on the skin: attributes of the fine vertices."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int32, UInt8


@dataclass(frozen=True)
class Surface:
    """Per fine vertex of the hand model.

    rest: position in the mean hand at rest, metres (a texture coordinate for noise in space).
    part: RHD's label of a LEFT hand: 1 forearm, 2-4 thumb tip to base, ..., 14-16 little finger, 17 palm.
    nail: 0..1. palm: 1 on the palmar, 0 on the dorsal side. knuckle: 0..1, where blood shows.
    forearm: metres from the wrist along the arm, negative in the hand.
    """

    rest: Float32[np.ndarray, "fine 3"]
    part: UInt8[np.ndarray, " fine"]
    nail: Float32[np.ndarray, " fine"]
    palm: Float32[np.ndarray, " fine"]
    knuckle: Float32[np.ndarray, " fine"]
    forearm: Float32[np.ndarray, " fine"]

    @staticmethod
    def measure(
        rest: Float32[np.ndarray, "fine 3"],
        faces: Int32[np.ndarray, "faces 3"],
        weights: Float32[np.ndarray, "fine bones"],
        bone_parts: UInt8[np.ndarray, " bones"],
        heads: Float32[np.ndarray, "bones 3"],
        tails: Float32[np.ndarray, "bones 3"],
        nail: UInt8[np.ndarray, " fine"],
    ) -> "Surface":
        """Attributes of the mean hand from its skin weights, normals and joints."""
        arm = tails[0] / np.linalg.norm(tails[0])
        dorsal = vertex_normals(rest, faces)[:, 2]
        return Surface(
            rest=rest,
            part=bone_parts[weights.argmax(1)],
            nail=nail.astype(np.float32) / 255,
            palm=_smoothstep(0.35, -0.35, dorsal),
            knuckle=_blush(rest, dorsal, heads, tails),
            forearm=rest @ arm,
        )


def vertex_normals(
    vertices: Float32[np.ndarray, "n 3"], faces: Int32[np.ndarray, "faces 3"]
) -> Float32[np.ndarray, "n 3"]:
    """Outward unit normals, faces weighted by their areas."""
    a, b, c = vertices[faces].transpose(1, 0, 2)
    face = np.repeat(np.cross(b - a, c - a), 3, 0)
    sums = [np.bincount(faces.ravel(), face[:, k], len(vertices)) for k in range(3)]
    normals = np.stack(sums, 1)
    return (normals / np.linalg.norm(normals, axis=1, keepdims=True).clip(1e-12)).astype(np.float32)


def _blush(
    rest: Float32[np.ndarray, "fine 3"],
    dorsal: Float32[np.ndarray, " fine"],
    heads: Float32[np.ndarray, "bones 3"],
    tails: Float32[np.ndarray, "bones 3"],
) -> Float32[np.ndarray, " fine"]:
    """Redness: on the back of the finger joints, all around the tips."""
    phalanges = [3, 4, 6, 7, 8, 10, 11, 12, 14, 15, 16, 18, 19, 20]
    joint = np.exp(-(_nearest(rest, heads[phalanges]) ** 2) / (2 * 0.009**2)) * _smoothstep(-0.2, 0.5, dorsal)
    tip = np.exp(-(_nearest(rest, tails[[4, 8, 12, 16, 20]]) ** 2) / (2 * 0.008**2))
    return np.maximum(joint, tip).astype(np.float32)


def _nearest(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    return np.linalg.norm(points[:, None] - centres, axis=-1).min(1)


def _smoothstep(low: float, high: float, x: Float32[np.ndarray, " n"]) -> Float32[np.ndarray, " n"]:
    t = np.clip((x - low) / (high - low), 0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)
