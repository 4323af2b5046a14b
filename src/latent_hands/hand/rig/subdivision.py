"""Loop subdivision of a closed triangle mesh as a fixed sparse linear map."""

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import coo_array, csr_array


def loop_subdivision(
    faces: Int[np.ndarray, "faces 3"], count: int
) -> tuple[Float[csr_array, "fine coarse"], Int[np.ndarray, "fine_faces 3"]]:
    """One step of Loop's scheme (Loop 1987, with Warren's weights).

    Fine vertices are the `count` coarse ones, moved, then one per edge in the order of `mesh_edges`.
    Returns the map from coarse to fine positions (rows sum to one) and the 4 x faces fine triangles,
    wound as the coarse ones.
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


def mesh_edges(
    faces: Int[np.ndarray, "faces 3"],
) -> tuple[Int[np.ndarray, "edges 2"], Int[np.ndarray, "faces 3"]]:
    """Edges (lower vertex first, sorted) and, per face, the edges ab, bc, ca."""
    sides = np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    edges, inverse = np.unique(sides, axis=0, return_inverse=True)
    return edges, inverse.reshape(-1, 3)
