"""Fixed linear maps over the vertices of a mesh, for normals and for smoothing."""

import numpy as np
from jaxtyping import Float32, Int32
from numpy import ndarray
from scipy.sparse import csr_array

from latent_hands.render.subdivision import mesh_edges


def incidence(faces: Int32[ndarray, "f 3"], count: int) -> csr_array:
    """Vertex x face matrix of ones."""
    flat = faces.ravel()
    entries = (np.ones(flat.size, np.float32), (flat, np.arange(flat.size) // 3))
    return csr_array(entries, shape=(count, len(faces)))


def vertex_normals(
    points_m: Float32[ndarray, "v 3"], faces: Int32[ndarray, "f 3"], joined: csr_array
) -> Float32[ndarray, "v 3"]:
    """Unit normals of the vertices, the mean over their faces (`joined`: incidence) weighted by area."""
    corner = points_m[faces[:, 0]]
    x, y = (points_m[faces[:, 1]] - corner).T, (points_m[faces[:, 2]] - corner).T
    cross = [x[1] * y[2] - x[2] * y[1], x[2] * y[0] - x[0] * y[2], x[0] * y[1] - x[1] * y[0]]
    normals = joined @ np.stack(cross, 1)
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-20)


def neighbour_mean(faces: Int32[ndarray, "f 3"], count: int, share: float) -> csr_array:
    """Each vertex gives `share` of its value for the mean of its neighbours'; rows sum to one."""
    edges, _ = mesh_edges(faces)
    ends = np.concatenate([edges, edges[:, ::-1]])
    degree = np.maximum(np.bincount(ends[:, 0], minlength=count), 1)
    values = np.concatenate([share / degree[ends[:, 0]], np.full(count, 1 - share)])
    every = np.arange(count)
    rows, columns = np.concatenate([ends, np.stack([every, every], 1)]).T
    return csr_array((values.astype(np.float32), (rows, columns)), shape=(count, count))
