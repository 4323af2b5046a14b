"""Solid shapes as grids of rings: tubes, ellipsoids, boxes and lofts, each with its paint.

All points are in the camera frame, metres. `at` are the points of the shape before it was placed; patterns
are functions of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Float32, Int32
from numpy import ndarray

from latent_hands.rendering.whole.paint import Paint

CAP = np.array([0.3, 0.6, 0.85, 0.97, 1.0])
"""Sines of the rings that round the end of a tube."""


@dataclass(frozen=True)
class Solid:
    """A closed surface of one paint.

    Args:
        points_m: Its corners, camera frame.
        at: Places of the corners on the unplaced shape, metres.
        faces: Corner numbers of its triangles, wound outwards.
        paint: Its colours.
    """

    points_m: Float32[ndarray, "v 3"]
    at: Float32[ndarray, "v 3"]
    faces: Int32[ndarray, "f 3"]
    paint: Paint

    def moved(self, axes: Float[ndarray, "3 3"], centre: Float[ndarray, "3"]) -> "Solid":
        """Return the solid turned by the rows `axes` and moved to `centre`."""
        return replace(self, points_m=(self.points_m @ axes + centre).astype(np.float32))


def rings(
    centres: Float[ndarray, "r 3"],
    across: Float[ndarray, "r 3"],
    up: Float[ndarray, "r 3"],
    paint: Paint,
    sectors: int = 16,
    at: Float[ndarray, "v 3"] | None = None,
) -> Solid:
    """Return the surface through ellipses with these centres and half axes; the ends must be closed."""
    angle = np.arange(sectors) * 2 * np.pi / sectors
    points = (
        centres[:, None] + np.cos(angle)[:, None] * across[:, None] + np.sin(angle)[:, None] * up[:, None]
    ).reshape(-1, 3)
    corner = np.arange(len(centres) * sectors).reshape(len(centres), sectors)
    a, b = corner[:-1], np.roll(corner[:-1], -1, 1)
    d, c = corner[1:], np.roll(corner[1:], -1, 1)
    faces = np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)])
    u, v, w = (points - points.mean(0))[faces].transpose(1, 0, 2)
    if (u * np.cross(v, w)).sum() < 0:
        faces = faces[:, ::-1]
    at = points if at is None else at
    return Solid(
        points.astype(np.float32), np.asarray(at, np.float32), np.ascontiguousarray(faces, np.int32), paint
    )


def tube(
    path: Float[ndarray, "n 3"] | Sequence[ndarray],
    radii: Float[ndarray, " n"] | Sequence[float],
    paint: Paint,
    sectors: int = 12,
) -> Solid:
    """Return a tube along a path with round ends."""
    path, radii = np.asarray(path, float), np.asarray(radii, float)
    along = unit(np.gradient(path, axis=0))
    side = unit(np.cross(along[0], np.eye(3)[np.abs(along[0]).argmin()]))
    frames = []
    for direction in along:
        side = unit(side - (side @ direction) * direction)
        frames.append((side, np.cross(direction, side)))
    sine, cosine = CAP, np.sqrt(1 - CAP**2)
    start = path[0] - along[0] * (radii[0] * sine[::-1, None])
    end = path[-1] + along[-1] * (radii[-1] * sine[:, None])
    centres = np.concatenate([start, path, end])
    size = np.concatenate([radii[0] * cosine[::-1], radii, radii[-1] * cosine])[:, None]
    first, second = (
        np.concatenate(
            [[frames[0][k]] * len(CAP), [frame[k] for frame in frames], [frames[-1][k]] * len(CAP)]
        )
        for k in (0, 1)
    )
    steps = np.linalg.norm(np.diff(centres, axis=0), axis=1)
    length = np.concatenate([[0], steps.cumsum()])
    angle = np.arange(sectors) * 2 * np.pi / sectors
    at = np.stack(
        np.broadcast_arrays(size * np.cos(angle), length[:, None], size * np.sin(angle)), -1
    ).reshape(-1, 3)
    return rings(centres, size * first, size * second, paint, sectors, at)


def ellipsoid(half_m: Sequence[float], paint: Paint, count: int = 14, sectors: int = 18) -> Solid:
    """Return an ellipsoid around the origin with these half axes x, y and z; its poles are on y."""
    x, y, z = half_m
    polar = np.linspace(-np.pi / 2, np.pi / 2, count)[:, None]
    return rings(
        np.sin(polar) * [0, y, 0], np.cos(polar) * [x, 0, 0], np.cos(polar) * [0, 0, z], paint, sectors
    )


def block(half_m: Sequence[float], paint: Paint) -> Solid:
    """Return a box around the origin with slightly rounded edges and these half sides."""
    x, y, z = half_m
    steps = np.array([-1, -1, -1, -0.97, 0.97, 1, 1, 1.0])
    size = np.array([0, 0.5, 0.97, 1, 1, 0.97, 0.5, 0])[:, None]
    solid = rings(steps[:, None] * [0, y, 0], size * [1, 0, 0], size * [0, 0, 1], paint, 24)
    flat = solid.points_m[:, [0, 2]]
    radius = np.linalg.norm(flat, axis=1, keepdims=True)
    square = flat / np.maximum(np.abs(flat).max(1, keepdims=True), 1e-9) * radius * [x, z]
    points = np.stack([square[:, 0], solid.points_m[:, 1], square[:, 1]], 1).astype(np.float32)
    return replace(solid, points_m=points, at=points)


def unit(vector: Float[ndarray, "*n 3"]) -> Float[ndarray, "*n 3"]:
    """Return vectors of length 1."""
    return vector / np.maximum(np.linalg.norm(vector, axis=-1, keepdims=True), 1e-9)
