"""The mesh of the hand as other programs skin it: cut behind the wrist, four bones a vertex."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float, Float32, Int32, UInt8
from scipy.sparse import coo_array, csr_array, vstack

from latent_hands.hand.rig.mesh import mesh_edges
from latent_hands.hand.rig.model import HandModel

ARM_M = 0.06
"""The length of the forearm that is kept behind the wrist. The arm of `HandModel` is 0.67 m long."""
INFLUENCES = 4
"""The number of bones that move a vertex; glTF and game engines have four."""


@dataclass(frozen=True)
class Skin:
    """The skin of a right hand. It is closed: a flat disc ends the forearm.

    faces: triangles, counter-clockwise seen from outside. Reverse their winding for a left hand.
    of_coarse: the map from the coarse vertices of `HandModel` to the vertices of the skin; rows sum to 1.
    bones: the bones of each vertex, the strongest first; 0 where the weight is 0.
    weights: the share of each of these bones; rows sum to 1.
    """

    faces: Int32[np.ndarray, "faces 3"]
    of_coarse: csr_array
    bones: UInt8[np.ndarray, "vertices 4"]
    weights: Float32[np.ndarray, "vertices 4"]

    @staticmethod
    @cache
    def load() -> "Skin":
        """Return the skin of the shipped model; it is made once."""
        model = HandModel.load()
        cut, faces = cut_mesh(model.faces, ARM_M - model.forearm)
        of_coarse = csr_array(cut @ model.to_fine)
        bones, weights = strongest(of_coarse @ model.weights, INFLUENCES)
        return Skin(faces, of_coarse, bones, weights)


def cut_mesh(
    faces: Int32[np.ndarray, "faces 3"], inside: Float[np.ndarray, " vertices"]
) -> tuple[csr_array, Int32[np.ndarray, "new_faces 3"]]:
    """Cut a closed mesh where `inside` is 0, keep the positive part, and close it by a disc.

    `inside` is a number for each vertex; it is linear along the edges. There must be one ring of cut edges.
    Returns the map from the vertices to those of the new mesh, and its triangles.
    """
    edges, _ = mesh_edges(faces)
    ends = edges[(inside[edges] > 0).sum(1) == 1]
    kept = np.flatnonzero(inside > 0)
    place = np.full(len(inside), -1)
    place[kept] = np.arange(len(kept))
    on_edge = {tuple(edge): len(kept) + i for i, edge in enumerate(ends.tolist())}
    centre = len(kept) + len(ends)

    whole = place[faces[(inside[faces] > 0).all(1)]]
    crossed = faces[np.isin((inside[faces] > 0).sum(1), (1, 2))]
    parts = [_clipped(face, place, on_edge) for face in crossed.tolist()]
    disc = [[b, a, centre] for part in parts for a, b in [_cut_side(part, len(kept))]]
    fans = [[part[0], part[i], part[i + 1]] for part in parts for i in range(1, len(part) - 1)]

    share = inside[ends[:, 0]] / (inside[ends[:, 0]] - inside[ends[:, 1]])
    rows, columns = np.repeat(np.arange(len(ends)), 2), ends.ravel()
    ring = coo_array((np.stack([1 - share, share], 1).ravel(), (rows, columns)), (len(ends), len(inside)))
    ring = ring.tocsr()
    identity = csr_array((np.ones(len(kept)), kept, np.arange(len(kept) + 1)), (len(kept), len(inside)))
    middle = csr_array(ring.mean(axis=0)[None])
    vertices = csr_array(vstack([identity, ring, middle]).astype(np.float32))
    return vertices, np.concatenate([whole, fans, disc]).astype(np.int32)


def strongest(
    weights: Float32[np.ndarray, "vertices bones"], count: int
) -> tuple[UInt8[np.ndarray, "vertices count"], Float32[np.ndarray, "vertices count"]]:
    """Return the bones with the largest weights of each vertex, and their weights scaled to a sum of 1."""
    bones = np.argsort(-weights, axis=1, kind="stable")[:, :count]
    largest = np.take_along_axis(weights, bones, 1)
    largest = np.where(largest < 1e-3, 0, largest)
    shares = (largest / largest.sum(1, keepdims=True)).astype(np.float32)
    return np.where(shares > 0, bones, 0).astype(np.uint8), shares


def _clipped(face: list[int], place: np.ndarray, on_edge: dict[tuple[int, int], int]) -> list[int]:
    """Return the part of a cut triangle that is kept, as a polygon of new vertices."""
    polygon = []
    for a, b in zip(face, face[1:] + face[:1], strict=True):
        if place[a] >= 0:
            polygon.append(int(place[a]))
        if (min(a, b), max(a, b)) in on_edge:
            polygon.append(on_edge[min(a, b), max(a, b)])
    return polygon


def _cut_side(polygon: list[int], first: int) -> tuple[int, int]:
    """Return the side of a polygon that lies in the cut: both of its vertices are on cut edges."""
    sides = zip(polygon, polygon[1:] + polygon[:1], strict=True)
    return next((a, b) for a, b in sides if min(a, b) >= first)
