"""Maps over the vertices of a mesh: normals, and smoothing."""

from typing import no_type_check

import numpy as np
from jaxtyping import Float32, Int32
from numpy import ndarray
from scipy.sparse import csr_array

from latent_hands.hand.rig.subdivision import mesh_edges
from latent_hands.rendering.rays.raycast import wp

wp.set_module_options({"enable_backward": False})


class Normals:
    """Unit normals of a mesh's vertices, the mean over their faces weighted by area.

    Args:
        faces: Corner numbers of the triangles.
        count: How many vertices there are.
    """

    def __init__(self, faces: Int32[ndarray, "f 3"], count: int, device: str = "cpu") -> None:
        """Note the faces around each vertex."""
        order = np.argsort(faces.ravel(), kind="stable")
        starts = np.searchsorted(faces.ravel()[order], np.arange(count + 1))
        arrays = (faces.ravel(), starts, order // 3)
        self.fan = [wp.array(array.astype(np.int32), dtype=int, device=device) for array in arrays]
        self.count, self.device = count, device

    def of(self, points_m: Float32[ndarray, "v 3"]) -> Float32[ndarray, "v 3"]:
        """The normals of the vertices at these places, outwards if the faces are wound that way."""
        points = wp.array(points_m, dtype=wp.vec3, device=self.device, copy=False)
        normals = wp.zeros(self.count, dtype=wp.vec3, device=self.device)
        wp.launch(_normals, self.count, inputs=[points, *self.fan], outputs=[normals], device=self.device)
        return normals.numpy()


@wp.kernel
@no_type_check
def _normals(
    points: wp.array[wp.vec3],
    corners: wp.array[int],
    start: wp.array[int],
    around: wp.array[int],
    normals: wp.array[wp.vec3],
):
    i = wp.tid()
    total = wp.vec3(0.0)
    for k in range(start[i], start[i + 1]):
        f = 3 * around[k]
        a, b, c = points[corners[f]], points[corners[f + 1]], points[corners[f + 2]]
        total += wp.cross(b - a, c - a)
    normals[i] = wp.normalize(total)


def neighbour_mean(faces: Int32[ndarray, "f 3"], count: int, share: float) -> csr_array:
    """Each vertex gives `share` of its value for the mean of its neighbours'; rows sum to one."""
    edges, _ = mesh_edges(faces)
    ends = np.concatenate([edges, edges[:, ::-1]])
    degree = np.maximum(np.bincount(ends[:, 0], minlength=count), 1)
    values = np.concatenate([share / degree[ends[:, 0]], np.full(count, 1 - share)])
    every = np.arange(count)
    rows, columns = np.concatenate([ends, np.stack([every, every], 1)]).T
    return csr_array((values.astype(np.float32), (rows, columns)), shape=(count, count))
