"""Translation of poses from one joint convention to another.

The translation is an affine map between canonical poses. It is fitted by ridge regression on the hand model,
for random people in random poses, so it uses no label of any data set.
"""

from functools import cache

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from latent_hands.hand.conventions import CONVENTIONS, keypoints
from latent_hands.hand.geometry import canonicalise, compose, mirror, normalise, to_palm, to_wrist
from latent_hands.hand.rig.model import HandModel
from latent_hands.hand.rig.poses import sample_articulation
from latent_hands.hand.skeleton import PALM

HANDS = 600
"""The number of random hands that the map is fitted on."""
RIDGE = 1e-3
"""The ridge penalty per hand, in squared bones: some joints always move together."""


def translate(
    pose: Float[Tensor, "batch 21 3"],
    source: str,
    target: str,
    right: Bool[Tensor, " batch"] | None = None,
) -> Float[Tensor, "batch 21 3"]:
    """Translate 3DPoses from the joint convention `source` to `target`.

    `pose` is in PALM form, in lengths of the middle MCP-PIP bone, in any frame; so is the result, relative to
    its own palm and in lengths of its own middle bone. `right` marks right hands.

    Raises HandsError for an unknown convention.
    """
    return normalise(moved_joints(pose, source, target, right))[0]


def translate_labels(
    xyz_mm: Float[Tensor, "batch 21 3"],
    source: str,
    target: str,
    right: Bool[Tensor, " batch"] | None = None,
) -> Float[Tensor, "batch 21 3"]:
    """Translate joints in millimetres, WRIST form, from the joint convention `source` to `target`.

    The frame is kept. `right` marks right hands. Raises HandsError for an unknown convention.
    """
    palm_form = to_palm(xyz_mm)
    pose, bone_mm = normalise(palm_form)
    moved_mm = bone_mm[:, None, None] * moved_joints(pose, source, target, right)
    return to_wrist(palm_form[:, PALM : PALM + 1] + moved_mm)


def moved_joints(
    pose: Float[Tensor, "batch 21 3"],
    source: str,
    target: str,
    right: Bool[Tensor, " batch"] | None = None,
) -> Float[Tensor, "batch 21 3"]:
    """Return the joints of the convention `target`, relative to the palm of `source` and in its bones.

    The formula is cpose + (cpose A + b) in the canonical frame of `source`. Arguments are those of
    `translate`, and so are errors.
    """
    cpose, viewpoint = canonicalise(pose - pose[:, PALM : PALM + 1], right)
    weights, offset = (part.to(pose) for part in _translation(source, target))
    moved = cpose + (cpose.flatten(1) @ weights + offset).unflatten(1, (21, 3))
    return compose(moved, viewpoint, right)


@cache
def _translation(source: str, target: str) -> tuple[Float[Tensor, "63 63"], Float[Tensor, " 63"]]:
    """Return the map A and the offset b: a canonical pose changes by cpose @ A + b."""
    for name in (source, target):
        CONVENTIONS.find(name)
    points = random_points(HANDS, seed=0)
    given, wanted = (_palm_form(points, name) for name in (source, target))
    pose, bone = normalise(given)
    cpose, viewpoint = canonicalise(pose)
    relative = (wanted - given[:, PALM : PALM + 1]) / bone[:, None, None]
    change = (relative @ viewpoint.mT - cpose).flatten(1)
    centre, mean = cpose.flatten(1).mean(dim=0), change.mean(dim=0)
    inputs = cpose.flatten(1) - centre
    penalty = RIDGE * HANDS * torch.eye(63, dtype=inputs.dtype)
    weights = torch.linalg.solve(inputs.mT @ inputs + penalty, inputs.mT @ (change - mean))
    return weights.float(), (mean - centre @ weights).float()


@cache
def random_points(count: int, seed: int) -> Float[Tensor, "count 42 3"]:
    """Return the points of random LEFT hands in random poses, in millimetres (see `PosedHand.points`)."""
    rng, model = np.random.default_rng(seed), HandModel.load()
    posed = [
        model.pose(model.identity(model.sample_identity(rng)), sample_articulation(rng)) for _ in range(count)
    ]
    return mirror(1000 * torch.from_numpy(np.stack([hand.points for hand in posed])))


def in_convention(points: Float[Tensor, "count 42 3"], convention: str) -> Float[Tensor, "count 21 3"]:
    """Return the joints of these hands in a convention, in PALM form, relative to the palm, in mm."""
    palm = _palm_form(points, convention)
    return palm - palm[:, PALM : PALM + 1]


def _palm_form(points: Float[Tensor, "count 42 3"], convention: str) -> Float[Tensor, "count 21 3"]:
    xyz_mm = torch.stack([torch.from_numpy(keypoints(each, convention)) for each in points.numpy()])
    return to_palm(xyz_mm.double())
