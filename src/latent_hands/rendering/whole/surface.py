"""Solids before the camera as one surface, lit by the scene's light."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int32
from numpy import ndarray

from latent_hands.hand.rig.mesh import vertex_normals
from latent_hands.rendering.looks.light import Light, camera_to_world, environment
from latent_hands.rendering.rays.raycast import Hits, RayMesh
from latent_hands.rendering.whole.paint import albedo
from latent_hands.rendering.whole.solids import Solid

BOUNCE = 0.22
"""Share of the light blocked by surfaces that reaches a point after a reflection."""
FRESNEL = 0.03


@dataclass(frozen=True)
class SolidSurface:
    """Solids joined into one mesh.

    Args:
        solids: The solids.
        points_m, at, faces: Their corners, places and triangles, one after the other.
        solid: Number of the solid of each triangle.
        mesh: The mesh that rays hit.
        shadow: A mesh with further things that cast shadows.
    """

    solids: tuple[Solid, ...]
    points_m: Float32[ndarray, "v 3"]
    at: Float32[ndarray, "v 3"]
    faces: Int32[ndarray, "f 3"]
    solid: Int32[ndarray, " f"]
    mesh: RayMesh
    shadow: RayMesh

    @staticmethod
    def of(
        solids: list[Solid], others: list[tuple[Float32[ndarray, "w 3"], Int32[ndarray, "g 3"]]], device: str
    ) -> "SolidSurface":
        """Join solids; `others` are points and triangles that cast shadows but belong to other surfaces."""
        counts = [len(solid.points_m) for solid in solids]
        starts = np.cumsum([0, *counts[:-1]])
        points = np.concatenate([solid.points_m for solid in solids])
        faces = [solid.faces + np.int32(start) for solid, start in zip(solids, starts, strict=True)]
        numbers = np.repeat(np.arange(len(solids), dtype=np.int32), [len(each) for each in faces])
        faces = np.concatenate(faces)
        mesh = RayMesh(faces, points, device)
        shadow = mesh
        if others:
            shadow_points, shadow_faces = [points], [faces]
            for more_points, more_faces in others:
                shadow_faces.append(more_faces + np.int32(sum(map(len, shadow_points))))
                shadow_points.append(more_points)
            shadow = RayMesh(np.concatenate(shadow_faces), np.concatenate(shadow_points), device)
        at = np.concatenate([solid.at for solid in solids])
        return SolidSurface(tuple(solids), points, at, faces, numbers, mesh, shadow)

    def radiance(
        self, hits: Hits, uv_px: Float32[ndarray, "n 2"], K: Float32[ndarray, "3 3"], light: Light
    ) -> Float32[ndarray, "n 3"]:
        """Return the radiance (linear RGB) from hit points towards the camera; 0 where nothing is hit."""
        normals = vertex_normals(self.points_m, self.faces)
        surroundings, to_world = environment(light.place, light.seed), camera_to_world(light)
        directions, power = surroundings.directions @ to_world, surroundings.power
        if surroundings.sun_power.any():
            directions = np.concatenate([directions, (surroundings.sun @ to_world)[None]])
            power = np.concatenate([power, surroundings.sun_power[None]])
        hit = np.flatnonzero(hits.face >= 0)
        corners, weight = self.faces[hits.face[hit]], hits.weight[hit, :, None]
        needed, index = np.unique(corners, return_inverse=True)
        direct, blocked = self.shadow.irradiance(self.points_m[needed], normals[needed], directions, power)
        lit = ((direct + BOUNCE * blocked)[index.reshape(corners.shape)] * weight).sum(1)
        at, number = (self.at[corners] * weight).sum(1), self.solid[hits.face[hit]]
        colour, gloss = np.zeros((len(hit), 3), np.float32), np.zeros((len(hit), 1), np.float32)
        for solid in np.unique(number):
            mine = number == solid
            colour[mine] = albedo(self.solids[solid].paint, at[mine])
            gloss[mine] = self.solids[solid].paint.gloss
        ray = np.concatenate([(uv_px[hit] - K[:2, 2]) / K[[0, 1], [0, 1]], np.ones((len(hit), 1))], 1)
        facing = -(ray * (normals[corners] * weight).sum(1)).sum(1, keepdims=True)
        facing = (facing / np.linalg.norm(ray, axis=1, keepdims=True)).clip(0, 1)
        shine = gloss * (FRESNEL + 0.25 * (1 - facing) ** 5)
        result = np.zeros((len(hits.face), 3), np.float32)
        result[hit] = (colour + shine) * lit / np.float32(np.pi)
        return result
