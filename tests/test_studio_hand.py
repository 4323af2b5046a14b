"""The hand of the studio follows drags, and the directions of its factors are those of its outputs."""

import pytest
import torch
from studios import instrument

from latent_hands.hand import geometry
from latent_hands.hand.skeleton import FINGERS, WRIST
from latent_hands.paper.latent import Gaussian
from latent_hands.studio.directions import Directions
from latent_hands.studio.puppet import FAR, Puppet, turn_about

# The hand


def test_the_relaxed_hand_is_a_left_hand_that_points_up_and_shows_its_palm():
    joints = Puppet.relaxed().joints_mm
    assert joints[FINGERS["middle"][-1], 1] < -50 < 20 < joints[WRIST, 1]
    cpose, _ = geometry.canonicalise(Puppet.relaxed().pose)
    assert cpose[FINGERS["middle"][-1], 2] < 0  # left hands flex towards negative z
    assert joints[FINGERS["thumb"][-1], 0] < 0 < joints[FINGERS["little"][-1], 0]


def test_a_dragged_fingertip_follows_in_the_camera_frame_and_the_others_stay():
    hand = Puppet.relaxed().turned(turn_about(1, 40.0))
    tip = FINGERS["index"][-1]
    target = hand.joints_mm[tip] + torch.tensor([0.0, 5, 0]).double() @ hand.rotation.abs()
    moved = hand.dragged("index", target)
    assert (moved.joints_mm[tip] - target).norm() < 4
    others = [joint for joint in range(21) if joint not in FINGERS["index"]]
    torch.testing.assert_close(moved.joints_mm[others], hand.joints_mm[others])


@pytest.mark.parametrize("target", [[30.0, 20, -10], [0, -100, 0], [0, 0, 3]])
def test_the_wrist_points_to_its_target_and_the_hand_is_rigid(target):
    hand, target = Puppet.relaxed(), torch.tensor(target).double()
    moved = hand.with_wrist_towards(target)
    wrist = moved.joints_mm[WRIST]
    torch.testing.assert_close(wrist / wrist.norm(), target / target.norm())
    torch.testing.assert_close(torch.cdist(*[moved.joints_mm] * 2), torch.cdist(*[hand.joints_mm] * 2))
    assert torch.linalg.det(moved.rotation) > 0.999


def test_a_wrist_at_the_palm_and_a_wrist_turned_half_around_are_no_problem():
    hand = Puppet.relaxed()
    assert hand.with_wrist_towards(torch.zeros(3)) is hand
    opposite = hand.with_wrist_towards(-hand.joints_mm[WRIST])
    torch.testing.assert_close(opposite.joints_mm[WRIST], -hand.joints_mm[WRIST])


def test_turns_about_the_axes_are_those_of_the_image():
    x, y, z = torch.eye(3).double()
    for axis, (start, end) in enumerate(((y, z), (z, x), (x, y))):
        torch.testing.assert_close(start @ turn_about(axis, 90.0), end, atol=1e-6, rtol=0)


def test_a_hand_follows_the_pose_of_another_one():
    wanted = instrument().random_puppet(3)
    found = Puppet.relaxed().following(wanted.pose, FAR)
    assert (found.joints_mm - wanted.joints_mm).norm(dim=-1).mean() < 1


# Directions


def directions(d: int = 5) -> tuple[Directions, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(400, d, generator=generator) @ torch.randn(d, d, generator=generator) + 3
    outputs = 10 * z[:, :1] + z[:, 1:2] @ torch.ones(1, 3)
    return Directions.find(z, outputs), z


def test_coordinates_and_moves_are_inverse():
    axes, z = directions()
    moved = axes.moved(z[:1], 2, -1.5)
    before, after = axes.coordinates(z[:1]), axes.coordinates(moved)
    assert after[2] == pytest.approx(-1.5, abs=1e-4)
    others = [0, 1, 3, 4]
    torch.testing.assert_close(after[others], before[others], atol=1e-4, rtol=0)
    torch.testing.assert_close(axes.moved(moved, 2, float(before[2])), z[:1], atol=1e-4, rtol=0)


def test_typical_latents_have_coordinates_of_unit_variance():
    axes, z = directions()
    coordinates = torch.stack([axes.coordinates(each[None]) for each in z])
    torch.testing.assert_close(torch.cov(coordinates.T), torch.eye(5).double(), atol=0.01, rtol=0)
    assert axes.scale() == pytest.approx(float((2 * torch.cov(z.T.double()).trace()).sqrt()), rel=1e-3)


def test_the_first_direction_changes_the_output_and_the_last_ones_do_not():
    axes, _ = directions()
    change = axes.change
    assert float(change.sum()) == pytest.approx(1)
    assert bool((change.diff() <= 1e-12).all())
    assert axes.axes[2:, 0].abs().max() < 0.1 * axes.axes[0, 0].abs()


def test_the_marked_spread_is_that_of_draws():
    axes, z = directions()
    posterior = Gaussian(z[:1], torch.tensor([[0.0, -1, -2, 1, 0.5]]))
    generator = torch.Generator().manual_seed(1)
    draws = torch.stack([axes.coordinates(posterior.draw(generator)) for _ in range(800)])
    torch.testing.assert_close(draws.std(dim=0), axes.spread(posterior), rtol=0.12, atol=0)
