"""Closed triangle meshes: edges, normals, and Loop subdivision as a sparse linear map."""

import numpy as np
from jaxtyping import Float, Float32, Int, Int32
from scipy.sparse import coo_array, csr_array


def mesh_edges(
    faces: Int[np.ndarray, "faces 3"],
) -> tuple[Int[np.ndarray, "edges 2"], Int[np.ndarray, "faces 3"]]:
    """Return the edges (lower vertex first, sorted), and for each face its edges ab, bc and ca."""
    sides = np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    edges, inverse = np.unique(sides, axis=0, return_inverse=True)
    return edges, inverse.reshape(-1, 3)


def vertex_normals(
    vertices: Float32[np.ndarray, "n 3"], faces: Int32[np.ndarray, "faces 3"]
) -> Float32[np.ndarray, "n 3"]:
    """Return outward unit normals at the vertices: the mean of the adjacent faces, weighted by area."""
    a, b, c = vertices[faces].transpose(1, 0, 2)
    face = np.repeat(np.cross(b - a, c - a), 3, 0)
    sums = [np.bincount(faces.ravel(), face[:, k], len(vertices)) for k in range(3)]
    normals = np.stack(sums, 1)
    return (normals / np.linalg.norm(normals, axis=1, keepdims=True).clip(1e-12)).astype(np.float32)


def loop_subdivision(
    faces: Int[np.ndarray, "faces 3"], count: int
) -> tuple[Float[csr_array, "fine coarse"], Int[np.ndarray, "fine_faces 3"]]:
    """Return one step of Loop's scheme (Loop 1987, with Warren's weights) for a mesh of `count` vertices.

    The fine vertices are the coarse ones, moved, then one for each edge in the order of `mesh_edges`. Returns
    the map from coarse to fine positions, whose rows sum to one, and the 4 x faces fine triangles, which have
    the winding of the coarse ones.
    """
    edges, face_edges = mesh_edges(faces)
    new = count + np.arange(len(edges))
    a, b, c = faces.T
    ab, bc, ca = (count + face_edges).T
    fine = np.stack([a, ab, ca, ab, b, bc, ca, bc, c, ab, bc, ca], 1).reshape(-1, 3)

    degree = np.bincount(edges.ravel(), minlength=count)
    beta = np.where(degree == 3, 3 / 16, 3 / (8 * np.maximum(degree, 1)))
    i, j = edges.T
    opposite = np.stack([c, a, b], 1).ravel()
    rows = [np.arange(count), i, j, new, new, count + face_edges.ravel()]
    columns = [np.arange(count), j, i, i, j, opposite]
    ends = np.full(len(edges), 3 / 8)
    values = [1 - degree * beta, beta[i], beta[j], ends, ends, np.full(opposite.size, 1 / 8)]
    entries = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    matrix = coo_array(entries, shape=(count + len(edges), count)).tocsr().astype(np.float32)
    return matrix, fine.astype(np.int32)
