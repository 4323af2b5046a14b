"""The proportions of hands that no pose changes; joint conventions are fitted to them.

They are the bone lengths and the places of wrist, thumb base and knuckles, because the palm is nearly rigid.
The angles of the fingers are none of them, because the people of different data sets pose differently.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from latent_hands.hand.bones import bone_vectors
from latent_hands.hand.geometry import canonicalise, normalise, to_palm, to_wrist
from latent_hands.hand.rig.articulation import Articulation
from latent_hands.hand.rig.model import HandModel
from latent_hands.hand.skeleton import FINGERS, JOINTS, WRIST

PALM_JOINTS = (WRIST, *(chain[0] for chain in FINGERS.values()))
"""The joints of the palm: wrist, thumb base and the four knuckles."""
CHAINS = tuple(joint - 1 for chain in FINGERS.values() for joint in chain)
"""The bones by finger, from the wrist to the tip, as indices of `skeleton.BONES`."""
_POSES = 16


@dataclass(frozen=True)
class Proportions:
    """The proportions of n hands, or of one, in lengths of the middle MCP-PIP bone.

    bones: bone lengths by finger, from the wrist to the tip (CHAINS).
    palm: the places of PALM_JOINTS in the canonical frame, in left form.
    """

    bones: Float[np.ndarray, "*n 20"]
    palm: Float[np.ndarray, "*n 6 3"]

    @classmethod
    def of(cls, xyz: Float[Tensor, "n 21 3"]) -> "Proportions":
        """Measure LEFT hands in WRIST form, in any unit and frame.

        Convert the labels of data sets in PALM form by `geometry.to_wrist`.
        """
        pose, _ = normalise(to_palm(xyz.double()))
        joints = to_wrist(canonicalise(pose)[0])
        lengths = bone_vectors(joints).norm(dim=-1)
        return cls(lengths[:, CHAINS].numpy(), joints[:, PALM_JOINTS].numpy())

    def reduced(self, statistic: str = "median") -> "Proportions":
        """Return the median or the "mean" over the hands."""
        if statistic == "mean":
            return Proportions(self.bones.mean(0), self.palm.mean(0))
        return Proportions(np.median(self.bones, axis=0), np.median(self.palm, axis=0))

    def flat(self) -> Float[np.ndarray, "*n 38"]:
        """Return all numbers as one vector per hand, bones first."""
        return np.concatenate([self.bones, self.palm.reshape(*self.palm.shape[:-2], 18)], -1)


def error(model: Proportions, bones: dict[str, Sequence[float]], palm: dict[str, Sequence[float]]) -> float:
    """Return the root mean square difference from the statistics of a convention, in middle bones.

    `bones` and `palm` are those of `conventions.Convention`; an empty `palm` is left out.
    """
    wanted_bones = np.array([bones[finger] for finger in FINGERS]).ravel()
    differences = model.bones - wanted_bones
    if palm:
        wanted_palm = np.array([palm[JOINTS[joint]] for joint in PALM_JOINTS])
        differences = np.concatenate([differences, (model.palm - wanted_palm).ravel()])
    return float(np.sqrt(np.mean(differences**2)))


@cache
def mean_hand() -> Float32[np.ndarray, "16 42 3"]:
    """Return the points of the mean hand, left form, metres, as it closes from flat to nearly a fist."""
    model = HandModel.load()
    shape = model.identity(np.zeros(12))
    poses = [model.pose(shape, _closed(closure)).points for closure in np.linspace(0, 1, _POSES)]
    return np.stack(poses) * np.array([-1, 1, 1], np.float32)


def of_model(weights: Float32[np.ndarray, "21 42"]) -> Proportions:
    """Measure the mean hand with the keypoints weights @ points; return the mean over its poses."""
    return Proportions.of(torch.from_numpy(weights @ mean_hand())).reduced("mean")


def _closed(closure: float) -> Articulation:
    fingers = np.tile(closure * np.array([60.0, 0, 80, 40]), (4, 1))
    thumb = closure * np.array([20.0, -20, 0, 20, 30])
    return Articulation(fingers, thumb, 10 * float(closure), np.zeros(2))
