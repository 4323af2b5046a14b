"""Light that reaches a surface, with shadows."""

from typing import no_type_check

import numpy as np
from jaxtyping import Float32
from numpy import ndarray

from latent_hands.rendering.rays.raycast import RayMesh, wp

wp.set_module_options({"enable_backward": False})

LIFT_M = 0.0015  # rays start this far above the surface
REACH_M = 0.5


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
    light: wp.array[wp.vec3],
    blocked: wp.array[wp.vec3],
):
    i = wp.tid()
    normal = normals[i]
    start = points[i] + normal * lift_m
    seen = wp.vec3(0.0)
    hidden = wp.vec3(0.0)
    for k in range(directions.shape[0]):
        cosine = wp.dot(normal, directions[k])
        if cosine > 0.0:
            if wp.mesh_query_ray_anyhit(mesh, start, directions[k], reach_m):
                hidden += power[k] * cosine
            else:
                seen += power[k] * cosine
    light[i] = seen
    blocked[i] = hidden


def irradiance(
    mesh: RayMesh,
    points_m: Float32[ndarray, "v 3"],
    normals: Float32[ndarray, "v 3"],
    directions: Float32[ndarray, "d 3"],
    power: Float32[ndarray, "d 3"],
) -> tuple[Float32[ndarray, "v 3"], Float32[ndarray, "v 3"]]:
    """Irradiance (linear RGB) that reaches points on a surface, and that which the surface itself keeps away.

    Args:
        directions: Unit vectors towards distant lights, frame of the points.
        power: Radiance times solid angle of each.
    """
    device, count = mesh.device, len(points_m)
    outputs = [wp.zeros(count, dtype=wp.vec3, device=device) for _ in range(2)]
    vectors = [np.ascontiguousarray(array, np.float32) for array in (points_m, normals, directions, power)]
    arrays = [wp.array(array, dtype=wp.vec3, device=device, copy=False) for array in vectors]
    wp.launch(_gather, count, inputs=[mesh.mesh.id, *arrays, LIFT_M, REACH_M], outputs=outputs, device=device)
    return outputs[0].numpy(), outputs[1].numpy()
