"""The 21 keypoints of many articulated hands at once, differentiable: what the mesh's bones do, in torch.

Points are in the hand frame of `latent_hands.hand.rig.model`, a right hand, here in millimetres.
"""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from latent_hands.hand.rig.articulation import Articulation
from latent_hands.hand.rig.model import (
    HAND,
    LITTLE_METACARPAL,
    RING_METACARPAL,
    HandModel,
    Shape,
    bone_frames,
)
from latent_hands.hand.rig.points import FINGER_BONES, LEVELS, PARENTS, THUMB_BONES, TIP_INWARD_M

CHAINS = np.concatenate([THUMB_BONES[None], FINGER_BONES])
"""Bones of the five fingers, thumb first, base to tip."""
TIPS = len(PARENTS) + np.arange(5)
"""The fingertips' numbers as points of a skeleton, behind the heads of its 21 bones."""
SEGMENTS = np.concatenate([CHAINS[:, 1:], TIPS[:, None]], 1)
"""For each finger, the points at the far ends of its three bones."""
CHANGES = 3 + 5 * 3 + 5 * 3
"""Numbers that make a skeleton another person's: its root, the bases of its fingers, the lengths of bones."""
_HEADS = np.concatenate([PARENTS, CHAINS[:, -1]])
_KEYPOINTS = [HAND, *np.concatenate([SEGMENTS[:, ::-1], CHAINS[:, :1]], 1).ravel().tolist()]
_MOVED = [point for point in (*np.concatenate(LEVELS).tolist(), *TIPS.tolist()) if point]
_TURNED = sorted(
    [3 * bone for bone in (*CHAINS.ravel().tolist(), RING_METACARPAL, LITTLE_METACARPAL)]
    + [3 * bone + 2 for bone in CHAINS[:, 0].tolist()]
    + [3 * int(THUMB_BONES[0]) + 1]
)
"""Which of the 63 angles of the bones move keypoints: flexions, abductions and the thumb's twist."""


@dataclass(frozen=True)
class Skeleton:
    """How far each of 26 points, heads of bones and fingertips, lies from the head of its bone at rest.

    ``frames`` are those of the bones. ``linear`` takes the joints of the bones (RHD's order, wrist first) to
    the keypoints of a convention; ``root_mm`` moves keypoint 0 in the hand.
    """

    offsets_mm: Float[Tensor, "26 3"]
    frames: Float[Tensor, "21 3 3"]
    linear: Float[Tensor, "21 21"]
    root_mm: Float[Tensor, "3"]

    @staticmethod
    def of(shape: Shape, linear: Float[Tensor, "21 21"]) -> "Skeleton":
        """The skeleton of a person of the hand model."""
        last = CHAINS[:, -1]
        span = shape.tails[last] - shape.heads[last]
        span = span - TIP_INWARD_M * span / np.linalg.norm(span, axis=1, keepdims=True)
        offsets = np.concatenate([shape.heads - shape.heads[PARENTS], span])
        frames = bone_frames(HandModel.load().bone_frames, shape.heads, shape.tails)
        offsets_mm, frames = torch.from_numpy(offsets).double() * 1000, torch.from_numpy(frames).double()
        return Skeleton(offsets_mm, frames, linear.double(), torch.zeros(3).double())

    def changed(self, change_mm: Float[Tensor, "33"]) -> "Skeleton":
        """Another person's: keypoint 0 and the bases of the fingers moved, the fingers' bones lengthened."""
        root, bases, longer = change_mm.split([3, 15, 15])
        ends = self.offsets_mm[SEGMENTS]
        ends = ends * (1 + longer.unflatten(0, (5, 3)) / ends.norm(dim=-1))[..., None]
        offsets = self.offsets_mm.index_put((torch.from_numpy(SEGMENTS),), ends)
        offsets = offsets.index_add(0, torch.from_numpy(CHAINS[:, 0]), bases.unflatten(0, (5, 3)))
        return replace(self, offsets_mm=offsets, root_mm=self.root_mm + root)

    def keypoints_mm(self, angles_deg: Float[Tensor, "n 24"]) -> Float[Tensor, "n 21 3"]:
        """Keypoints of articulations, each as `Articulation.flat`."""
        _, _, places = self._posed(angles_deg)
        points = self.linear @ places[:, _KEYPOINTS]
        return torch.cat([points[:, :1] + self.root_mm, points[:, 1:]], 1)

    def jacobian(self, angles_deg: Float[Tensor, "n 24"]) -> Float[Tensor, "n 21 3 24"]:
        """By how many millimetres each keypoint moves for a degree of each angle.

        A joint moves all that hangs on it across its axis, by the distance from it.
        """
        angles, before, places = self._posed(angles_deg)
        (sx, _, sz), (cx, _, cz) = angles.sin().unbind(-1), angles.cos().unbind(-1)
        zero, one = torch.zeros_like(sx), torch.ones_like(sx)
        rows = [cz, -sz * cx, zero, sz, cz * cx, zero, zero, sx, one]  # columns: the axes of x, y and z
        turned = torch.stack(rows, -1).unflatten(-1, (3, 3))
        axes = (before @ self.frames @ turned).mT.flatten(1, 2)[:, _TURNED]
        bones = [turn // 3 for turn in _TURNED]
        arms = places[:, _KEYPOINTS, None] - places[:, None, bones]
        columns = torch.linalg.cross(axes[:, None], arms) * _hangs()[_KEYPOINTS][:, bones, None]
        moved = torch.einsum("kj,njac->nkac", self.linear, columns)
        return torch.einsum("nkac,da->nkcd", moved, torch.deg2rad(_bone_angles()[0][:, _TURNED]))

    def _posed(self, angles_deg: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Angles of the bones (n, 21, 3), rotations that their parents give them, places of the 26 points."""
        slopes, rest = _bone_angles()
        angles = torch.deg2rad(angles_deg @ slopes + rest).unflatten(1, (len(PARENTS), 3))
        rotations = (self.frames @ euler_zxy(angles) @ self.frames.mT).unbind(1)
        still = torch.eye(3).to(angles).expand(len(angles), 3, 3)
        places, turns = [angles.new_zeros(len(angles), 3)] * len(_HEADS), [still] * len(PARENTS)
        for point in _MOVED:
            bone = int(_HEADS[point])
            places[point] = places[bone] + turns[bone] @ self.offsets_mm[point]
            if point < len(PARENTS):
                turns[point] = turns[bone] @ rotations[point]
        before = torch.stack([turns[bone] for bone in PARENTS.tolist()], 1)
        return angles, before, torch.stack(places, 1)


def euler_zxy(angles: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Rz(z) Rx(x) Ry(y) of angles (x, y, z) in radians, as in the hand model."""
    (sx, sy, sz), (cx, cy, cz) = angles.sin().unbind(-1), angles.cos().unbind(-1)
    rows = [cz * cy - sz * sx * sy, -sz * cx, cz * sy + sz * sx * cy]
    rows += [sz * cy + cz * sx * sy, cz * cx, sz * sy - cz * sx * cy]
    return torch.stack([*rows, -cx * sy, sx, cx * cy], -1).unflatten(-1, (3, 3))


@cache
def _bone_angles() -> tuple[Float[Tensor, "24 63"], Float[Tensor, "63"]]:
    """The bones' angles as a linear function of an articulation: slopes, and the values of a flat hand."""
    model = HandModel.load()
    flat, *units = (
        torch.from_numpy(model.bone_angles_deg(Articulation.from_flat(angles))).flatten()
        for angles in np.eye(25, 24, -1)
    )
    return torch.stack(units) - flat, flat


@cache
def _hangs() -> Bool[Tensor, "26 21"]:
    """Which points hang on which bones: beyond its head, not at it."""
    hangs = torch.zeros(len(_HEADS), len(PARENTS), dtype=torch.bool)
    for point in _MOVED:
        bone = int(_HEADS[point])
        hangs[point] = hangs[bone]
        hangs[point, bone] = True
    return hangs
