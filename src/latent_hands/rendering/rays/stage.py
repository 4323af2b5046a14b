"""The hand's surface prepared for rendering: what depends on the model alone is computed once."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8
from numpy import ndarray

from latent_hands.hand.rig.model import HandModel
from latent_hands.hand.rig.points import FINGER_BONES, PARENTS, THUMB_BONES
from latent_hands.rendering.looks.cloth import Sleeve, cloth_offset
from latent_hands.rendering.looks.jewellery import Band, band_offset
from latent_hands.rendering.looks.light import LUMINANCE, Light, camera_to_world, environment
from latent_hands.rendering.looks.reflectance import THING_MM, Relief
from latent_hands.rendering.looks.things import thing_faces, unit_thing
from latent_hands.rendering.rays.irradiance import irradiance
from latent_hands.rendering.rays.raycast import Hits, RayMesh, wp
from latent_hands.rendering.rays.shade import Lighting, shade
from latent_hands.rendering.rays.vertex_maps import Normals, neighbour_mean

BOUNCE = np.array([0.42, 0.25, 0.18], np.float32)
"""Part of the light that the hand keeps from itself which comes back, coloured by skin, in folds."""

ABSENT_M = np.array([0, 0, -10], np.float32)


@dataclass(frozen=True)
class PlacedSurface:
    """Fine vertices, then those of an object (metres), and unit normals in the camera frame."""

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
        thing = unit_thing(1.0, 1.0) * np.float32(0.05)
        self.rest = np.concatenate([model.rest, thing])
        self.faces = np.concatenate([model.faces, thing_faces() + np.int32(len(model.rest))])
        coarse_faces = np.concatenate([model.coarse_faces, thing_faces() + np.int32(coarse_count)])
        # Apart from the hand, or the trees would mix both and have large boxes wherever the object goes.
        thing = thing + ABSENT_M
        self.fine = RayMesh(self.faces, np.concatenate([model.rest, thing]), device)
        self.coarse = RayMesh(coarse_faces, np.concatenate([model.rest[:coarse_count], thing]), device)
        self.normals = Normals(self.faces, len(self.rest), device)
        self.parts = np.concatenate([model.part, np.zeros(len(thing), np.uint8)])
        # Red light travels some millimetres through skin, green and blue hardly.
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
        """Move the surfaces to a pose, dressed; an object that is absent is put behind the camera."""
        absent = np.full((len(self.rest) - len(vertices_m), 3), ABSENT_M, np.float32)
        points_m = np.concatenate([vertices_m, absent if thing_m is None else thing_m])
        sign = np.ones((len(points_m), 1), np.float32)
        sign[: len(vertices_m)] = -1 if mirrored else 1
        normals = self.normals.of(points_m) * sign
        if sleeve is not None or bands:
            lift = band_offset(self.model, bands)
            if sleeve is not None:
                lift = np.maximum(lift, cloth_offset(sleeve, self.model.rest, self.model.forearm))
            points_m[: len(lift)] += lift[:, None] * normals[: len(lift)]
            normals = self.normals.of(points_m) * sign
        self.fine.move(points_m)
        self.coarse.move(np.concatenate([points_m[: self.coarse_count], points_m[len(vertices_m) :]]))
        return PlacedSurface(points_m, normals)

    def part(self, hits: Hits) -> UInt8[ndarray, " n"]:
        """Part number of the corner nearest to each hit, 0 where there is none or an object."""
        corner = self.faces[hits.face, hits.weight.argmax(1)]
        return np.where(hits.face >= 0, self.parts[corner], 0).astype(np.uint8)

    def radiance(
        self,
        hand: PlacedSurface,
        hits: Hits,
        uv_px: Float32[ndarray, "n 2"],
        K: Float32[ndarray, "3 3"],
        light: Light,
        made: Any,
    ) -> Float32[ndarray, "n 3"]:
        """Radiance (linear RGB) of hit points towards the camera, before the light's tint.

        made: What the surfaces are made of, from `latent_hands.rendering.looks.reflectance.material`.
        """
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
        return shade(hits, slope, hand.normals, float(K[0, 0]), made, self.relief, lighting, self.device)

    def _gather(
        self, hand: PlacedSurface, hits: Hits, directions: ndarray, power: ndarray
    ) -> Float32[ndarray, "v 4"]:
        """Irradiance of the fine vertices, blurred as skin blurs it, and the share of light that arrives."""
        faces, count = hits.face[hits.face >= 0], len(self.model.rest)
        first_thing = len(self.model.faces)
        seen = np.zeros(len(self.rest), bool)
        seen[self.model.coarse_faces[faces[faces < first_thing] // 4]] = True
        seen[self.faces[faces[faces >= first_thing]]] = True
        chosen = np.flatnonzero(seen)
        points, normals = hand.vertices_m[chosen], hand.normals[chosen]
        direct, kept = irradiance(self.coarse, points, normals, directions, power)
        share = (direct @ LUMINANCE) / np.maximum((direct + kept) @ LUMINANCE, 1e-6)
        values = np.zeros((len(self.rest), 5), np.float32)
        values[chosen, :3] = direct + kept * BOUNCE
        values[chosen, 3] = share
        values[chosen, 4] = 1
        of_hand = values[: self.coarse_count]
        red = self.red_spread @ (self.red_spread @ of_hand[:, [0, 4]])
        others = self.spread @ of_hand[:, 1:]
        spread = self.model.to_fine @ np.concatenate([red, others], 1)
        known = np.maximum(spread[:, [1, 5, 5, 5]], 1e-3)
        return np.concatenate([spread[:, [0, 2, 3, 4]] / known, values[count:, :4]])


def relief(model: HandModel, faces: ndarray, rest_m: ndarray, device: str) -> Any:
    """The marks and joint creases of the model, and an object's own, in the kernel's form."""
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
    marks = np.concatenate([marks, np.tile([0, 0, 0, THING_MM], (len(rest_m) - len(marks), 1))])
    made: Any = Relief()
    made.faces = wp.array(faces, dtype=int, device=device)
    made.at = wp.array(1000 * rest_m, dtype=wp.vec3, device=device)
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
