"""Warm-started kinematics: searches that start near their end, and fingertips that are dragged."""

import numpy as np
import pytest
import torch

from latent_hands.hand.rig.articulation import neutral
from latent_hands.hand.rig.inverse import angles_of, fit, shares_of
from latent_hands.hand.rig.kinematics import Skeleton
from latent_hands.hand.rig.model import HandModel
from latent_hands.hand.rig.poses import sample_articulation
from latent_hands.hand.rig.reaching import reach
from latent_hands.hand.skeleton import FINGERS

MODEL = HandModel.load()
SKELETON = Skeleton.of(MODEL.identity(np.zeros(12)), torch.eye(21))
RELAXED = torch.from_numpy(neutral().flat())


def articulations(count: int) -> torch.Tensor:
    rng = np.random.default_rng(0)
    angles = torch.from_numpy(np.stack([sample_articulation(rng).flat() for _ in range(count)]))
    angles[:, 22:] = 0
    return angles


def test_shares_are_the_inverse_of_angles():
    angles = articulations(20)
    torch.testing.assert_close(angles_of(shares_of(angles)), angles)


def test_a_search_from_the_answer_stays_there():
    angles = articulations(3)
    found = fit(SKELETON, SKELETON.keypoints_mm(angles), start=angles, steps=1)
    assert (found - angles).abs().max() < 1


def test_five_steps_follow_a_small_movement():
    start = articulations(3)
    xyz_mm = SKELETON.keypoints_mm(start + 5 * torch.sin(torch.arange(24.0)).double())
    near = fit(SKELETON, xyz_mm, start=start, steps=5)
    torch.testing.assert_close(near, fit(SKELETON, xyz_mm, start=start, steps=20), atol=0.5, rtol=0)


@pytest.mark.parametrize("finger", FINGERS)
def test_a_fingertip_reaches_a_near_point_and_nothing_else_moves(finger):
    tip = FINGERS[finger][-1]
    before = SKELETON.keypoints_mm(RELAXED[None])[0]
    target = before[tip] + torch.tensor([1.0, -6.0, -6.0]).double()
    after = SKELETON.keypoints_mm(reach(SKELETON, RELAXED, finger, target)[None])[0]
    assert (after[tip] - target).norm() < 0.5
    others = [joint for joint in range(21) if joint not in FINGERS[finger]]
    torch.testing.assert_close(after[others], before[others])


def test_a_point_out_of_reach_is_approached_within_the_limits():
    target = torch.tensor([0.0, 1000.0, 500.0]).double()
    found = reach(SKELETON, RELAXED, "index", target, steps=20)
    tip = FINGERS["index"][-1]
    before, after = (SKELETON.keypoints_mm(each[None])[0, tip] for each in (RELAXED, found))
    assert (after - target).norm() < (before - target).norm()
    torch.testing.assert_close(angles_of(shares_of(found[None]))[0], found)
