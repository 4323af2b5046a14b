"""The proportions of hands that no pose changes: what joint conventions are calibrated on.

Bone lengths, and where wrist, thumb base and knuckles lie to one another: the palm is nearly rigid. How far
fingers are bent is none: people of different data sets pose differently.
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
"""Wrist, thumb base and the four knuckles."""
CHAINS = tuple(joint - 1 for chain in FINGERS.values() for joint in chain)
"""Bones by finger, from the wrist to the tip, as places in `skeleton.BONES`."""
POSES = 16


@dataclass(frozen=True)
class Proportions:
    """Of n hands, in lengths of the middle MCP-PIP bone.

    bones: by finger from the wrist to the tip. palm: PALM_JOINTS in the canonical frame, left form.
    """

    bones: Float[np.ndarray, "*n 20"]
    palm: Float[np.ndarray, "*n 6 3"]

    @classmethod
    def of(cls, xyz: Float[Tensor, "n 21 3"]) -> "Proportions":
        """Of LEFT hands with the wrist as joint 0, in any unit and frame.

        Of sets that label the palm instead, the wrist is 2 palm - middle MCP (`geometry.to_wrist`): then the
        palm, which takes the wrist's place in poses, is theirs.
        """
        pose, _ = normalise(to_palm(xyz.double()))
        joints = to_wrist(canonicalise(pose)[0])
        lengths = bone_vectors(joints).norm(dim=-1)
        return cls(lengths[:, CHAINS].numpy(), joints[:, PALM_JOINTS].numpy())

    def reduced(self, statistic: str = "median") -> "Proportions":
        """The median (or "mean") over the hands."""
        if statistic == "mean":
            return Proportions(self.bones.mean(0), self.palm.mean(0))
        return Proportions(np.median(self.bones, axis=0), np.median(self.palm, axis=0))

    def flat(self) -> Float[np.ndarray, "*n 38"]:
        """All numbers, bones first."""
        return np.concatenate([self.bones, self.palm.reshape(*self.palm.shape[:-2], 18)], -1)


def error(model: Proportions, bones: dict[str, Sequence[float]], palm: dict[str, Sequence[float]]) -> float:
    """Root mean square of the differences from a convention's statistics, in middle bones."""
    wanted_bones = np.array([bones[finger] for finger in FINGERS]).ravel()
    differences = model.bones - wanted_bones
    if palm:
        wanted_palm = np.array([palm[JOINTS[joint]] for joint in PALM_JOINTS])
        differences = np.concatenate([differences, (model.palm - wanted_palm).ravel()])
    return float(np.sqrt(np.mean(differences**2)))


@cache
def mean_hand() -> Float32[np.ndarray, "16 42 3"]:
    """The points of the mean hand as it closes from flat to nearly a fist, in left form, metres."""
    model = HandModel.load()
    shape = model.identity(np.zeros(12))
    poses = [model.pose(shape, _closed(closure)).points for closure in np.linspace(0, 1, POSES)]
    return np.stack(poses) * np.array([-1, 1, 1], np.float32)


def of_model(weights: Float32[np.ndarray, "21 42"]) -> Proportions:
    """Of the mean hand, whose keypoints are these sums of its points; the mean over its poses."""
    return Proportions.of(torch.from_numpy(weights @ mean_hand())).reduced("mean")


def _closed(closure: float) -> Articulation:
    fingers = np.tile(closure * np.array([60.0, 0, 80, 40]), (4, 1))
    thumb = closure * np.array([20.0, -20, 0, 20, 30])
    return Articulation(fingers, thumb, 10 * float(closure), np.zeros(2))
