"""Rays against a triangle mesh: the first surface on a ray, and the light that reaches a point.

Warp runs the same kernels on CPU and CUDA. All points are in the camera frame, in metres.
"""

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
    """Start warp without the warning about a missing CUDA driver.

    Native code writes this warning to file descriptor 2.
    """
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
SHADOW_LIFT_M, SHADOW_REACH_M = 0.0015, 0.5
"""Shadow rays start this far above the surface, and nothing farther than the reach casts a shadow."""


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


@wp.kernel
@no_type_check
def _gather(
    mesh: wp.uint64,
    points: wp.array[wp.vec3],
    normals: wp.array[wp.vec3],
    directions: wp.array[wp.vec3],
    power: wp.array[wp.vec3],
    lift_m: float,
    reach_m: float,
    direct: wp.array[wp.vec3],
    blocked: wp.array[wp.vec3],
):
    i = wp.tid()
    normal = normals[i]
    start = points[i] + normal * lift_m
    reached = wp.vec3(0.0)
    hidden = wp.vec3(0.0)
    for k in range(directions.shape[0]):
        cosine = wp.dot(normal, directions[k])
        if cosine > 0.0:
            if wp.mesh_query_ray_anyhit(mesh, start, directions[k], reach_m):
                hidden += power[k] * cosine
            else:
                reached += power[k] * cosine
    direct[i] = reached
    blocked[i] = hidden


@dataclass(frozen=True)
class Hits:
    """The first surface on each of n rays.

    Args:
        face: Number of the triangle, -1 for none.
        weight: Weights of the triangle's corners.
        depth_m: Depth, 0 for none.
    """

    face: Int32[ndarray, " n"]
    weight: Float32[ndarray, "n 3"]
    depth_m: Float32[ndarray, " n"]


class RayMesh:
    """A triangle mesh with a tree of boxes over it. The tree is built once and refitted for each pose.

    Args:
        faces: Corner numbers of the triangles.
        points_m: Corners; a tree that is built on a spread-out pose serves all poses.
        device: "cpu" or the name of a CUDA device in warp.
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
        """Move the corners; the tree keeps its shape, and its boxes are refitted."""
        self.mesh.points.assign(points_m)
        self.mesh.refit()

    def first_hit(self, uv_px: Float32[ndarray, "n 2"], K: Float32[ndarray, "3 3"]) -> Hits:
        """Return the first surface behind image points, for a camera at the origin that looks along +z.

        Args:
            uv_px: Image points, pixel centres at integers.
            K: Intrinsics without skew.
        """
        count = len(uv_px)
        face = wp.zeros(count, dtype=int, device=self.device)
        weight = wp.zeros(count, dtype=wp.vec3, device=self.device)
        depth_m = wp.zeros(count, dtype=float, device=self.device)
        points = wp.array(uv_px, dtype=wp.vec2, device=self.device, copy=False)
        camera = [wp.vec2(K[0, 0], K[1, 1]), wp.vec2(K[0, 2], K[1, 2]), FAR_M]
        outputs = [face, weight, depth_m]
        inputs = [self.mesh.id, points, *camera]
        wp.launch(_first_hit, count, inputs=inputs, outputs=outputs, device=self.device)
        return Hits(face.numpy(), weight.numpy(), depth_m.numpy())

    def irradiance(
        self,
        points_m: Float32[ndarray, "v 3"],
        normals: Float32[ndarray, "v 3"],
        directions: Float32[ndarray, "d 3"],
        power: Float32[ndarray, "d 3"],
    ) -> tuple[Float32[ndarray, "v 3"], Float32[ndarray, "v 3"]]:
        """Return the light that reaches points on a surface, and the light that the mesh blocks.

        Both are irradiances, linear RGB.

        Args:
            points_m: Points on the surface.
            normals: Unit normals of the surface at the points.
            directions: Unit vectors towards distant lights.
            power: Radiance times solid angle of each light.
        """
        count, device = len(points_m), self.device
        outputs = [wp.zeros(count, dtype=wp.vec3, device=device) for _ in range(2)]
        vectors = [
            np.ascontiguousarray(array, np.float32) for array in (points_m, normals, directions, power)
        ]
        arrays = [wp.array(array, dtype=wp.vec3, device=device, copy=False) for array in vectors]
        inputs = [self.mesh.id, *arrays, SHADOW_LIFT_M, SHADOW_REACH_M]
        wp.launch(_gather, count, inputs=inputs, outputs=outputs, device=device)
        return outputs[0].numpy(), outputs[1].numpy()
