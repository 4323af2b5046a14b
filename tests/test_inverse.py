"""Inverse kinematics: it inverts the mesh, within limits, independently of place, size and other hands."""

import numpy as np
import pytest
import torch
from conftest import SHARED

from latent_hands.data import Sample, open_data
from latent_hands.errors import HandsError
from latent_hands.hand.geometry import mirror
from latent_hands.hand.rig.articulation import Articulation, neutral
from latent_hands.hand.rig.collision import penetration_mm
from latent_hands.hand.rig.inverse import angles_of, calibrate, errors_mm, fit, neutral_shares
from latent_hands.hand.rig.kinematics import CHANGES, Skeleton
from latent_hands.hand.rig.limits import within_limits
from latent_hands.hand.rig.model import HandModel
from latent_hands.hand.rig.poses import TOUCH_MM, sample_articulation
from latent_hands.rendering.retarget import retarget, right_hands_mm
from latent_hands.rendering.scene import sample_view

MODEL = HandModel.load()
needs_stb = pytest.mark.skipif(not (SHARED / "stb").is_dir(), reason=f"STB is not at {SHARED}")


def articulations(count: int) -> torch.Tensor:
    rng = np.random.default_rng(0)
    return torch.from_numpy(np.stack([sample_articulation(rng).flat() for _ in range(count)]))


def skeleton(linear: torch.Tensor | None = None, identity: np.ndarray | None = None) -> Skeleton:
    shape = MODEL.identity(np.zeros(12) if identity is None else identity)
    return Skeleton.of(shape, torch.eye(21) if linear is None else linear)


def neighbours_mean() -> torch.Tensor:
    """Return a convention with keypoints a fifth of the way to the parent joint, and the palm as root."""
    linear = torch.eye(21)
    for joint in (joint for joint in range(1, 21) if joint % 4):
        linear[joint, [joint, joint + 1]] = torch.tensor([0.8, 0.2])
    linear[0, [0, 12]] = 0.5
    return linear


def samples(xyz_mm: torch.Tensor, side: str) -> list[Sample]:
    hands = xyz_mm.numpy().astype(np.float32)
    return [
        Sample(name=f"{i}", image=SHARED / f"{i}.png", handedness=side, xyz_mm=h) for i, h in enumerate(hands)
    ]


def test_keypoints_are_those_of_the_mesh():
    identity = MODEL.sample_identity(np.random.default_rng(1))
    angles = articulations(8)
    posed = (
        MODEL.pose(MODEL.identity(identity), Articulation.from_flat(a), "anatomical") for a in angles.numpy()
    )
    expected = np.stack([1000 * hand.keypoints for hand in posed])
    np.testing.assert_allclose(skeleton(identity=identity).keypoints_mm(angles), expected, atol=1e-3)


@pytest.mark.parametrize("linear", [None, neighbours_mean()], ids=["own", "other"])
def test_the_jacobian_is_the_derivative(linear):
    hand, angles = skeleton(linear), articulations(3)
    automatic = torch.func.jacrev(lambda each: hand.keypoints_mm(each).sum(0))(angles).movedim(2, 0)
    torch.testing.assert_close(hand.jacobian(angles), automatic, atol=1e-5, rtol=0)


@pytest.mark.parametrize("linear", [None, neighbours_mean()], ids=["own", "other"])
def test_keypoints_of_the_model_are_recovered(linear):
    hand, angles = skeleton(linear), articulations(60)
    xyz_mm = hand.keypoints_mm(angles)
    found = fit(hand, xyz_mm)
    assert errors_mm(hand, found, xyz_mm).mean(1).max() < 0.5
    assert (found - angles)[:, :22].abs().median() < 0.5


def test_place_turn_and_size_do_not_matter():
    hand, rng = skeleton(), np.random.default_rng(3)
    xyz_mm = hand.keypoints_mm(articulations(6)) + torch.from_numpy(rng.normal(0, 3, (6, 21, 3)))
    turn = torch.from_numpy(np.stack([sample_view(rng) for _ in range(6)]))
    moved = 1.7 * xyz_mm @ turn + torch.tensor([30.0, -80, 500])
    found, other = fit(hand, xyz_mm), fit(hand, moved)
    torch.testing.assert_close(found, other, atol=1e-3, rtol=0)
    torch.testing.assert_close(
        1.7 * errors_mm(hand, found, xyz_mm), errors_mm(hand, other, moved), atol=1e-3, rtol=0
    )


def test_angles_keep_their_limits_whatever_the_labels():
    noise = torch.from_numpy(np.random.default_rng(0).normal(0, 40, (20, 21, 3)))
    for angles in fit(skeleton(), noise).numpy():
        found = Articulation.from_flat(angles)
        legal = within_limits(found)
        for name in ("thumb", "arch", "wrist"):
            np.testing.assert_allclose(getattr(legal, name), getattr(found, name), atol=1e-9)
        np.testing.assert_allclose(legal.fingers[:, [0, 2, 3]], found.fingers[:, [0, 2, 3]], atol=1e-9)


def test_hands_do_not_depend_on_one_another():
    hand, rng = skeleton(), np.random.default_rng(1)
    xyz_mm = hand.keypoints_mm(articulations(5)) + torch.from_numpy(rng.normal(0, 3, (5, 21, 3)))
    alone = torch.cat([fit(hand, one[None]) for one in xyz_mm])
    torch.testing.assert_close(fit(hand, xyz_mm), alone, atol=1e-3, rtol=0)


def test_the_search_starts_from_the_relaxed_hand():
    np.testing.assert_allclose(angles_of(neutral_shares()[None])[0], neutral().flat(), atol=1e-9)


def test_no_change_is_the_same_skeleton_and_bones_grow_by_the_given_lengths():
    hand, angles = skeleton(), articulations(2)
    unchanged = hand.changed(torch.zeros(CHANGES).double())
    assert torch.equal(unchanged.keypoints_mm(angles), hand.keypoints_mm(angles))
    longer = hand.changed(torch.cat([torch.zeros(CHANGES - 15), torch.full((15,), 2.0)]).double())
    points = (each.keypoints_mm(angles) for each in (hand, longer))
    before, after = ((each[:, 5] - each[:, 6]).norm(dim=-1) for each in points)
    torch.testing.assert_close(after, before + 2)


def test_calibration_finds_another_persons_proportions_and_convention():
    other = skeleton(neighbours_mean(), MODEL.sample_identity(np.random.default_rng(2)))
    xyz_mm = other.keypoints_mm(articulations(60))
    plain = skeleton()
    before, after = (
        errors_mm(hand, fit(hand, xyz_mm), xyz_mm).mean() for hand in (plain, calibrate(plain, xyz_mm))
    )
    assert after < before / 2
    assert after < 2.5


def test_left_hands_are_right_ones_in_the_mirror():
    xyz_mm = skeleton().keypoints_mm(articulations(12)).float()
    right, left = retarget(samples(xyz_mm, "right")), retarget(samples(mirror(xyz_mm), "left"))
    torch.testing.assert_close(right.angles_deg, left.angles_deg, atol=1e-6, rtol=0)
    torch.testing.assert_close(right.error_mm, left.error_mm, atol=1e-6, rtol=0)


def test_fingers_that_enter_one_another_are_freed():
    fist = sample_articulation(np.random.default_rng(0)).flat()
    fist[:16] = np.tile([80, 0, 90, 40], 4)
    fist[16:] = [45, 16, 0, 58, 0, 0, 0, 0]
    angles = torch.cat([articulations(10), torch.from_numpy(fist)[None]])
    hands = retarget(samples(skeleton().keypoints_mm(angles), "right"))
    assert hands.collided.tolist() == [False] * 10 + [True]
    for angles_deg in hands.angles_deg[hands.kept].numpy():
        assert penetration_mm(Articulation.from_flat(angles_deg)) < TOUCH_MM
    summary = hands.summary()
    assert (summary["hands"], summary["collided"]) == (11, 1)
    assert summary["left_out"] == int((~hands.kept).sum())


def test_mistakes_name_the_sample():
    hands = samples(skeleton().keypoints_mm(articulations(2)), "right")
    with pytest.raises(HandsError, match="no hands to retarget"):
        retarget([])
    with pytest.raises(HandsError, match="sample 3 has no joints in 3D"):
        right_hands_mm([*hands, Sample(name="3", image=SHARED)])
    with pytest.raises(HandsError, match="sample 3 has no side"):
        right_hands_mm([*hands, Sample(name="3", image=SHARED, xyz_mm=hands[0].xyz_mm)])
    with pytest.raises(HandsError, match="a bone of sample 3 has no length"):
        right_hands_mm([*hands, Sample("3", SHARED, "left", np.zeros((21, 3), np.float32))])


@needs_stb
def test_the_poses_of_stb_fit_within_4_mm():
    hands = retarget(open_data("stb-poses", SHARED / "stb", "training")[::100])
    assert hands.error_mm.mean() < 4
    assert hands.kept.float().mean() > 0.98
