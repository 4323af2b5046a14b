"""The bones of the hand model, and its points: 21 joints and the palmar skin below each."""

import numpy as np
from jaxtyping import Float, Float32, Int32
from scipy.sparse import csr_array

FOREARM, HAND, RING_METACARPAL, LITTLE_METACARPAL = 0, 1, 13, 17
PARENTS = np.array([1, 1, 1, 2, 3, 1, 5, 6, 7, 1, 9, 10, 11, 1, 13, 14, 15, 1, 17, 18, 19])
"""The parent of each of the 21 bones; the hand, which is the root, is its own parent.

0 is the forearm, 1 the hand, 2-4 the thumb. Then index, middle, ring and little finger follow, each with a
metacarpal and three phalanges.
"""
THUMB_BONES = np.array([2, 3, 4])
FINGER_BONES = np.array([[6, 7, 8], [10, 11, 12], [14, 15, 16], [18, 19, 20]])
"""The phalanges of index, middle, ring and little finger, base to tip."""
LEVELS = (
    np.array([0, 2, 5, 9, 13, 17]),
    np.array([3, 6, 10, 14, 18]),
    np.array([4, 7, 11, 15, 19]),
    np.array([8, 12, 16, 20]),
)
"""The bones by their distance from the root; all bones of a level can be posed at once."""
# Bones of the five fingers, thumb first, tip before base: RHD's order of keypoints.
_CHAINS = np.concatenate([THUMB_BONES[None], FINGER_BONES])[:, ::-1]
# The tails of the last bones lie on the skin or outside. Fingertips lie this far inside, thumb to little.
TIP_INWARD_M = np.array([[0.002], [0.0035], [0.005], [0.003], [0.003]], np.float32)

# The bone in whose frame +z is the palmar side, for each keypoint. It is -1 for wrist, thumb base and
# knuckles: their palmar side is that of the palm, -z of the hand frame.
_FACING = np.array([-1, *(bone for chain in _CHAINS for bone in (chain[0], *chain[:2], -1))])


def own_joints(
    heads: Float[np.ndarray, "bones 3"], tails: Float[np.ndarray, "bones 3"]
) -> Float[np.ndarray, "21 3"]:
    """Return the joints about which the mesh bends, and the fingertips, in RHD's order, of posed bones."""
    tips = tails[_CHAINS[:, 0]]
    last = tips - heads[_CHAINS[:, 0]]
    tips = tips - TIP_INWARD_M * last / np.linalg.norm(last, axis=1, keepdims=True)
    fingers = np.concatenate([tips[:, None], heads[_CHAINS]], 1)
    return np.concatenate([heads[1:2], fingers.reshape(20, 3)])


def palmar_skin(
    joints: Float32[np.ndarray, "21 3"],
    frames: Float32[np.ndarray, "bones 3 3"],
    vertices: Float32[np.ndarray, "coarse 3"],
    faces: Int32[np.ndarray, "faces 3"],
) -> csr_array:
    """Return the weights (21, coarse) of the vertices that give the palmar skin below each joint.

    The skin is hit by a ray from the joint to its palmar side, on the mean hand at rest. The weights give the
    same spots of skin on every hand and in every pose.
    """
    a, b, c = vertices[faces].transpose(1, 0, 2)
    rays = np.where(_FACING[:, None] < 0, [0, 0, -1], frames[_FACING, :, 2])
    rows = []
    for joint, ray in zip(joints, rays, strict=True):
        # Solve joint + t ray = a + u (b - a) + v (c - a) for every face at once.
        sides = np.stack([b - a, c - a, np.broadcast_to(-ray, a.shape)], 2).astype(np.float64)
        solvable = np.abs(np.linalg.det(sides)) > 1e-15
        u, v, t = np.full((3, len(a)), -1.0)
        u[solvable], v[solvable], t[solvable] = np.linalg.solve(
            sides[solvable], (joint - a)[solvable, :, None]
        )[..., 0].T
        hit = np.flatnonzero((u >= 0) & (v >= 0) & (u + v <= 1) & (t > 0))
        face = hit[t[hit].argmin()]
        rows.append((faces[face], [1 - u[face] - v[face], u[face], v[face]]))
    columns, weights = (np.concatenate(part) for part in zip(*rows, strict=True))
    at = (np.arange(21).repeat(3), columns)
    return csr_array((weights.astype(np.float32), at), shape=(21, len(vertices)))
