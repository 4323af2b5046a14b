"""Forward kinematics in torch: the 21 keypoints of many articulated hands at once, and their derivatives.

Points are those of a right hand in the hand frame of `hand.rig.model`, here in millimetres.
"""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from latent_hands.hand.rig.articulation import Articulation
from latent_hands.hand.rig.model import HandModel, Shape
from latent_hands.hand.rig.points import (
    FINGER_BONES,
    HAND,
    LEVELS,
    LITTLE_METACARPAL,
    PARENTS,
    RING_METACARPAL,
    THUMB_BONES,
    TIP_INWARD_M,
)

CHAINS = np.concatenate([THUMB_BONES[None], FINGER_BONES])
"""The bones of the five fingers, thumb first, base to tip."""
TIPS = len(PARENTS) + np.arange(5)
"""The indices of the fingertips among the 26 points of a skeleton; the heads of its 21 bones come first."""
SEGMENTS = np.concatenate([CHAINS[:, 1:], TIPS[:, None]], 1)
"""The points at the far ends of the three bones of each finger."""
CHANGES = 3 + 5 * 3 + 5 * 3
"""The number of parameters of `Skeleton.changed`: keypoint 0, the bases of the fingers, the bone lengths."""
_HEADS = np.concatenate([PARENTS, CHAINS[:, -1]])
KEYPOINTS = [HAND, *np.concatenate([SEGMENTS[:, ::-1], CHAINS[:, :1]], 1).ravel().tolist()]
"""The 21 keypoints in RHD's order, as indices of the 26 points."""
_MOVED = [point for point in (*np.concatenate(LEVELS).tolist(), *TIPS.tolist()) if point]
_POSED_ORDER = np.concatenate([[HAND], *LEVELS])
_POSED_PLACES = np.argsort(_POSED_ORDER)
"""Where each bone is among the bones in the order in which they are posed."""
_PARENTS_POSED = [_POSED_PLACES[PARENTS[level]] for level in LEVELS]
_TURNED = sorted(
    [3 * bone for bone in (*CHAINS.ravel().tolist(), RING_METACARPAL, LITTLE_METACARPAL)]
    + [3 * bone + 2 for bone in CHAINS[:, 0].tolist()]
    + [3 * int(THUMB_BONES[0]) + 1]
)
"""The indices of those of the 63 bone angles that move keypoints: flexions, abductions and thumb twist."""


@dataclass(frozen=True)
class Skeleton:
    """The bones of a person's hand, and where the keypoints of a data set lie on them.

    offsets_mm: each of 26 points (heads of the bones, fingertips) relative to the head of its bone at rest.
    frames: the frames of the bones at rest.
    linear: the map from the 21 joints (RHD's order, wrist first) to keypoints: keypoints = linear @ joints.
    root_mm: an offset of keypoint 0 in the hand frame.
    """

    offsets_mm: Float[Tensor, "26 3"]
    frames: Float[Tensor, "21 3 3"]
    linear: Float[Tensor, "21 21"]
    root_mm: Float[Tensor, "3"]

    @staticmethod
    def of(shape: Shape, linear: Float[Tensor, "21 21"]) -> "Skeleton":
        """Return the skeleton of a person of the hand model; `linear` as in the class."""
        last = CHAINS[:, -1]
        span = shape.tails[last] - shape.heads[last]
        span = span - TIP_INWARD_M * span / np.linalg.norm(span, axis=1, keepdims=True)
        offsets = np.concatenate([shape.heads - shape.heads[PARENTS], span])
        offsets, frames = torch.from_numpy(offsets).double(), torch.from_numpy(shape.frames).double()
        return Skeleton(1000 * offsets, frames, linear.double(), torch.zeros(3).double())

    def changed(self, change_mm: Float[Tensor, "33"]) -> "Skeleton":
        """Return the skeleton with keypoint 0 (3) and finger bases (15) moved, finger bones (15) longer."""
        root, bases, longer = change_mm.split([3, 15, 15])
        ends = self.offsets_mm[SEGMENTS]
        ends = ends * (1 + longer.unflatten(0, (5, 3)) / ends.norm(dim=-1))[..., None]
        offsets = self.offsets_mm.index_put((torch.from_numpy(SEGMENTS),), ends)
        offsets = offsets.index_add(0, torch.from_numpy(CHAINS[:, 0]), bases.unflatten(0, (5, 3)))
        return replace(self, offsets_mm=offsets, root_mm=self.root_mm + root)

    def keypoints_mm(self, angles_deg: Float[Tensor, "n 24"]) -> Float[Tensor, "n 21 3"]:
        """Return the keypoints of articulations, given as `Articulation.flat`."""
        _, _, places = self._posed(angles_deg)
        points = self.linear @ places[:, KEYPOINTS]
        return torch.cat([points[:, :1] + self.root_mm, points[:, 1:]], 1)

    def jacobian(self, angles_deg: Float[Tensor, "n 24"]) -> Float[Tensor, "n 21 3 24"]:
        """Return the derivatives of the keypoints by the angles, in millimetres a degree.

        A rotation about a joint's axis moves each point beyond the joint by axis x (point - joint).
        """
        angles, before, places = self._posed(angles_deg)
        (sx, _, sz), (cx, _, cz) = angles.sin().unbind(-1), angles.cos().unbind(-1)
        zero, one = torch.zeros_like(sx), torch.ones_like(sx)
        rows = [cz, -sz * cx, zero, sz, cz * cx, zero, zero, sx, one]  # columns: the axes of x, y and z
        turned = torch.stack(rows, -1).unflatten(-1, (3, 3))
        axes = (before @ self.frames @ turned).mT.flatten(1, 2)[:, _TURNED]
        bones = [turn // 3 for turn in _TURNED]
        arms = places[:, KEYPOINTS, None] - places[:, None, bones]
        columns = torch.linalg.cross(axes[:, None], arms) * _hangs()[KEYPOINTS][:, bones, None]
        moved = torch.einsum("kj,njac->nkac", self.linear, columns)
        return torch.einsum("nkac,da->nkcd", moved, torch.deg2rad(_bone_angles()[0][:, _TURNED]))

    def _posed(self, angles_deg: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return bone angles (n, 21, 3), rotations of the parents (n, 21, 3, 3) and points (n, 26, 3)."""
        slopes, rest = _bone_angles()
        angles = torch.deg2rad(angles_deg @ slopes + rest).unflatten(1, (len(PARENTS), 3))
        rotations = self.frames @ euler_zxy(angles) @ self.frames.mT
        # All bones of a level are posed at once; the root, which does not move, comes first.
        turns = torch.eye(3).to(angles).expand(len(angles), 1, 3, 3)
        places = angles.new_zeros(len(angles), 1, 3)
        for level, parents in zip(LEVELS, _PARENTS_POSED, strict=True):
            parent = turns[:, parents]
            moved = places[:, parents] + (parent @ self.offsets_mm[level][..., None])[..., 0]
            places = torch.cat([places, moved], 1)
            turns = torch.cat([turns, parent @ rotations[:, level]], 1)
        places, turns = places[:, _POSED_PLACES], turns[:, _POSED_PLACES]
        last = CHAINS[:, -1]
        tips = places[:, last] + (turns[:, last] @ self.offsets_mm[TIPS][..., None])[..., 0]
        return angles, turns[:, PARENTS], torch.cat([places, tips], 1)


def euler_zxy(angles: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Return Rz(z) Rx(x) Ry(y) of the angles (x, y, z) in radians, as `model.euler_zxy` does in numpy."""
    (sx, sy, sz), (cx, cy, cz) = angles.sin().unbind(-1), angles.cos().unbind(-1)
    rows = [cz * cy - sz * sx * sy, -sz * cx, cz * sy + sz * sx * cy]
    rows += [sz * cy + cz * sx * sy, cz * cx, sz * sy - cz * sx * cy]
    return torch.stack([*rows, -cx * sy, sx, cx * cy], -1).unflatten(-1, (3, 3))


@cache
def _bone_angles() -> tuple[Float[Tensor, "24 63"], Float[Tensor, "63"]]:
    """Return the linear map from articulations to bone angles: slopes, and the values of a flat hand."""
    model = HandModel.load()
    flat, *units = (
        torch.from_numpy(model.bone_angles_deg(Articulation.from_flat(angles))).flatten()
        for angles in np.eye(25, 24, -1)
    )
    return torch.stack(units) - flat, flat


@cache
def _hangs() -> Bool[Tensor, "26 21"]:
    """Return which points each bone moves: those beyond its head."""
    hangs = torch.zeros(len(_HEADS), len(PARENTS), dtype=torch.bool)
    for point in _MOVED:
        bone = int(_HEADS[point])
        hangs[point] = hangs[bone]
        hangs[point, bone] = True
    return hangs
