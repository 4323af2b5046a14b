"""The hand's surface, prepared for rendering: everything that depends on the model alone is computed once."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, no_type_check

import numpy as np
from jaxtyping import Float32, Int32, UInt8
from numpy import ndarray
from scipy.sparse import csr_array

from latent_hands.hand.rig.mesh import mesh_edges
from latent_hands.hand.rig.model import HandModel
from latent_hands.rendering.looks.cloth import Sleeve, cloth_offset
from latent_hands.rendering.looks.jewellery import Band, band_offset
from latent_hands.rendering.looks.light import LUMINANCE, Light, camera_to_world, environment
from latent_hands.rendering.looks.reflectance import relief
from latent_hands.rendering.looks.things import thing_faces, unit_thing
from latent_hands.rendering.rays.raycast import Hits, RayMesh, wp
from latent_hands.rendering.rays.shade import Lighting, shade

wp.set_module_options({"enable_backward": False})

BOUNCE = np.array([0.42, 0.25, 0.18], np.float32)
"""Share of the light blocked by the hand that reaches a point after a reflection on skin."""
ABSENT_M = np.array([0, 0, -10], np.float32)
"""Place of an object that a scene lacks: behind the camera."""


@dataclass(frozen=True)
class PlacedSurface:
    """Vertices (metres) and their unit normals in the camera frame: the fine hand, then an object."""

    vertices_m: Float32[ndarray, "v 3"]
    normals: Float32[ndarray, "v 3"]


class Stage:
    """The fine and the coarse surface of a hand model, ready for rays, and the maps between them.

    Images show the fine surface. The coarse surface gathers light and casts shadows; its vertices are the
    first of the fine ones.

    Args:
        model: The hand model.
        device: "cpu" or the name of a CUDA device in warp.
    """

    def __init__(self, model: HandModel, device: str) -> None:
        """Build the trees and maps, which takes a second or two."""
        coarse_count = len(model.weights)
        self.model, self.device, self.coarse_count = model, device, coarse_count
        thing = unit_thing(1.0, 1.0) * np.float32(0.05)
        self.rest = np.concatenate([model.rest, thing])
        self.faces = np.concatenate([model.faces, thing_faces() + np.int32(len(model.rest))])
        coarse_faces = np.concatenate([model.coarse_faces, thing_faces() + np.int32(coarse_count)])
        # The trees are built with the object far from the hand, or their boxes would contain parts of both.
        thing = thing + ABSENT_M
        self.fine = RayMesh(self.faces, np.concatenate([model.rest, thing]), device)
        self.coarse = RayMesh(coarse_faces, np.concatenate([model.rest[:coarse_count], thing]), device)
        self.normals = Normals(self.faces, len(self.rest), device)
        self.parts = np.concatenate([model.part, np.zeros(len(thing), np.uint8)])
        # In skin, red light travels some millimetres, green and blue light less.
        self.red_spread = neighbour_mean(model.coarse_faces, coarse_count, 0.5)
        self.spread = neighbour_mean(model.coarse_faces, coarse_count, 0.25)
        self.relief = relief(model, self.faces, self.rest, device)

    def place(
        self,
        vertices_m: Float32[ndarray, "v 3"],
        mirrored: bool,
        sleeve: Sleeve | None,
        bands: tuple[Band, ...] = (),
        thing_m: Float32[ndarray, "t 3"] | None = None,
    ) -> PlacedSurface:
        """Move the surfaces to a pose, with sleeve, jewellery and object, and return the placed surface."""
        absent = np.full((len(self.rest) - len(vertices_m), 3), ABSENT_M, np.float32)
        points_m = np.concatenate([vertices_m, absent if thing_m is None else thing_m])
        sign = np.ones((len(points_m), 1), np.float32)
        sign[: len(vertices_m)] = -1 if mirrored else 1
        normals = self.normals.of(points_m) * sign
        if sleeve is not None or bands:
            lift = _lift(self.model, sleeve, bands)
            points_m[: len(lift)] += lift[:, None] * normals[: len(lift)]
            normals = self.normals.of(points_m) * sign
        self.fine.move(points_m)
        self.coarse.move(np.concatenate([points_m[: self.coarse_count], points_m[len(vertices_m) :]]))
        return PlacedSurface(points_m, normals)

    def part(self, hits: Hits) -> UInt8[ndarray, " n"]:
        """Return the part number of the corner nearest to each hit; 0 for an object and for no hit."""
        corner = self.faces[hits.face, hits.weight.argmax(1)]
        return np.where(hits.face >= 0, self.parts[corner], 0).astype(np.uint8)

    def radiance(
        self,
        hand: PlacedSurface,
        hits: Hits,
        uv_px: Float32[ndarray, "n 2"],
        K: Float32[ndarray, "3 3"],
        light: Light,
        material: Any,
    ) -> Float32[ndarray, "n 3"]:
        """Return the radiance (linear RGB) from hit points towards the camera, before the light's tint.

        Args:
            hand: The placed surface.
            hits: The hit points.
            uv_px: Their image points.
            K: Intrinsics without skew.
            light: The light.
            material: The surfaces' `Material`.
        """
        surroundings, to_world = environment(light.place, light.seed), camera_to_world(light)
        lighting: Any = Lighting()
        lighting.vertex = wp.array(
            self._gather(hand, hits, surroundings.directions @ to_world, surroundings.power),
            dtype=wp.vec4,
            device=self.device,
            copy=False,
        )
        lighting.gloss = wp.array(surroundings.gloss, dtype=wp.vec3, device=self.device, copy=False)
        lighting.to_world = wp.mat33(*to_world.ravel().tolist())
        lighting.sun = wp.vec3(*(surroundings.sun @ to_world).tolist())
        lighting.sun_power = wp.vec3(*surroundings.sun_power.tolist())
        lighting.shadow = self.coarse.mesh.id
        slope = (uv_px - K[:2, 2]) / K[[0, 1], [0, 1]]
        return shade(hits, slope, hand.normals, float(K[0, 0]), material, self.relief, lighting, self.device)

    def _gather(
        self, hand: PlacedSurface, hits: Hits, directions: ndarray, power: ndarray
    ) -> Float32[ndarray, "v 4"]:
        """Return the irradiance of the vertices, blurred as in skin, and the share of the light that arrives.

        Only vertices near a hit gather light; all others are 0.
        """
        faces, count = hits.face[hits.face >= 0], len(self.model.rest)
        first_thing = len(self.model.faces)
        needed = np.zeros(len(self.rest), bool)
        needed[self.model.coarse_faces[faces[faces < first_thing] // 4]] = True
        needed[self.faces[faces[faces >= first_thing]]] = True
        chosen = np.flatnonzero(needed)
        points, normals = hand.vertices_m[chosen], hand.normals[chosen]
        direct, blocked = self.coarse.irradiance(points, normals, directions, power)
        share = (direct @ LUMINANCE) / np.maximum((direct + blocked) @ LUMINANCE, 1e-6)
        values = np.zeros((len(self.rest), 5), np.float32)
        values[chosen, :3] = direct + blocked * BOUNCE
        values[chosen, 3] = share
        values[chosen, 4] = 1
        of_hand = values[: self.coarse_count]
        red = self.red_spread @ (self.red_spread @ of_hand[:, [0, 4]])
        others = self.spread @ of_hand[:, 1:]
        spread = self.model.to_fine @ np.concatenate([red, others], 1)
        weight = np.maximum(spread[:, [1, 5, 5, 5]], 1e-3)
        return np.concatenate([spread[:, [0, 2, 3, 4]] / weight, values[count:, :4]])


class Normals:
    """Unit normals of a mesh's vertices: the mean of the faces' normals, weighted by area.

    Args:
        faces: Corner numbers of the triangles.
        count: Number of vertices.
        device: "cpu" or the name of a CUDA device in warp.
    """

    def __init__(self, faces: Int32[ndarray, "f 3"], count: int, device: str = "cpu") -> None:
        """List the faces around each vertex."""
        order = np.argsort(faces.ravel(), kind="stable")
        starts = np.searchsorted(faces.ravel()[order], np.arange(count + 1))
        arrays = (faces.ravel(), starts, order // 3)
        corners, *self.fan = (wp.array(array.astype(np.int32), dtype=int, device=device) for array in arrays)
        self.corners, self.crossed = corners, wp.zeros(len(faces), dtype=wp.vec3, device=device)
        self.count, self.device = count, device

    def of(self, points_m: Float32[ndarray, "v 3"]) -> Float32[ndarray, "v 3"]:
        """Return the normals of the vertices at these places; they point outwards if the faces do."""
        points = wp.array(points_m, dtype=wp.vec3, device=self.device, copy=False)
        normals = wp.zeros(self.count, dtype=wp.vec3, device=self.device)
        inputs = [points, self.corners]
        wp.launch(_cross, len(self.crossed), inputs=inputs, outputs=[self.crossed], device=self.device)
        inputs = [self.crossed, *self.fan]
        wp.launch(_normals, self.count, inputs=inputs, outputs=[normals], device=self.device)
        return normals.numpy()


@wp.kernel
@no_type_check
def _cross(points: wp.array[wp.vec3], corners: wp.array[int], crossed: wp.array[wp.vec3]):
    f = wp.tid()
    a, b, c = points[corners[3 * f]], points[corners[3 * f + 1]], points[corners[3 * f + 2]]
    crossed[f] = wp.cross(b - a, c - a)


@wp.kernel
@no_type_check
def _normals(
    crossed: wp.array[wp.vec3], start: wp.array[int], around: wp.array[int], normals: wp.array[wp.vec3]
):
    i = wp.tid()
    total = wp.vec3(0.0)
    for k in range(start[i], start[i + 1]):
        total += crossed[around[k]]
    normals[i] = wp.normalize(total)


def neighbour_mean(faces: Int32[ndarray, "f 3"], count: int, share: float) -> csr_array:
    """Return the matrix that replaces `share` of each value by the neighbours' mean; rows sum to one."""
    edges, _ = mesh_edges(faces)
    ends = np.concatenate([edges, edges[:, ::-1]])
    degree = np.maximum(np.bincount(ends[:, 0], minlength=count), 1)
    values = np.concatenate([share / degree[ends[:, 0]], np.full(count, 1 - share)])
    every = np.arange(count)
    rows, columns = np.concatenate([ends, np.stack([every, every], 1)]).T
    return csr_array((values.astype(np.float32), (rows, columns)), shape=(count, count))


@lru_cache(maxsize=8)
def _lift(model: HandModel, sleeve: Sleeve | None, bands: tuple[Band, ...]) -> Float32[ndarray, " v"]:
    """Return how far sleeve and jewellery lift each vertex of the hand, metres."""
    lift = band_offset(model, bands)
    return lift if sleeve is None else np.maximum(lift, cloth_offset(sleeve, model.rest, model.forearm))


_stages: dict[tuple[int, str], Stage] = {}


def stage(model: HandModel, device: str = "cpu") -> Stage:
    """Return the stage of a model, which is built once for each process and device."""
    key = (id(model), device)
    if key not in _stages:
        _stages[key] = Stage(model, device)
    return _stages[key]
