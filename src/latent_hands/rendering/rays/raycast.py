"""Ray casting on a triangle mesh (warp: the same kernels on CPU and CUDA). Frame: camera, metres."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import no_type_check

import numpy as np
from jaxtyping import Float32, Int32
from numpy import ndarray

from latent_hands.errors import HandsError

try:
    import warp as wp
except ModuleNotFoundError as error:
    raise HandsError(
        "rendering needs warp-lang, which is missing: pip install 'latent-hands[render]'"
    ) from error

wp.config.log_level = wp.LOG_ERROR


def _start_quietly() -> None:
    """Without a CUDA driver, warp's native code writes a warning straight to file descriptor 2."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
            wp.init()
    finally:
        os.dup2(kept, 2)
        os.close(kept)


_start_quietly()
wp.set_module_options({"enable_backward": False})

FAR_M = 1000.0


@wp.kernel
@no_type_check
def _first_hit(
    mesh: wp.uint64,
    uv_px: wp.array[wp.vec2],
    focal_px: wp.vec2,
    principal_px: wp.vec2,
    far_m: float,
    face: wp.array[int],
    weight: wp.array[wp.vec3],
    depth_m: wp.array[float],
):
    i = wp.tid()
    slope = wp.cw_div(uv_px[i] - principal_px, focal_px)
    # With z = 1 the distance along the ray is the depth.
    hit = wp.mesh_query_ray(mesh, wp.vec3(0.0), wp.vec3(slope[0], slope[1], 1.0), far_m)
    if hit.result:
        face[i] = hit.face
        weight[i] = wp.vec3(hit.u, hit.v, 1.0 - hit.u - hit.v)
        depth_m[i] = hit.t
    else:
        face[i] = -1
        weight[i] = wp.vec3(0.0)
        depth_m[i] = 0.0


@dataclass(frozen=True)
class Hits:
    """The first surface on each of n rays: face (-1: none), weights of its corners, depth in metres."""

    face: Int32[ndarray, " n"]
    weight: Float32[ndarray, "n 3"]
    depth_m: Float32[ndarray, " n"]


class RayMesh:
    """A triangle mesh with a tree of boxes over it, built once and refitted when its points move.

    Args:
        faces: Corner numbers of the triangles.
        points_m: Corners in metres; a tree built on a spread-out pose serves all poses.
        device: "cpu" or a CUDA device as warp names it.
    """

    def __init__(
        self, faces: Int32[ndarray, "f 3"], points_m: Float32[ndarray, "v 3"], device: str = "cpu"
    ) -> None:
        """Build the tree."""
        self.device = device
        points = wp.array(np.array(points_m, np.float32), dtype=wp.vec3, device=device)
        indices = wp.array(np.ascontiguousarray(faces).reshape(-1), dtype=wp.int32, device=device)
        self.mesh = wp.Mesh(points=points, indices=indices)
        self.faces = faces

    def move(self, points_m: Float32[ndarray, "v 3"]) -> None:
        """Move the corners; the tree keeps its shape and takes new boxes."""
        self.mesh.points.assign(points_m)
        self.mesh.refit()

    def first_hit(self, uv_px: Float32[ndarray, "n 2"], K: Float32[ndarray, "3 3"]) -> Hits:
        """The first surface behind image points, for a camera at the origin that looks along +z.

        Args:
            uv_px: Image points, pixel centres at integers.
            K: Intrinsics without skew.
        """
        count = len(uv_px)
        face = wp.zeros(count, dtype=int, device=self.device)
        weight = wp.zeros(count, dtype=wp.vec3, device=self.device)
        depth_m = wp.zeros(count, dtype=float, device=self.device)
        wp.launch(
            _first_hit,
            count,
            inputs=[
                self.mesh.id,
                wp.array(uv_px, dtype=wp.vec2, device=self.device, copy=False),
                wp.vec2(K[0, 0], K[1, 1]),
                wp.vec2(K[0, 2], K[1, 2]),
                FAR_M,
            ],
            outputs=[face, weight, depth_m],
            device=self.device,
        )
        return Hits(face.numpy(), weight.numpy(), depth_m.numpy())
