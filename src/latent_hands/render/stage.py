"""The hand's surface prepared for rendering: what depends on the model alone is computed once."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, UInt8
from numpy import ndarray
from scipy.sparse import csr_array, diags_array, eye_array

from latent_hands.render.hand_model import HandModel
from latent_hands.render.irradiance import irradiance
from latent_hands.render.light import LUMINANCE
from latent_hands.render.raycast import Hits, RayMesh
from latent_hands.render.shade import Material, shade
from latent_hands.render.skin import Sleeve
from latent_hands.render.subdivision import mesh_edges

BOUNCE = np.array([0.42, 0.25, 0.18], np.float32)
"""Part of the light that the hand keeps from itself which comes back, coloured by skin, in folds."""
BEHIND = 0.65
"""Vertices that face further away from the camera than this cosine are not lit: no ray sees them."""


@dataclass(frozen=True)
class PlacedSurface:
    """Fine vertices (metres) and unit normals in the camera frame."""

    vertices_m: Float32[ndarray, "v 3"]
    normals: Float32[ndarray, "v 3"]


class Stage:
    """Ray-castable fine and coarse surfaces of a hand model, and the maps between them.

    The fine surface is seen; the coarse one, on the first of the fine vertices, gathers light and casts shadows.
    """

    def __init__(self, model: HandModel, device: str) -> None:
        count = model.to_fine.shape[1]
        self.model, self.device, self.coarse_count = model, device, count
        self.fine = RayMesh(model.faces, model.rest, device)
        self.coarse = RayMesh(model.coarse_faces, model.rest[:count], device)
        self.incidence = incidence(model.faces, len(model.rest))
        self.marks = np.stack([model.nail, model.palm, model.knuckle, model.forearm], 1).astype(np.float32)
        mean = neighbour_mean(model.coarse_faces, count)
        # Red light travels some millimetres through skin, green and blue hardly.
        self.red_spread = (model.to_fine @ mean @ mean).tocsr()
        self.spread = (model.to_fine @ (mean + eye_array(count, dtype=np.float32)) * np.float32(0.5)).tocsr()

    def place(self, vertices_m: ndarray, sleeve: Sleeve | None, mirrored: bool) -> PlacedSurface:
        """Move the surfaces to a pose, dressed."""
        sign = np.float32(-1 if mirrored else 1)
        normals = vertex_normals(vertices_m, self.model.faces, self.incidence) * sign
        if sleeve is not None:
            vertices_m = (
                vertices_m + cloth_offset(sleeve, self.model.rest, self.model.forearm)[:, None] * normals
            )
            normals = vertex_normals(vertices_m, self.model.faces, self.incidence) * sign
        self.fine.move(vertices_m)
        self.coarse.move(vertices_m[: self.coarse_count])
        return PlacedSurface(vertices_m, normals)

    def part(self, hits: Hits) -> UInt8[ndarray, " n"]:
        """Part number of the corner nearest to each hit, 0 where there is none."""
        corner = self.model.faces[hits.face, hits.weight.argmax(1)]
        return np.where(hits.face >= 0, self.model.part[corner], 0).astype(np.uint8)

    def gather(
        self, hand: PlacedSurface, directions: Float32[ndarray, "d 3"], power: Float32[ndarray, "d 3"]
    ) -> Float32[ndarray, "v 4"]:
        """Irradiance of the fine vertices, blurred as skin blurs it, and the share of light that reaches them."""
        points, normals = hand.vertices_m[: self.coarse_count], hand.normals[: self.coarse_count]
        away = (normals * points).sum(1) / np.sqrt((points * points).sum(1))
        lit_ones = np.flatnonzero(away < BEHIND)
        direct, kept = irradiance(self.coarse, points[lit_ones], normals[lit_ones], directions, power)
        lit = direct + kept * BOUNCE
        share = (direct @ LUMINANCE) / np.maximum((direct + kept) @ LUMINANCE, 1e-6)
        values = np.zeros((self.coarse_count, 5), np.float32)
        values[lit_ones] = np.concatenate([lit, share[:, None], np.ones_like(share)[:, None]], 1)
        red = self.red_spread @ values[:, [0, 4]]
        rest = self.spread @ values[:, 1:]
        red = red[:, :1] / np.maximum(red[:, 1:], 1e-3)
        return np.concatenate([red, rest[:, :3] / np.maximum(rest[:, 3:], 1e-3)], 1)

    def shade(
        self, hand: PlacedSurface, hits: Hits, toward: ndarray, focal_px: float, light: ndarray, gloss: ndarray,
        to_world: ndarray, made: Material,
    ) -> Float32[ndarray, "n 3"]:  # fmt: skip
        """Radiance of hit points towards the camera."""
        model = self.model
        return shade(
            hits, toward, focal_px, model.faces, model.rest, self.marks, hand.normals, light, gloss, to_world, made,
            self.device,
        )  # fmt: skip


_stages: dict[tuple[int, str], Stage] = {}


def stage(model: HandModel, device: str = "cpu") -> Stage:
    """The stage of a model, made once a process and device."""
    key = (id(model), device)
    if key not in _stages:
        _stages[key] = Stage(model, device)
    return _stages[key]


def incidence(faces: ndarray, count: int) -> csr_array:
    """Vertex x face matrix of ones."""
    flat = faces.ravel()
    entries = (np.ones(flat.size, np.float32), (flat, np.arange(flat.size) // 3))
    return csr_array(entries, shape=(count, len(faces)))


def vertex_normals(points_m: ndarray, faces: ndarray, joined: csr_array) -> Float32[ndarray, "v 3"]:
    """Unit normals of the vertices, the mean over their faces weighted by area."""
    corner, x, y = points_m[faces[:, 0]], points_m[faces[:, 1]], points_m[faces[:, 2]]
    x, y = (x - corner).T, (y - corner).T
    cross = np.stack([x[1] * y[2] - x[2] * y[1], x[2] * y[0] - x[0] * y[2], x[0] * y[1] - x[1] * y[0]], 1)
    normals = joined @ cross
    return normals / np.maximum(np.sqrt((normals * normals).sum(1, keepdims=True)), 1e-20)


def neighbour_mean(faces: ndarray, count: int) -> csr_array:
    """Each vertex becomes the mean of itself and its neighbours, itself counting half."""
    edges, _ = mesh_edges(faces)
    i, j = np.concatenate([edges, edges[:, ::-1]]).T
    joined = csr_array((np.ones(len(i), np.float32), (i, j)), shape=(count, count))
    degree = np.maximum(np.asarray(joined.sum(1)).ravel(), 1)
    return (0.5 * diags_array(1 / degree) @ joined + 0.5 * eye_array(count)).astype(np.float32).tocsr()


def cloth_offset(sleeve: Sleeve, rest_m: ndarray, forearm_m: ndarray) -> Float32[ndarray, " v"]:
    """How far cloth lifts the surface: nothing on skin, then its thickness with folds."""
    rng = np.random.default_rng(sleeve.seed)
    folds = np.zeros(len(rest_m), np.float32)
    for _ in range(4):
        wave = rng.normal(size=3) * rng.uniform(60, 220)
        folds += np.sin(rest_m @ wave.astype(np.float32) + np.float32(rng.uniform(0, 6.28)))
    rise = np.clip((forearm_m - sleeve.start_m) / 0.006 + 0.5, 0, 1)
    return (sleeve.thickness_m * rise * (1 + 0.22 * sleeve.weave * folds)).astype(np.float32)
