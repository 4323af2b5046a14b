"""A hand is translated to the joints of another convention, in space and in the image."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from latent_hands.errors import HandsError
from latent_hands.hand.camera import project
from latent_hands.hand.conventions import keypoints
from latent_hands.hand.geometry import canonicalise, mirror, normalise, to_palm
from latent_hands.hand.translation import random_points
from latent_hands.predictor import Hand
from latent_hands.predictor.convention import in_convention

K = torch.tensor([[500.0, 0, 160], [0, 500, 120], [0, 0, 1]])
PALM_MM = torch.tensor([40.0, -20, 600])
OTHER = "ge2019"


def hand_of(points: torch.Tensor, convention: str) -> Hand:
    """Return the true hand of these points, 600 mm in front of a camera."""
    xyz_mm = to_palm(torch.from_numpy(keypoints(points.numpy(), convention)).float())
    pose, bone_mm = normalise(xyz_mm[None])
    cpose, viewpoint = canonicalise(pose)
    origin = points[0].float()  # the same in every convention
    uv_px = project((xyz_mm - origin + PALM_MM)[None], K[None])[0]
    return Hand(
        handedness="left",
        pose=pose[0].numpy(),
        cpose=cpose[0].numpy(),
        viewpoint=viewpoint[0].numpy(),
        bone_mm=float(bone_mm[0]),
        bone_mm_assumed=False,
        crop_px=(0.0, 0.0, 320.0, 320.0),
        uv_px=uv_px.numpy(),
        convention=convention,
    )


@pytest.fixture(scope="module")
def pairs():
    turn, _ = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(0)))
    points = random_points(12, seed=5) @ (turn * turn.det())
    return [(hand_of(each, "rhd"), hand_of(each, OTHER)) for each in points]


def test_joints_move_to_those_of_the_other_convention(pairs):
    def distance(one: np.ndarray, other: np.ndarray) -> float:
        return float(np.linalg.norm(one - other, axis=1).mean())

    found = [in_convention(hand, OTHER) for hand, _ in pairs]
    truths = [truth for _, truth in pairs]
    distance_mm = [distance(a.xyz_mm, b.xyz_mm) for a, b in zip(found, truths, strict=True)]
    distance_px = [distance(a.uv_px, b.uv_px) for a, b in zip(found, truths, strict=True)]
    before_px = [distance(a.uv_px, b.uv_px) for a, b in pairs]
    assert np.mean(distance_mm) < 3
    assert np.mean(distance_px) < np.mean(before_px) / 2
    assert all(hand.convention == OTHER for hand in found)


def test_a_given_bone_is_that_of_the_other_convention(pairs):
    hand, other = pairs[0]
    assert in_convention(hand, OTHER, other.bone_mm).bone_mm == other.bone_mm
    assert in_convention(hand, OTHER).bone_mm == pytest.approx(other.bone_mm, rel=0.05)


def test_the_same_convention_changes_nothing_and_an_unknown_one_is_refused(pairs):
    hand, _ = pairs[0]
    assert in_convention(hand, "rhd") is hand
    with pytest.raises(HandsError, match="ge2018"):
        in_convention(hand, "ge2018")


def test_translation_commutes_with_the_mirror_image(pairs):
    hand, _ = pairs[0]
    across = np.array([-1, 1], np.float32)
    pose, viewpoint = mirror(torch.from_numpy(hand.pose)), torch.from_numpy(hand.viewpoint)
    flipped = torch.diag(torch.tensor([1.0, 1, -1])) @ viewpoint @ torch.diag(torch.tensor([-1.0, 1, 1]))
    mirrored = replace(
        hand, handedness="right", pose=pose.numpy(), viewpoint=flipped.numpy(), uv_px=hand.uv_px * across
    )
    expected, found = in_convention(hand, OTHER), in_convention(mirrored, OTHER)
    np.testing.assert_allclose(found.pose * [-1, 1, 1], expected.pose, atol=1e-4)
    np.testing.assert_allclose(found.uv_px * across, expected.uv_px, atol=1e-2)
    np.testing.assert_allclose(found.cpose, expected.cpose, atol=1e-4)


def test_the_convention_is_kept_in_json(pairs):
    hand, _ = pairs[0]
    assert Hand.from_json(in_convention(hand, OTHER).to_json()).convention == OTHER
