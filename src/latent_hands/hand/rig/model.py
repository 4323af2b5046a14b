"""An articulated right hand with a shape space, baked from MakeHuman's CC0 body (hand/assets/PROVENANCE.md).

The hand frame is in metres. The wrist is at the origin; x points to the little finger, y from the wrist to
the middle MCP, and z out of the back of the hand. Poses move the fingers and the forearm, not the palm.
"""

from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files

import numpy as np
from jaxtyping import Float, Float32, Int32, UInt8
from safetensors.numpy import load
from scipy.sparse import csr_array

from latent_hands.hand.conventions import FRAMING, keypoints
from latent_hands.hand.rig.arm import shaped_arm
from latent_hands.hand.rig.articulation import Articulation
from latent_hands.hand.rig.mesh import loop_subdivision, vertex_normals
from latent_hands.hand.rig.points import (
    FINGER_BONES,
    FOREARM,
    LEVELS,
    LITTLE_METACARPAL,
    PARENTS,
    RING_METACARPAL,
    THUMB_BONES,
    own_joints,
    palmar_skin,
)

_FINGERTIP_PARTS = [2, 5, 8, 11, 14]


@dataclass(frozen=True)
class Shape:
    """A person's hand at rest: coarse vertices, and heads and tails of its bones, in the hand frame."""

    coarse: Float32[np.ndarray, "coarse 3"]
    heads: Float32[np.ndarray, "bones 3"]
    tails: Float32[np.ndarray, "bones 3"]

    @cached_property
    def frames(self) -> Float32[np.ndarray, "bones 3 3"]:
        """The frames of the bones at rest, with axes x, y (along the bone) and z as columns."""
        return bone_frames(HandModel.load().bone_frames, self.heads, self.tails)


@dataclass(frozen=True)
class PosedHand:
    """A posed hand, in metres, in the hand frame.

    coarse: the vertices of the coarse mesh.
    points: the model's own 21 joints, then the palmar skin below each; input of joint conventions.
    keypoints: the 21 keypoints of a joint convention, in RHD's order, wrist first.
    """

    coarse: Float32[np.ndarray, "coarse 3"]
    points: Float32[np.ndarray, "42 3"]
    keypoints: Float32[np.ndarray, "21 3"]

    @cached_property
    def vertices(self) -> Float32[np.ndarray, "fine 3"]:
        """The vertices of the fine mesh, computed when they are first needed."""
        return HandModel.load().subdivide(self.coarse)


@dataclass(frozen=True, eq=False)
class HandModel:
    """Mesh, shape space and skeleton of a right hand and its arm, which is closed far behind the elbow.

    A left hand is the mirror image: negate x and reverse the winding of the faces.

    Attributes of each fine vertex:
    rest: position in the mean hand at rest, in metres; a coordinate for spatial noise.
    part: RHD's label of a LEFT hand: 1 forearm, 2-4 thumb tip to base, ..., 14-16 little finger, 17 palm.
    nail: 1 on a fingernail, 0 elsewhere.
    palm: 1 on the palmar, 0 on the dorsal side.
    knuckle: 1 where the skin is reddest, on the back of finger joints and at fingertips; 0 elsewhere.
    forearm: distance from the wrist along the arm in metres, negative in the hand.

    Shape space and skeleton:
    mean, components: coarse vertices, then heads and tails of the bones; one standard deviation a component.
    weights: skin weights of the coarse vertices.
    bone_frames: frames of the bones at rest, with axes x, y (along the bone) and z as columns.
    rest_flexion_deg: flexion of MCP, PIP and DIP of the four fingers at rest.
    to_fine: the map from coarse to fine vertices. palmar: the map from coarse vertices to palmar skin.
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
        """Return the shipped model; it is read once."""
        asset = load((files("latent_hands.hand") / "assets" / "hand.safetensors").read_bytes())
        weights = asset["weights"].astype(np.float32)
        weights /= weights.sum(1, keepdims=True)
        coarse_faces = asset["faces"].astype(np.int32)
        to_fine, faces = loop_subdivision(coarse_faces, len(weights))
        mean = asset["mean"]
        coarse, heads, tails = np.split(mean, np.cumsum([len(weights), len(PARENTS)]))
        frames = bone_frames(asset["bone_frames"], heads, tails)
        components, count = asset["components"].astype(np.float32), len(coarse)
        coarse, changes = shaped_arm(coarse, components[:, :count], heads[FOREARM], frames[FOREARM])
        mean = np.concatenate([coarse, mean[count:]])
        components = np.concatenate([changes, components[:, count:]], 1)
        rest = to_fine @ coarse
        normals = vertex_normals(rest, faces)
        part = asset["bone_parts"][(to_fine @ weights).argmax(1)]
        return HandModel(
            coarse_faces=coarse_faces,
            faces=faces,
            rest=rest,
            part=part,
            nail=asset["nail"].astype(np.float32) / 255 * np.isin(part, _FINGERTIP_PARTS),
            palm=_smoothstep(0.35, -0.35, normals[:, 2]),
            knuckle=_redness(rest, normals, heads, tails),
            forearm=rest @ frames[FOREARM, :, 1],
            mean=mean,
            components=components,
            weights=weights,
            bone_frames=frames,
            rest_flexion_deg=rest_flexion_deg(frames),
            to_fine=to_fine,
            palmar=palmar_skin(own_joints(heads, tails), frames, coarse, coarse_faces),
        )

    def subdivide(self, coarse: Float[np.ndarray, "coarse 3"]) -> Float32[np.ndarray, "fine 3"]:
        """Return the fine vertices of coarse ones, by one Loop step."""
        return self.to_fine @ coarse.astype(np.float32)

    def sample_identity(self, rng: np.random.Generator) -> Float[np.ndarray, "12"]:
        """Draw the coefficients of a person: normal with a standard deviation of 0.7, clipped to +-2."""
        return np.clip(0.7 * rng.standard_normal(12), -2, 2)

    def identity(self, coefficients: Float[np.ndarray, "12"]) -> Shape:
        """Return the person with these coefficients, in standard deviations of the principal components."""
        points = self.mean + np.tensordot(coefficients.astype(np.float32), self.components, 1)
        return Shape(*np.split(points, np.cumsum([len(self.weights), len(PARENTS)])))

    def pose(self, shape: Shape, articulation: Articulation, convention: str = FRAMING) -> PosedHand:
        """Pose a person's hand, by linear blend skinning of the coarse mesh.

        `convention` names the joint convention of the keypoints. Raises HandsError for an unknown one.
        """
        rotations, origins = self.bones(shape, articulation)
        offsets = origins - np.einsum("bij,bj->bi", rotations, shape.heads)
        transforms = np.concatenate([rotations, offsets[:, :, None]], 2).reshape(len(PARENTS), 12)
        blended = (self.weights @ transforms).reshape(-1, 3, 4)
        coarse = np.einsum("vij,vj->vi", blended[:, :, :3], shape.coarse) + blended[:, :, 3]
        tails = np.einsum("bij,bj->bi", rotations, shape.tails) + offsets
        points = np.concatenate([own_joints(origins, tails), self.palmar @ coarse])
        return PosedHand(coarse, points, keypoints(points, convention))

    def bones(
        self, shape: Shape, articulation: Articulation
    ) -> tuple[Float32[np.ndarray, "bones 3 3"], Float32[np.ndarray, "bones 3"]]:
        """Return the rotations of all bones from rest, and their posed heads, in the hand frame."""
        frames = shape.frames
        local = euler_zxy(np.radians(self.bone_angles_deg(articulation)).astype(np.float32))
        rotations = frames @ local @ frames.transpose(0, 2, 1)
        origins = shape.heads.copy()
        for level in LEVELS:
            parent = PARENTS[level]
            offset = shape.heads[level] - shape.heads[parent]
            origins[level] = origins[parent] + np.einsum("bij,bj->bi", rotations[parent], offset)
            rotations[level] = rotations[parent] @ rotations[level]
        return rotations, origins

    def bone_angles_deg(self, articulation: Articulation) -> Float[np.ndarray, "bones 3"]:
        """Return flexion (about x), twist (about y) and abduction (about z) of each bone, in its own frame.

        They are linear in the articulation.
        """
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
    """Return the frames (axes as columns) nearest to `frames` whose y axis lies along the bones."""
    y = tails - heads
    y /= np.linalg.norm(y, axis=1, keepdims=True)
    x = np.cross(y, frames[:, :, 2])
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    return np.stack([x, y, np.cross(x, y)], 2)


def rest_flexion_deg(frames: Float32[np.ndarray, "bones 3 3"]) -> Float[np.ndarray, "4 3"]:
    """Return the flexion of MCP, PIP and DIP of the four fingers at rest, relative to the parent bones."""
    before = frames[PARENTS[FINGER_BONES], :, 1]
    child = frames[FINGER_BONES]
    sine = -np.einsum("fji,fji->fj", before, child[..., 2])
    cosine = np.einsum("fji,fji->fj", before, child[..., 1])
    return np.degrees(np.arctan2(sine, cosine))


def euler_zxy(angles: Float32[np.ndarray, "n 3"]) -> Float32[np.ndarray, "n 3 3"]:
    """Return Rz(z) Rx(x) Ry(y) of the angles (x, y, z) in radians."""
    (sx, sy, sz), (cx, cy, cz) = np.sin(angles).T, np.cos(angles).T
    rows = [
        [cz * cy - sz * sx * sy, -sz * cx, cz * sy + sz * sx * cy],
        [sz * cy + cz * sx * sy, cz * cx, sz * sy - cz * sx * cy],
        [-cx * sy, sx, cx * cy],
    ]
    return np.stack([np.stack(row, 1) for row in rows], 1)


def _redness(
    rest: Float32[np.ndarray, "fine 3"],
    normals: Float32[np.ndarray, "fine 3"],
    heads: Float32[np.ndarray, "bones 3"],
    tails: Float32[np.ndarray, "bones 3"],
) -> Float32[np.ndarray, " fine"]:
    """Return where blood is visible, 0 to 1: on the back of the finger joints and around the fingertips."""
    phalanges = [3, 4, 6, 7, 8, 10, 11, 12, 14, 15, 16, 18, 19, 20]
    joint = np.exp(-(_distance(rest, heads[phalanges]) ** 2) / (2 * 0.009**2)) * _smoothstep(
        -0.2, 0.5, normals[:, 2]
    )
    tip = np.exp(-(_distance(rest, tails[[4, 8, 12, 16, 20]]) ** 2) / (2 * 0.008**2))
    return np.maximum(joint, tip).astype(np.float32)


def _distance(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Return the distance of each point to the nearest centre."""
    return np.linalg.norm(points[:, None] - centres, axis=-1).min(1)


def _smoothstep(low: float, high: float, x: Float32[np.ndarray, " n"]) -> Float32[np.ndarray, " n"]:
    t = np.clip((x - low) / (high - low), 0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)
