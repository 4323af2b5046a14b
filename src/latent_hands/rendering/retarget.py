"""Retargeting: the poses of a labelled data set as articulations of the hand model."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from latent_hands.data import Sample
from latent_hands.errors import HandsError
from latent_hands.hand.bones import bone_vectors
from latent_hands.hand.geometry import mirror
from latent_hands.hand.rig.articulation import Articulation
from latent_hands.hand.rig.collision import penetration_mm
from latent_hands.hand.rig.inverse import CHUNK, calibrate, errors_mm, fit
from latent_hands.hand.rig.kinematics import Skeleton
from latent_hands.hand.rig.model import HandModel
from latent_hands.hand.rig.poses import TOUCH_MM, freed
from latent_hands.hand.skeleton import JOINTS, MIDDLE_MCP, PALM
from latent_hands.progress import Progress, silent

WORST_MM = 10.0
"""Greatest mean error of the joints of a pose; poses with a larger error are left out."""


@dataclass(frozen=True)
class Retargeted:
    """The articulations of all hands of a set, and their errors.

    Args:
        angles_deg: The articulations, see `Articulation.flat`.
        error_mm: Distance of each keypoint from its label, before collisions were resolved.
        final_mm: Mean distance for each hand, after collisions were resolved.
        collided: Whether fingers of the hand collided.
        kept: Whether the hand fits and its collisions could be resolved.
    """

    angles_deg: Float[Tensor, "n 24"]
    error_mm: Float[Tensor, "n 21"]
    final_mm: Float[Tensor, " n"]
    collided: Bool[Tensor, " n"]
    kept: Bool[Tensor, " n"]

    def summary(self) -> dict[str, Any]:
        """Return the errors over all hands, ready for JSON."""
        joints = dict(zip(JOINTS, self.error_mm.mean(0).tolist(), strict=True))
        return {
            "hands": len(self.kept),
            "fit_error_mm": self.error_mm.mean().item(),
            "median_mm": self.error_mm.median().item(),
            "percentile_90_mm": float(np.quantile(self.error_mm.numpy(), 0.9)),
            "joints_mm": {name: round(error, 3) for name, error in joints.items()},
            "collided": int(self.collided.sum()),
            "freed_error_mm": self.final_mm.mean().item(),
            "left_out": int((~self.kept).sum()),
        }


def retarget(samples: Sequence[Sample], progress: Progress = silent) -> Retargeted:
    """Fit articulations to all hands of a labelled set, after one common calibration of the proportions.

    Raises HandsError with the name of a sample that has no 3D joints, no side or a bone of length 0.
    """
    xyz_mm = right_hands_mm(samples)
    skeleton = calibrate(_mean_skeleton(samples[0].root), xyz_mm)
    fitted = torch.cat(list(_fitted(skeleton, xyz_mm, progress)))
    hands = [Articulation.from_flat(hand) for hand in fitted.numpy()]
    collided = torch.tensor([penetration_mm(hand) >= TOUCH_MM for hand in hands])
    resolved = [freed(hand) for hand in hands]
    free = torch.tensor([hand is not None for hand in resolved])
    angles = np.stack([(after or before).flat() for after, before in zip(resolved, hands, strict=True)])
    angles = torch.from_numpy(angles)
    final_mm = errors_mm(skeleton, angles, xyz_mm).mean(1)
    before_mm = errors_mm(skeleton, fitted, xyz_mm)
    return Retargeted(angles, before_mm, final_mm, collided, free & (final_mm <= WORST_MM))


def _fitted(skeleton: Skeleton, xyz_mm: Float[Tensor, "n 21 3"], progress: Progress) -> Iterator[Tensor]:
    """Yield the articulations of the hands, a chunk at a time."""
    for first in range(0, len(xyz_mm), CHUNK):
        hands = xyz_mm[first : first + CHUNK]
        yield fit(skeleton, hands)
        progress("fitting", first + len(hands), len(xyz_mm))


def right_hands_mm(samples: Sequence[Sample]) -> Float[Tensor, "n 21 3"]:
    """Return the joints of all hands as right hands: left hands are mirrored.

    Raises HandsError as `retarget` does.
    """
    if not samples:
        raise HandsError("no hands to retarget; give at least one")
    for sample in samples:
        if sample.xyz_mm is None or sample.handedness is None:
            missing = "joints in 3D" if sample.xyz_mm is None else "side"
            raise HandsError(f"sample {sample.name} has no {missing}; only labelled hands can be retargeted")
    xyz_mm = torch.from_numpy(np.stack([sample.xyz_mm for sample in samples if sample.xyz_mm is not None]))
    flat = ~(bone_vectors(xyz_mm).norm(dim=-1) > 0).all(1)
    if flat.any():
        name = samples[int(flat.nonzero()[0])].name
        raise HandsError(f"a bone of sample {name} has no length; all bones must be longer than 0 mm")
    left = torch.tensor([sample.handedness == "left" for sample in samples])
    return torch.where(left[:, None, None], mirror(xyz_mm), xyz_mm).double()


def _mean_skeleton(root: str) -> Skeleton:
    """Return the mean hand; if the root is the palm, the palm replaces the wrist.

    The palm is the middle between wrist and middle MCP joint.
    """
    linear = torch.eye(21)
    if root == "palm":
        linear[PALM, [PALM, MIDDLE_MCP]] = 0.5
    return Skeleton.of(HandModel.load().identity(np.zeros(12)), linear)
