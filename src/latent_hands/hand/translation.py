"""From one joint convention to another: what keypoints of the one tell of those of the other."""

from functools import cache

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from latent_hands.hand.conventions import CONVENTIONS, keypoints
from latent_hands.hand.geometry import canonicalise, compose, mirror, normalise, to_palm
from latent_hands.hand.rig.model import HandModel
from latent_hands.hand.rig.poses import sample_articulation
from latent_hands.hand.skeleton import MIDDLE_MCP, MIDDLE_PIP, PALM

HANDS = 600
"""Random people in random poses that the map is fitted on."""
RIDGE = 1e-3
"""Pull of the map towards "nothing moves", in squared bones a hand: some joints always move together."""


def translate(
    pose: Float[Tensor, "batch 21 3"],
    source: str,
    target: str,
    right: Bool[Tensor, " batch"] | None = None,
) -> Float[Tensor, "batch 21 3"]:
    """The 3DPose in the convention `target` of a hand whose 3DPose in the convention `source` is `pose`.

    Both are relative to their own palms, in lengths of their own middle bones. An affine map between
    canonical poses, fitted on the hand model in random poses, so it knows no label of any data set; the
    viewpoint is that of `source`. `right` marks right hands. Raises HandsError for an unknown convention.
    """
    cpose, viewpoint = canonicalise(pose - pose[:, PALM : PALM + 1], right)
    weights, offset = (part.to(pose) for part in _translation(source, target))
    moved = cpose + (cpose.flatten(1) @ weights + offset).unflatten(1, (21, 3))
    return compose(moved, viewpoint, right)


@cache
def _translation(source: str, target: str) -> tuple[Float[Tensor, "63 63"], Float[Tensor, " 63"]]:
    """What is to be added to a canonical pose: cpose @ weights + offset."""
    for name in (source, target):
        CONVENTIONS.find(name)
    points = random_points(HANDS, seed=0)
    here, there = (in_convention(points, name) for name in (source, target))
    bone = (here[:, MIDDLE_MCP] - here[:, MIDDLE_PIP]).norm(dim=-1)[:, None, None]
    cpose, viewpoint = canonicalise(here / bone)
    change = (normalise(there)[0] @ viewpoint.mT - cpose).flatten(1)
    centre, mean = cpose.flatten(1).mean(dim=0), change.mean(dim=0)
    known = cpose.flatten(1) - centre
    pull = RIDGE * HANDS * torch.eye(63, dtype=known.dtype)
    weights = torch.linalg.solve(known.mT @ known + pull, known.mT @ (change - mean))
    return weights.float(), (mean - centre @ weights).float()


def random_points(count: int, seed: int) -> Float[Tensor, "count 42 3"]:
    """The points, from which every convention takes its keypoints, of random left hands, millimetres."""
    rng, model = np.random.default_rng(seed), HandModel.load()
    posed = [
        model.pose(model.identity(model.sample_identity(rng)), sample_articulation(rng)) for _ in range(count)
    ]
    return mirror(1000 * torch.from_numpy(np.stack([hand.points for hand in posed])))


def in_convention(points: Float[Tensor, "count 42 3"], convention: str) -> Float[Tensor, "count 21 3"]:
    """Joints of those hands relative to their palm, millimetres."""
    xyz_mm = torch.stack([torch.from_numpy(keypoints(each, convention)) for each in points.numpy()])
    palm = to_palm(xyz_mm.double())
    return palm - palm[:, PALM : PALM + 1]
