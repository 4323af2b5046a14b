"""The first surface behind each pixel's centre, found triangle by triangle.

The result is that of `RayMesh.first_hit`, but it is faster: a ray searches the whole hand, and a triangle
tests only its few pixels. Each pixel keeps the nearest triangle. Frame: camera, metres.
"""

from typing import no_type_check

from jaxtyping import Float32
from numpy import ndarray

from latent_hands.rendering.rays.raycast import Hits, RayMesh, wp

wp.set_module_options({"enable_backward": False})

NEAR_M = 0.01
"""Surfaces that are nearer are not drawn."""
SLACK = 1e-4
"""A triangle is enlarged by this share, so that no ray passes between two triangles."""
FAR_PX, MARGIN_PX = 1e9, 1e-3
NOTHING = 2**62


@wp.func
@no_type_check
def _meet(a: wp.vec3, b: wp.vec3, c: wp.vec3, slope: wp.vec2):
    """Return where a ray meets a triangle's plane: the weights of b and c, and the depth."""
    u, v = b - a, c - a
    normal = wp.cross(u, v)
    ray = wp.vec3(slope[0], slope[1], 1.0)
    scale = 1.0 / wp.dot(ray, normal)
    return wp.vec3(wp.dot(ray, wp.cross(v, a)), wp.dot(ray, wp.cross(a, u)), wp.dot(a, normal)) * scale


@wp.func
@no_type_check
def _clipped(a: wp.vec3, b: wp.vec3):
    """Return the end a of an edge, or, if a is nearer than NEAR_M, the point of the edge at NEAR_M."""
    if a[2] >= NEAR_M or b[2] <= NEAR_M:
        return a
    return wp.lerp(a, b, (NEAR_M - a[2]) / (b[2] - a[2]))


@wp.func
@no_type_check
def _enlarged(box: wp.vec4, a: wp.vec3, b: wp.vec3, focal_px: wp.vec2, principal_px: wp.vec2):
    """Return the box (left, top, right, bottom), enlarged to contain the end a of an edge."""
    end = _clipped(a, b)
    p = wp.cw_mul(wp.vec2(end[0], end[1]) / wp.max(end[2], NEAR_M), focal_px) + principal_px
    return wp.vec4(wp.min(box[0], p[0]), wp.min(box[1], p[1]), wp.max(box[2], p[0]), wp.max(box[3], p[1]))


@wp.kernel
@no_type_check
def _draw(
    points: wp.array[wp.vec3],
    corners: wp.array[int],
    focal_px: wp.vec2,
    principal_px: wp.vec2,
    size: int,
    nearest: wp.array[wp.int64],
):
    f = wp.tid()
    a, b, c = points[corners[3 * f]], points[corners[3 * f + 1]], points[corners[3 * f + 2]]
    if wp.max(wp.max(a[2], b[2]), c[2]) <= NEAR_M:
        return
    box = wp.vec4(FAR_PX, FAR_PX, -FAR_PX, -FAR_PX)
    box = _enlarged(_enlarged(box, a, b, focal_px, principal_px), a, c, focal_px, principal_px)
    box = _enlarged(_enlarged(box, b, a, focal_px, principal_px), b, c, focal_px, principal_px)
    box = _enlarged(_enlarged(box, c, a, focal_px, principal_px), c, b, focal_px, principal_px)
    last = float(size - 1)
    for y in range(int(wp.ceil(wp.max(box[1], 0.0) - MARGIN_PX)), int(wp.min(box[3], last) + MARGIN_PX) + 1):
        for x in range(
            int(wp.ceil(wp.max(box[0], 0.0) - MARGIN_PX)), int(wp.min(box[2], last) + MARGIN_PX) + 1
        ):
            at = _meet(a, b, c, wp.cw_div(wp.vec2(float(x), float(y)) - principal_px, focal_px))
            if wp.min(wp.min(at[0], at[1]), 1.0 - at[0] - at[1]) >= -SLACK and at[2] > 0.0:
                # The bits of positive floats, read as integers, have the same order.
                key = (wp.int64(wp.cast(at[2], wp.int32)) << wp.int64(32)) | wp.int64(f)
                wp.atomic_min(nearest, y * size + x, key)


@wp.kernel
@no_type_check
def _read(
    points: wp.array[wp.vec3],
    corners: wp.array[int],
    focal_px: wp.vec2,
    principal_px: wp.vec2,
    size: int,
    nearest: wp.array[wp.int64],
    face: wp.array[int],
    weight: wp.array[wp.vec3],
    depth_m: wp.array[float],
):
    i = wp.tid()
    if nearest[i] == wp.int64(NOTHING):
        face[i] = -1
        return
    f = int(nearest[i] & wp.int64(0x7FFFFFFF))
    a, b, c = points[corners[3 * f]], points[corners[3 * f + 1]], points[corners[3 * f + 2]]
    pixel = wp.vec2(float(i % size), float(i // size))
    at = _meet(a, b, c, wp.cw_div(pixel - principal_px, focal_px))
    face[i] = f
    weight[i] = wp.vec3(1.0 - at[0] - at[1], at[0], at[1])
    depth_m[i] = at[2]


def rasterise(surface: RayMesh, K: Float32[ndarray, "3 3"], size: int) -> Hits:
    """Return the first surface behind each pixel of a square image, row by row.

    Args:
        surface: The mesh.
        K: Intrinsics without skew, pixel centres at integers.
        size: Side of the image, pixels.
    """
    device, count = surface.device, size * size
    nearest = wp.full(count, NOTHING, dtype=wp.int64, device=device)
    face = wp.empty(count, dtype=int, device=device)
    weight = wp.zeros(count, dtype=wp.vec3, device=device)
    depth_m = wp.zeros(count, dtype=float, device=device)
    mesh = surface.mesh
    camera = [mesh.points, mesh.indices, wp.vec2(K[0, 0], K[1, 1]), wp.vec2(K[0, 2], K[1, 2]), size]
    wp.launch(_draw, len(surface.faces), inputs=[*camera, nearest], device=device)
    wp.launch(_read, count, inputs=[*camera, nearest], outputs=[face, weight, depth_m], device=device)
    return Hits(face.numpy(), weight.numpy(), depth_m.numpy())
