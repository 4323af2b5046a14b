"""The proportions of hands that no pose changes; joint conventions are fitted to them.

They are the bone lengths, the places of wrist, thumb base and knuckles, because the palm is nearly rigid, and
the tilt of the axes about which the fingers bend. How far fingers bend is none of them, because the people of
different data sets pose differently.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor
from torch.nn.functional import normalize

from latent_hands.hand.bones import bone_vectors
from latent_hands.hand.geometry import canonicalise, normalise, to_palm, to_wrist
from latent_hands.hand.rig.model import HandModel
from latent_hands.hand.rig.poses import sample_articulation
from latent_hands.hand.skeleton import FINGERS, JOINTS, WRIST

PALM_JOINTS = (WRIST, *(chain[0] for chain in FINGERS.values()))
"""The joints of the palm: wrist, thumb base and the four knuckles."""
CHAINS = tuple(joint - 1 for chain in FINGERS.values() for joint in chain)
"""The bones by finger, from the wrist to the tip, as indices of `skeleton.BONES`."""
BENDING = tuple(FINGERS)[1:]
"""The fingers whose bending axes are measured: all but the thumb."""
BENT = 0.5
"""The sine of the least PIP flexion that shows the axis of a finger."""
_POSES = 128


@dataclass(frozen=True)
class Proportions:
    """The proportions of n hands, or of one, in lengths of the middle MCP-PIP bone.

    bones: bone lengths by finger, from the wrist to the tip (CHAINS).
    palm: the places of PALM_JOINTS in the canonical frame, in left form.
    tilt: the tilt of the four fingers' bending axes about the canonical y axis, in radians (`bending_tilt`).
        It is NaN for a finger that is too straight to have one.
    """

    bones: Float[np.ndarray, "*n 20"]
    palm: Float[np.ndarray, "*n 6 3"]
    tilt: Float[np.ndarray, "*n 4"]

    @classmethod
    def of(cls, xyz: Float[Tensor, "n 21 3"]) -> "Proportions":
        """Measure LEFT hands in WRIST form, in any unit and frame.

        Convert the labels of data sets in PALM form by `geometry.to_wrist`.
        """
        pose, _ = normalise(to_palm(xyz.double()))
        joints = to_wrist(canonicalise(pose)[0])
        lengths = bone_vectors(joints).norm(dim=-1)
        tilt = bending_tilt(joints)
        return cls(lengths[:, CHAINS].numpy(), joints[:, PALM_JOINTS].numpy(), tilt.numpy())

    def reduced(self, statistic: str = "median") -> "Proportions":
        """Return the median or the "mean" over the hands; the tilt is that of the hands with bent fingers."""
        reduce = np.mean if statistic == "mean" else np.median
        bent = [column[np.isfinite(column)] for column in self.tilt.T]
        tilt = np.array([reduce(column) if len(column) else np.nan for column in bent])
        return Proportions(reduce(self.bones, axis=0), reduce(self.palm, axis=0), tilt)

    def flat(self) -> Float[np.ndarray, "*n 42"]:
        """Return all numbers as one vector per hand: bones, palm, tilt."""
        return np.concatenate([self.bones, self.palm.reshape(*self.palm.shape[:-2], 18), self.tilt], -1)


def bending_tilt(cpose: Float[Tensor, "*batch 21 3"]) -> Float[Tensor, "*batch 4"]:
    """Return how far the bending axes of the four fingers are tilted from the canonical frame's x axis.

    `cpose` are LEFT hands in the canonical frame. The axis of a finger is the normal of the plane of its
    first two phalanges. The tilt is its angle about the y axis, in radians, positive if the axis rises
    towards the back of the hand on the side of the little finger. It is NaN for a PIP that is bent by less
    than 30 degrees.
    """
    mcp, pip, dip = (cpose[..., [FINGERS[finger][i] for finger in BENDING], :] for i in range(3))
    axis = torch.linalg.cross(normalize(pip - mcp, dim=-1), normalize(dip - pip, dim=-1))
    axis = axis * axis[..., :1].sign()
    tilt = torch.atan2(axis[..., 2], axis[..., 0])
    return tilt.where(axis.norm(dim=-1) > BENT, torch.nan)


def error(
    model: Proportions,
    bones: Mapping[str, Sequence[float]],
    palm: Mapping[str, Sequence[float]],
    tilt_deg: Mapping[str, float],
) -> float:
    """Return the root mean square difference from a convention's statistics, in middle bones and radians.

    `bones`, `palm` and `tilt_deg` are those of `conventions.Convention`; an empty one of the last two is left
    out.
    """
    wanted_bones = np.array([bones[finger] for finger in FINGERS]).ravel()
    differences = model.bones - wanted_bones
    if palm:
        wanted_palm = np.array([palm[JOINTS[joint]] for joint in PALM_JOINTS])
        differences = np.concatenate([differences, (model.palm - wanted_palm).ravel()])
    if tilt_deg:
        wanted_tilt = np.radians([tilt_deg[finger] for finger in BENDING])
        differences = np.concatenate([differences, model.tilt - wanted_tilt])
    return float(np.sqrt(np.mean(differences**2)))


@cache
def mean_hand() -> Float32[np.ndarray, "128 42 3"]:
    """Return the points of the mean hand in random poses (`poses.sample_articulation`), left form, metres."""
    model, rng = HandModel.load(), np.random.default_rng(0)
    shape = model.identity(np.zeros(12))
    poses = [model.pose(shape, sample_articulation(rng)).points for _ in range(_POSES)]
    return np.stack(poses) * np.array([-1, 1, 1], np.float32)


def of_model(weights: Float32[np.ndarray, "21 42"]) -> Proportions:
    """Measure the mean hand with the keypoints weights @ points; return the mean over its poses."""
    return Proportions.of(torch.from_numpy(weights @ mean_hand())).reduced("mean")
