"""An articulated right hand with a shape space, baked from MakeHuman's CC0 body (see assets/PROVENANCE.md).

The hand frame, in metres: wrist joint at the origin, x to the little finger, y from the wrist to the middle
MCP, z out of the back of the hand. Poses move the fingers and the forearm; the palm stays.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from jaxtyping import Float, Float32, Int32, UInt8
from safetensors.numpy import load
from scipy.sparse import csr_array

from latent_hands.hand.conventions import RHD, keypoints
from latent_hands.hand.rig.articulation import Articulation
from latent_hands.hand.rig.points import FINGER_BONES, LEVELS, PARENTS, THUMB_BONES, own_joints, palmar_skin
from latent_hands.hand.rig.subdivision import loop_subdivision
from latent_hands.hand.rig.surface import blush, palm_side, vertex_normals

FOREARM, HAND, LITTLE_METACARPAL, RING_METACARPAL = 0, 1, 17, 13
FINGERTIPS = [2, 5, 8, 11, 14]


@dataclass(frozen=True)
class Shape:
    """A person's hand at rest: coarse vertices and the heads and tails of its bones, metres, hand frame."""

    coarse: Float32[np.ndarray, "coarse 3"]
    heads: Float32[np.ndarray, "bones 3"]
    tails: Float32[np.ndarray, "bones 3"]


@dataclass(frozen=True)
class PosedHand:
    """Coarse and fine vertices and the 21 keypoints (RHD order, wrist first), metres, hand frame.

    points: what conventions are maps from, the model's own 21 joints and the palmar skin below each.
    """

    coarse: Float32[np.ndarray, "coarse 3"]
    vertices: Float32[np.ndarray, "fine 3"]
    points: Float32[np.ndarray, "42 3"]
    keypoints: Float32[np.ndarray, "21 3"]


@dataclass(frozen=True)
class HandModel:
    """Mesh, shape space and skeleton of the right hand and its arm, which is closed far behind the elbow.

    A left hand is the mirror image: negate x and reverse the winding of the faces.
    Per fine vertex:
    rest: position in the mean hand at rest, metres (a coordinate for noise in space).
    part: RHD's label of a LEFT hand: 1 forearm, 2-4 thumb tip to base, ..., 14-16 little finger, 17 palm.
    nail: 0..1. palm: 1 on the palmar, 0 on the dorsal side. knuckle: 0..1, where blood shows.
    forearm: metres from the wrist along the arm, negative in the hand.
    """

    coarse_faces: Int32[np.ndarray, "coarse_faces 3"]
    faces: Int32[np.ndarray, "faces 3"]
    rest: Float32[np.ndarray, "fine 3"]
    part: UInt8[np.ndarray, " fine"]
    nail: Float32[np.ndarray, " fine"]
    palm: Float32[np.ndarray, " fine"]
    knuckle: Float32[np.ndarray, " fine"]
    forearm: Float32[np.ndarray, " fine"]
    mean: Float32[np.ndarray, "points 3"]
    components: Float32[np.ndarray, "12 points 3"]
    weights: Float32[np.ndarray, "coarse bones"]
    bone_frames: Float32[np.ndarray, "bones 3 3"]
    rest_flexion_deg: Float[np.ndarray, "4 3"]
    to_fine: csr_array
    palmar: csr_array

    @staticmethod
    @cache
    def load() -> "HandModel":
        """The shipped model, read once."""
        asset = load((files("latent_hands.hand") / "assets" / "hand.safetensors").read_bytes())
        weights = asset["weights"].astype(np.float32)
        weights /= weights.sum(1, keepdims=True)
        coarse_faces = asset["faces"].astype(np.int32)
        to_fine, faces = loop_subdivision(coarse_faces, len(weights))
        mean = asset["mean"]
        coarse, heads, tails = np.split(mean, np.cumsum([len(weights), len(PARENTS)]))
        frames = bone_frames(asset["bone_frames"], heads, tails)
        rest = to_fine @ coarse
        normals = vertex_normals(rest, faces)
        part = asset["bone_parts"][(to_fine @ weights).argmax(1)]
        return HandModel(
            coarse_faces=coarse_faces,
            faces=faces,
            rest=rest,
            part=part,
            nail=asset["nail"].astype(np.float32) / 255 * np.isin(part, FINGERTIPS),
            palm=palm_side(normals),
            knuckle=blush(rest, normals, heads, tails),
            forearm=rest @ frames[FOREARM, :, 1],
            mean=mean,
            components=asset["components"].astype(np.float32),
            weights=weights,
            bone_frames=frames,
            rest_flexion_deg=rest_flexion_deg(frames),
            to_fine=to_fine,
            palmar=palmar_skin(own_joints(heads, tails), frames, coarse, coarse_faces),
        )

    def subdivide(self, coarse: Float[np.ndarray, "coarse 3"]) -> Float32[np.ndarray, "fine 3"]:
        """One Loop step: fine vertices of coarse ones."""
        return self.to_fine @ coarse.astype(np.float32)

    def sample_identity(self, rng: np.random.Generator) -> Float[np.ndarray, "12"]:
        """Coefficients of a random person: normal, clipped to 2, narrower than the baked bodies (0.7)."""
        return np.clip(0.7 * rng.standard_normal(12), -2, 2)

    def identity(self, coefficients: Float[np.ndarray, "12"]) -> Shape:
        """The person with these coefficients, in standard deviations of each principal component."""
        points = self.mean + np.tensordot(coefficients.astype(np.float32), self.components, 1)
        return Shape(*np.split(points, np.cumsum([len(self.weights), len(PARENTS)])))

    def pose(self, shape: Shape, articulation: Articulation, convention: str = RHD) -> PosedHand:
        """The articulated hand, by linear blend skinning of the coarse mesh and one Loop step.

        convention: where the keypoints lie, a name in CONVENTIONS; HandsError for another.
        """
        rotations, origins = self.bones(shape, articulation)
        offsets = origins - np.einsum("bij,bj->bi", rotations, shape.heads)
        transforms = np.concatenate([rotations, offsets[:, :, None]], 2).reshape(len(PARENTS), 12)
        blended = (self.weights @ transforms).reshape(-1, 3, 4)
        coarse = np.einsum("vij,vj->vi", blended[:, :, :3], shape.coarse) + blended[:, :, 3]
        tails = np.einsum("bij,bj->bi", rotations, shape.tails) + offsets
        points = np.concatenate([own_joints(origins, tails), self.palmar @ coarse])
        return PosedHand(coarse, self.subdivide(coarse), points, keypoints(points, convention))

    def bones(
        self, shape: Shape, articulation: Articulation
    ) -> tuple[Float32[np.ndarray, "bones 3 3"], Float32[np.ndarray, "bones 3"]]:
        """Rotations away from rest and posed heads of all bones, hand frame."""
        frames = bone_frames(self.bone_frames, shape.heads, shape.tails)
        local = self.local_rotations(articulation)
        rotations = frames @ local @ frames.transpose(0, 2, 1)
        origins = shape.heads.copy()
        for level in LEVELS:
            parent = PARENTS[level]
            offset = shape.heads[level] - shape.heads[parent]
            origins[level] = origins[parent] + np.einsum("bij,bj->bi", rotations[parent], offset)
            rotations[level] = rotations[parent] @ rotations[level]
        return rotations, origins

    def local_rotations(self, articulation: Articulation) -> Float32[np.ndarray, "bones 3 3"]:
        """Rotation of every bone in its own frame."""
        return euler_zxy(np.radians(self.bone_angles_deg(articulation)).astype(np.float32))

    def bone_angles_deg(self, articulation: Articulation) -> Float[np.ndarray, "bones 3"]:
        """Flexion about x, twist about y, abduction about z of every bone, linear in the articulation."""
        angles = np.zeros((len(PARENTS), 3))
        fingers = articulation.fingers
        angles[FINGER_BONES, 0] = fingers[:, [0, 2, 3]] - self.rest_flexion_deg
        angles[FINGER_BONES[:, 0], 2] = fingers[:, 1]
        cmc, abduction, twist, mcp, ip = articulation.thumb
        angles[THUMB_BONES, 0] = cmc, mcp, ip
        angles[THUMB_BONES[0], 1:] = twist, abduction
        angles[[RING_METACARPAL, LITTLE_METACARPAL], 0] = articulation.arch / 2, articulation.arch
        # The palm is fixed, so a flexed wrist turns the forearm the other way.
        angles[FOREARM, [0, 2]] = articulation.wrist * [1, -1]
        return angles


def bone_frames(
    frames: Float32[np.ndarray, "bones 3 3"],
    heads: Float32[np.ndarray, "bones 3"],
    tails: Float32[np.ndarray, "bones 3"],
) -> Float32[np.ndarray, "bones 3 3"]:
    """Frames (columns x y z) near `frames` with y along the bones."""
    y = tails - heads
    y /= np.linalg.norm(y, axis=1, keepdims=True)
    x = np.cross(y, frames[:, :, 2])
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    return np.stack([x, y, np.cross(x, y)], 2)


def rest_flexion_deg(frames: Float32[np.ndarray, "bones 3 3"]) -> Float[np.ndarray, "4 3"]:
    """Flexion of MCP, PIP and DIP of the four fingers at rest, against the bone before."""
    before = frames[PARENTS[FINGER_BONES], :, 1]
    child = frames[FINGER_BONES]
    sine = -np.einsum("fji,fji->fj", before, child[..., 2])
    cosine = np.einsum("fji,fji->fj", before, child[..., 1])
    return np.degrees(np.arctan2(sine, cosine))


def euler_zxy(angles: Float32[np.ndarray, "n 3"]) -> Float32[np.ndarray, "n 3 3"]:
    """Rz(z) Rx(x) Ry(y) of angles (x, y, z) in radians."""
    (sx, sy, sz), (cx, cy, cz) = np.sin(angles).T, np.cos(angles).T
    rows = [
        [cz * cy - sz * sx * sy, -sz * cx, cz * sy + sz * sx * cy],
        [sz * cy + cz * sx * sy, cz * cx, sz * sy - cz * sx * cy],
        [-cx * sy, sx, cx * cy],
    ]
    return np.stack([np.stack(row, 1) for row in rows], 1)
