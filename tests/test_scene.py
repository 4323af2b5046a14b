import dataclasses
import json

import numpy as np
import pytest
import torch

from latent_hands.errors import HandsError
from latent_hands.hand.camera import palm_box
from latent_hands.hand.geometry import canonicalise, normalise, to_palm
from latent_hands.hand.rig.articulation import neutral
from latent_hands.hand.skeleton import MIDDLE_PIP
from latent_hands.rendering import scene as scene_module
from latent_hands.rendering.placed_hand import (
    MOST_HIDDEN,
    arm_fits,
    hidden_by_arm,
    joints_fit,
    place_hand,
    sample_hand,
    tag_hand,
)
from latent_hands.rendering.scene import Scene, bone_m, sample_scene, sample_view, scene_rng


def pose_of(scene: Scene, hand) -> torch.Tensor:
    """Return the joints of the hand as a left hand: palm form, relative to the palm, in bones."""
    xyz = torch.from_numpy(hand.xyz_m).double()
    if scene.side == "right":
        xyz = xyz * torch.tensor([-1.0, 1.0, 1.0])
    return normalise(to_palm(xyz))[0]


def with_side(scene: Scene, side: str) -> Scene:
    return dataclasses.replace(scene, side=side)


def test_a_scene_is_drawn_from_its_numbers_alone():
    one, same = (sample_scene(7, "training", 3, 128) for _ in range(2))
    assert json.dumps(one.factors()) == json.dumps(same.factors())
    for other in [(8, "training", 3), (7, "evaluation", 3), (7, "training", 4)]:
        assert sample_scene(*other, 128).factors()["identity"] != one.factors()["identity"]
    assert scene_rng(0, "training", 5).random() != scene_rng(0, "training", 5, 0).random()


@pytest.mark.parametrize("seed", range(20))
def test_the_box_is_around_the_palm_and_inside_the_image(seed):
    scene = sample_scene(seed, "training", 0, 128, scene_size=(0.85, 1.0))
    cx, cy, side = scene.box
    u, v, w = scene.K @ scene.palm_m
    np.testing.assert_allclose((u / w, v / w), (cx, cy), atol=1e-9)
    assert 0.85 <= side / 128 <= 1.0
    for centre in (cx, cy):
        assert centre - side / 2 >= -0.5 - 1e-9
        assert centre + side / 2 <= 127.5 + 1e-9
    joints_mm = torch.from_numpy(1000 * scene.palm_m).expand(21, 3).clone()
    joints_mm[MIDDLE_PIP, 1] += 1000 * bone_m(scene.identity)
    same = palm_box(joints_mm, torch.from_numpy(scene.K))  # the crop of sets without scenes
    np.testing.assert_allclose([*same[0], same[1]], scene.box, rtol=1e-6)
    assert 0.35 <= scene.palm_m[2] <= 0.9


def test_the_box_is_seven_bones_wide():
    scene = sample_scene(0, "training", 0, 128)
    joints = tag_hand(scene).xyz_m
    bone_px = scene.K[0, 0] * np.linalg.norm(joints[12] - joints[11]) / scene.palm_m[2]
    np.testing.assert_allclose(scene.box[2], 7.2 * bone_px, rtol=1e-4)


def test_the_palm_is_as_far_off_the_axis_as_in_rhd():
    palms = np.array([sample_scene(0, "training", index, 128).palm_m for index in range(300)])
    off_axis_deg = np.degrees(np.arctan2(np.hypot(*palms.T[:2]), palms[:, 2]))
    assert 7.0 < np.median(off_axis_deg) < 8.5
    assert 11.0 < np.quantile(off_axis_deg, 0.9) < 13.0


def test_views_are_uniform_rotations():
    rng = np.random.default_rng(0)
    views = np.stack([sample_view(rng) for _ in range(4000)])
    np.testing.assert_allclose(
        views @ views.transpose(0, 2, 1), np.broadcast_to(np.eye(3), views.shape), atol=1e-12
    )
    np.testing.assert_allclose(np.linalg.det(views), 1)
    np.testing.assert_allclose(views.mean(0), 0, atol=0.04)
    np.testing.assert_allclose((views**2).mean(0), 1 / 3, atol=0.02)
    # The angle of a uniform rotation has the mean pi/2 + 2/pi.
    angles = np.arccos(np.clip((np.trace(views, axis1=1, axis2=2) - 1) / 2, -1, 1))
    np.testing.assert_allclose(angles.mean(), np.pi / 2 + 2 / np.pi, atol=0.04)


@pytest.mark.parametrize("side", ["left", "right"])
def test_the_tag_shows_the_palm_with_the_fingers_up(side):
    scene = with_side(sample_scene(1, "training", 0, 128), side)
    hand = tag_hand(scene)
    _, viewpoint = canonicalise(pose_of(scene, hand))
    torch.testing.assert_close(viewpoint, torch.eye(3, dtype=torch.float64), atol=1e-5, rtol=0)
    thumb_tip, middle_tip, little_tip, wrist = hand.uv_px[[1, 9, 17, 0]]
    assert middle_tip[1] < wrist[1]
    assert (thumb_tip[0] < little_tip[0]) == (side == "left")


@pytest.mark.parametrize("side", ["left", "right"])
def test_rotation_and_viewpoint_are_the_same_up_to_the_tag(side):
    scene = with_side(sample_scene(2, "training", 0, 128), side)
    rotation = sample_view(np.random.default_rng(0))
    hand = place_hand(scene, neutral(), rotation)
    _, viewpoint = canonicalise(pose_of(scene, hand))
    expected = tag_hand(scene).rotation.T @ rotation
    np.testing.assert_allclose(viewpoint.numpy(), expected, atol=1e-5)


def test_a_rotation_turns_the_hand_about_its_palm():
    scene = sample_scene(3, "training", 0, 128)
    rng = np.random.default_rng(0)
    poses = []
    for _ in range(3):
        hand = place_hand(scene, neutral(), sample_view(rng))
        np.testing.assert_allclose((hand.xyz_m[0] + hand.xyz_m[12]) / 2, scene.palm_m, atol=1e-6)
        poses.append(canonicalise(pose_of(scene, hand))[0])
    torch.testing.assert_close(poses[0], poses[1], atol=1e-4, rtol=0)
    torch.testing.assert_close(poses[0], poses[2], atol=1e-4, rtol=0)


def test_left_and_right_hands_are_mirror_images():
    scene = sample_scene(4, "training", 0, 128)
    rotation = sample_view(np.random.default_rng(1))
    left, right = (place_hand(with_side(scene, side), neutral(), rotation) for side in ("left", "right"))
    mirrored = (left.xyz_m - scene.palm_m) * [-1, 1, 1]
    np.testing.assert_allclose(right.xyz_m - scene.palm_m, mirrored, atol=1e-6)
    # Left form: bent fingers are on the palm's side, z < 0.
    cpose, _ = canonicalise(pose_of(with_side(scene, "left"), left))
    assert (cpose[[5, 9, 13, 17], 2] < 0).all()


def test_hands_are_in_the_image():
    for index in range(10):
        scene = sample_scene(5, "training", index, 128)
        hand = sample_hand(scene, scene_rng(5, "training", index, 0))
        assert joints_fit(scene, hand)
        assert arm_fits(scene, hand)
        uvw = hand.xyz_m @ scene.K.T
        np.testing.assert_allclose(uvw[:, :2] / uvw[:, 2:], hand.uv_px, atol=1e-3)


def test_factors_name_everything_and_survive_json():
    scene = sample_scene(6, "evaluation", 2, 64)
    factors = json.loads(json.dumps(scene.factors()))
    assert factors["scene"] == 2
    assert factors["side"] == scene.side
    np.testing.assert_array_equal(factors["identity"], scene.identity)
    np.testing.assert_array_equal(factors["K"], scene.K)
    assert set(factors["look"]) >= {"skin", "light", "background", "sleeve", "sensor"}


def test_bad_settings_are_refused():
    for arguments, message in [
        ((0, "train", 0, 128), 'unknown split "train"; did you mean "training"'),
        ((-1, "training", 0, 128), "seed is -1"),
        ((0, "training", 0, 4), "size_px is 4"),
        ((0, "training", 0, 128, (1.2, 0.8)), "scene_size is"),
    ]:
        with pytest.raises(HandsError, match=message):
            scene_module.sample_scene(*arguments)


def test_defocus_blurs_what_is_behind_and_changes_nothing_else():
    scene = sample_scene(7, "training", 3, 64)
    soft = scene_module.defocused(scene, 7, (0.05, 0.1))
    assert 0.05 <= soft.look.background.blur <= 0.1
    assert soft.factors() == scene_module.defocused(scene, 7, (0.05, 0.1)).factors()
    before, after = scene.factors(), soft.factors()
    after["look"]["background"]["blur"] = before["look"]["background"]["blur"]
    assert before == after


def test_forearms_leave_most_joints_free():
    """The count by a rod agrees with the depths that are rendered, and sampled hands have a small count."""
    for index in range(6):
        scene = sample_scene(9, "training", index, 128)
        hand = sample_hand(scene, scene_rng(9, "training", index, 0))
        assert hidden_by_arm(hand) <= MOST_HIDDEN
    scene = with_side(sample_scene(9, "training", 0, 128), "right")
    # The hand points away from the camera, and its forearm is between them.
    away = np.array([[1.0, 0, 0], [0, 0, 1.0], [0, -1.0, 0]])
    assert hidden_by_arm(place_hand(scene, neutral(), away)) > MOST_HIDDEN
    assert hidden_by_arm(place_hand(scene, neutral(), np.eye(3))) == 0
