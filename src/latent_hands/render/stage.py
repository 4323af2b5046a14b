"""The hand's surface prepared for rendering: what depends on the model alone is computed once."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8
from numpy import ndarray

from latent_hands.render.cloth import Sleeve, cloth_offset
from latent_hands.render.hand_model import HandModel
from latent_hands.render.irradiance import irradiance
from latent_hands.render.joints import FINGER_BONES, PARENTS, THUMB_BONES
from latent_hands.render.light import LUMINANCE, Light, camera_to_world, environment
from latent_hands.render.raycast import Hits, RayMesh, wp
from latent_hands.render.reflectance import Relief, material
from latent_hands.render.shade import Lighting, shade
from latent_hands.render.skin import Skin
from latent_hands.render.vertex_maps import Normals, neighbour_mean

BOUNCE = np.array([0.42, 0.25, 0.18], np.float32)
"""Part of the light that the hand keeps from itself which comes back, coloured by skin, in folds."""


@dataclass(frozen=True)
class PlacedSurface:
    """Fine vertices (metres) and unit normals in the camera frame."""

    vertices_m: Float32[ndarray, "v 3"]
    normals: Float32[ndarray, "v 3"]


class Stage:
    """Ray-castable fine and coarse surfaces of a hand model, and the maps between them.

    The fine surface is seen. The coarse one (the first of the fine vertices) gathers light and casts shadows.
    """

    def __init__(self, model: HandModel, device: str) -> None:
        """Build the trees and maps; a second or two."""
        coarse_count = len(model.weights)
        self.model, self.device, self.coarse_count = model, device, coarse_count
        self.fine = RayMesh(model.faces, model.rest, device)
        self.coarse = RayMesh(model.coarse_faces, model.rest[:coarse_count], device)
        self.normals = Normals(model.faces, len(model.rest), device)
        # Red light travels some millimetres through skin, green and blue hardly.
        self.red_spread = neighbour_mean(model.coarse_faces, coarse_count, 0.5)
        self.spread = neighbour_mean(model.coarse_faces, coarse_count, 0.25)
        self.relief = relief(model, device)

    def place(
        self, vertices_m: Float32[ndarray, "v 3"], sleeve: Sleeve | None, mirrored: bool
    ) -> PlacedSurface:
        """Move the surfaces to a pose, dressed."""
        sign = np.float32(-1 if mirrored else 1)
        normals = self.normals.of(vertices_m) * sign
        if sleeve is not None:
            lift = cloth_offset(sleeve, self.model.rest, self.model.forearm)
            vertices_m = vertices_m + lift[:, None] * normals
            normals = self.normals.of(vertices_m) * sign
        self.fine.move(vertices_m)
        self.coarse.move(vertices_m[: self.coarse_count])
        return PlacedSurface(vertices_m, normals)

    def part(self, hits: Hits) -> UInt8[ndarray, " n"]:
        """Part number of the corner nearest to each hit, 0 where there is none."""
        corner = self.model.faces[hits.face, hits.weight.argmax(1)]
        return np.where(hits.face >= 0, self.model.part[corner], 0).astype(np.uint8)

    def radiance(
        self,
        hand: PlacedSurface,
        hits: Hits,
        uv_px: Float32[ndarray, "n 2"],
        K: Float32[ndarray, "3 3"],
        light: Light,
        skin: Skin,
        sleeve: Sleeve | None,
    ) -> Float32[ndarray, "n 3"]:
        """Radiance (linear RGB) of hit points towards the camera, before the light's tint."""
        surroundings, to_world = environment(light.place, light.seed), camera_to_world(light)
        lighting: Any = Lighting()
        lighting.vertex = wp.array(
            self._gather(hand, hits, surroundings.directions @ to_world, surroundings.power),
            dtype=wp.vec4,
            device=self.device,
            copy=False,
        )
        lighting.gloss = wp.array(surroundings.gloss, dtype=float, device=self.device, copy=False)
        lighting.to_world = wp.mat33(*to_world.ravel().tolist())
        lighting.sun = wp.vec3(*(surroundings.sun @ to_world).tolist())
        lighting.sun_power = wp.vec3(*surroundings.sun_power.tolist())
        lighting.shadow = self.coarse.mesh.id
        slope = (uv_px - K[:2, 2]) / K[[0, 1], [0, 1]]
        made = material(skin, sleeve)
        return shade(hits, slope, hand.normals, float(K[0, 0]), made, self.relief, lighting, self.device)

    def _gather(
        self, hand: PlacedSurface, hits: Hits, directions: ndarray, power: ndarray
    ) -> Float32[ndarray, "v 4"]:
        """Irradiance of the fine vertices, blurred as skin blurs it, and the share of light that arrives."""
        seen = np.zeros(self.coarse_count, bool)
        seen[self.model.coarse_faces[hits.face[hits.face >= 0] // 4]] = True
        chosen = np.flatnonzero(seen)
        points, normals = hand.vertices_m[chosen], hand.normals[chosen]
        direct, kept = irradiance(self.coarse, points, normals, directions, power)
        share = (direct @ LUMINANCE) / np.maximum((direct + kept) @ LUMINANCE, 1e-6)
        values = np.zeros((self.coarse_count, 5), np.float32)
        values[chosen, :3] = direct + kept * BOUNCE
        values[chosen, 3] = share
        values[chosen, 4] = 1
        red = self.red_spread @ (self.red_spread @ values[:, [0, 4]])
        others = self.spread @ values[:, 1:]
        spread = self.model.to_fine @ np.concatenate([red, others], 1)
        known = np.maximum(spread[:, [1, 5, 5, 5]], 1e-3)
        return spread[:, [0, 2, 3, 4]] / known


def relief(model: HandModel, device: str) -> Any:
    """The model's marks and joint creases in the kernel's form."""
    bones = np.concatenate([THUMB_BONES[None], FINGER_BONES])
    points = 1000 * model.mean[len(model.weights) :]
    heads, tails = points[: len(PARENTS)], points[len(PARENTS) :]
    directions = (tails - heads) / np.linalg.norm(tails - heads, axis=1, keepdims=True)
    joints = [heads[bones[:, 1]], heads[bones[:, 2]], 0.55 * heads[bones[1:, 0]] + 0.45 * heads[bones[1:, 1]]]
    along = [
        directions[bones[:, 0]] + directions[bones[:, 1]],
        directions[bones[:, 1]] + directions[bones[:, 2]],
        directions[bones[1:, 0]],
    ]
    along = np.concatenate(along)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    around = np.concatenate([np.ones(2 * len(bones)), np.zeros(len(bones) - 1)])
    marks = np.stack([model.nail, model.palm, model.knuckle, 1000 * model.forearm], 1)
    made: Any = Relief()
    made.faces = wp.array(model.faces, dtype=int, device=device)
    made.at = wp.array(1000 * model.rest, dtype=wp.vec3, device=device)
    made.marks = wp.array(marks.astype(np.float32), dtype=wp.vec4, device=device)
    made.joint = wp.array(np.concatenate(joints).astype(np.float32), dtype=wp.vec3, device=device)
    made.along = wp.array(along.astype(np.float32), dtype=wp.vec3, device=device)
    made.around = wp.array(around.astype(np.float32), dtype=float, device=device)
    return made


_stages: dict[tuple[int, str], Stage] = {}


def stage(model: HandModel, device: str = "cpu") -> Stage:
    """The stage of a model, made once a process and device."""
    key = (id(model), device)
    if key not in _stages:
        _stages[key] = Stage(model, device)
    return _stages[key]
