"""A canvas: an image under construction, on which surfaces are laid with exact depth and smooth edges."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int, Int16, UInt8
from numpy import ndarray

from latent_hands.rendering.rays.raster import rasterise
from latent_hands.rendering.rays.raycast import Hits, RayMesh

DEPTH_EDGE, PART_EDGE = 0.03, 0.006
"""Neighbouring pixels lie on different surfaces if their depths differ by more than this share.

The second value is for pixels on different parts of a surface.
"""
SUBPIXELS = np.array([[-0.125, -0.375], [0.375, -0.125], [0.125, 0.375], [-0.375, 0.125]], np.float32)
"""Offsets of the four samples of a pixel on an edge."""


@dataclass(frozen=True)
class Canvas:
    """An image and its depth; laying a surface changes the arrays.

    Args:
        light: Display-referred linear light.
        depth_m: Depth of the nearest surface at each pixel's centre; infinite for none.
        owner: Number of that surface, as given to `lay`; 0 for none.
        part: Part number of that surface.
    """

    light: Float32[ndarray, "s s 3"]
    depth_m: Float32[ndarray, "s s"]
    owner: Int16[ndarray, "s s"]
    part: UInt8[ndarray, "s s"]

    @staticmethod
    def over(light: Float32[ndarray, "s s 3"]) -> "Canvas":
        """Return a canvas over a background; the canvas changes the array."""
        size = len(light)
        empty = np.zeros((size, size), np.int16), np.zeros((size, size), np.uint8)
        return Canvas(light, np.full((size, size), np.inf, np.float32), *empty)

    def lay(
        self,
        mesh: RayMesh,
        K: Float32[ndarray, "3 3"],
        owner: int,
        part_of: Callable[[Hits], UInt8[ndarray, " n"]],
        colour_of: Callable[[Hits, Float32[ndarray, "n 2"]], Float32[ndarray, "n 3"]],
    ) -> None:
        """Lay a surface where it is nearer than what is on the canvas.

        Far surfaces are to be laid first: only then is the edge of a near one smooth.

        Args:
            mesh: The surface.
            K: Intrinsics without skew.
            owner: Number of the surface.
            part_of: Returns the part numbers of hits.
            colour_of: Returns display-referred linear light of hits at image points.
        """
        size, behind_m = len(self.light), self.depth_m.ravel().copy()
        surface = rasterise(mesh, K, size)
        covered = np.flatnonzero((surface.face >= 0) & (surface.depth_m < behind_m))
        if not len(covered):
            return
        hits = _chosen(surface, covered)
        for plane, value in ((self.depth_m, hits.depth_m), (self.part, part_of(hits)), (self.owner, owner)):
            plane.reshape(-1)[covered] = value
        own = self.owner == owner
        edge = surface_edges(np.where(own, self.depth_m, 0), np.where(own, self.part, 0))
        inner = ~edge.ravel()[covered]
        rim = np.flatnonzero(edge)
        rim_uv = (pixel_uv(rim, size)[:, None] + SUBPIXELS).reshape(-1, 2)
        rays = mesh.first_hit(rim_uv, K)
        all_hits = _joined(_chosen(hits, np.flatnonzero(inner)), rays)
        colour = colour_of(all_hits, np.concatenate([pixel_uv(covered[inner], size), rim_uv]))
        flat, count = self.light.reshape(-1, 3), int(inner.sum())
        flat[covered[inner]] = colour[:count]
        front = (rays.face >= 0) & (rays.depth_m < behind_m[rim].repeat(len(SUBPIXELS)))
        visible = front.reshape(-1, len(SUBPIXELS), 1)
        summed = (colour[count:].reshape(-1, len(SUBPIXELS), 3) * visible).mean(1)
        flat[rim] = summed + (1 - visible.mean(1, dtype=np.float32)) * flat[rim]


def surface_edges(depth_m: Float32[ndarray, "s s"], part: UInt8[ndarray, "s s"]) -> ndarray:
    """Return the pixels next to another surface."""
    edge = np.zeros(depth_m.shape, bool)
    for axis in (0, 1):
        first = [slice(None)] * 2
        second = [slice(None)] * 2
        first[axis], second[axis] = slice(None, -1), slice(1, None)
        near, far = depth_m[tuple(first)], depth_m[tuple(second)]
        limit = np.where(part[tuple(first)] == part[tuple(second)], DEPTH_EDGE, PART_EDGE)
        differ = np.abs(near - far) > limit * np.minimum(near, far)
        edge[tuple(first)] |= differ
        edge[tuple(second)] |= differ
    return edge


def pixel_uv(pixels: Int[ndarray, " n"], size: int) -> Float32[ndarray, "n 2"]:
    """Return the image points of pixels, which are numbered row by row."""
    return np.stack([pixels % size, pixels // size], 1).astype(np.float32)


def _chosen(hits: Hits, rows: ndarray) -> Hits:
    return Hits(hits.face[rows], hits.weight[rows], hits.depth_m[rows])


def _joined(first: Hits, second: Hits) -> Hits:
    return Hits(
        np.concatenate([first.face, second.face]),
        np.concatenate([first.weight, second.weight]),
        np.concatenate([first.depth_m, second.depth_m]),
    )
