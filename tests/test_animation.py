"""Clips: the mesh is fitted to hands of videos and images, which keep their names, times and places."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from model_hands import K, model_hands

from latent_hands.animation import clip_of, fit_hands, write_joints
from latent_hands.animation.clip import frame_times, named_hands
from latent_hands.animation.joints_file import OPERATOR_TO_MANO
from latent_hands.errors import HandsError
from latent_hands.hand.conventions import CONVENTIONS
from latent_hands.hand.rig.articulation import ANGLES
from latent_hands.hand.skeleton import JOINTS, ORDERS
from latent_hands.predictions import ImageHands, read_images, write_hands
from latent_hands.predictor import Hand


def frames(*hands: list[Hand], fps: float | None = 10.0) -> list[ImageHands]:
    """Return one image for each list of hands."""
    return [
        ImageHands(f"{i}", (240, 200), each, frame=i, seconds=None if fps is None else 3 + i / fps)
        for i, each in enumerate(hands)
    ]


@pytest.mark.parametrize(
    ("handedness", "convention"), [("left", "anatomical"), ("right", "rhd"), ("left", "mediapipe")]
)
def test_joints_of_the_model_give_its_angles_back(handedness, convention):
    hands, angles = model_hands(6, handedness, convention)
    fitted = fit_hands(hands)
    assert fitted.error_mm.mean() < 0.5
    off = np.abs(fitted.angles_deg - angles)[:, : len(ANGLES)]
    assert off.mean() < 1
    assert np.quantile(off, 0.95) < 4


def test_hands_of_two_sides_or_conventions_are_not_one_hand():
    (left, *_), _ = model_hands(1, "left")
    (right, *_), _ = model_hands(1, "right")
    for pair in ([left, right], [left, replace(left, convention="stb")], []):
        with pytest.raises(HandsError, match="one side and one joint convention"):
            fit_hands(pair)
    with pytest.raises(HandsError, match="nowhere"):
        fit_hands([replace(left, convention="nowhere")])
    assert "nowhere" not in CONVENTIONS


def test_joints_of_the_animation_are_where_the_hand_is():
    hands, _ = model_hands(3, "left", "anatomical")
    clip = clip_of(frames(*[[hand] for hand in hands]))
    [animated] = clip.hands
    joints_mm = 1000 * animated.joints_m()
    for i, hand in enumerate(hands):
        assert hand.palm_mm is not None
        np.testing.assert_allclose(joints_mm[i, 1:], (hand.xyz_mm + hand.palm_mm)[1:], atol=1.5)
        np.testing.assert_allclose(joints_mm[i, 0], hand.wrist_mm + hand.palm_mm, atol=1.5)
    assert clip.seconds.tolist() == pytest.approx([0, 0.1, 0.2])


def test_hands_are_followed_by_track_and_side_and_frames_without_hands_count():
    (a, b), _ = model_hands(2, "left")
    (c,), _ = model_hands(1, "right")
    a, b, c = replace(a, track=4), replace(b, track=4), replace(c, track=7)
    images = frames([], [a, c], [], [b], [])
    clip = clip_of(images)
    assert [hand.name for hand in clip.hands] == ["left_4", "right_7"]
    assert [hand.seconds.tolist() for hand in clip.hands] == [pytest.approx([0.1, 0.3]), pytest.approx([0.1])]
    assert clip.duration == pytest.approx(0.4)
    assert [hand.name for hand in clip_of(images, least=2).hands] == ["left_4"]
    assert frame_times(images, 2.0).tolist() == [0, 0.5, 1, 1.5, 2]
    assert frame_times(frames([], [], fps=None), None).tolist() == pytest.approx([0, 1 / 30])


def test_hands_without_tracks_are_named_by_their_rank():
    (a, b), _ = model_hands(2, "left")
    (c,), _ = model_hands(1, "right")
    assert [name for name, _ in named_hands([a, c, b])] == ["left_0", "right_0", "left_1"]


def test_hands_without_a_place_are_apart():
    (a, b), _ = model_hands(2)
    placeless = [replace(hand, palm_mm=None, K=None, camera=None) for hand in (a, b)]
    clip = clip_of(frames(placeless))
    first, second = (hand.places_m[0] for hand in clip.hands)
    assert np.linalg.norm(first - second) > 0.1
    assert clip.gltf_camera() is None


def test_the_camera_of_the_file_is_that_of_the_image():
    hands, _ = model_hands(1)
    camera = clip_of(frames(hands)).gltf_camera()
    assert camera is not None
    view = camera["perspective"]
    assert view["aspectRatio"] == pytest.approx(240 / 200)
    assert 100 / np.tan(view["yfov"] / 2) == pytest.approx(K[1, 1])


def test_clips_without_hands_and_times_that_go_back_are_refused():
    hands, _ = model_hands(1)
    with pytest.raises(HandsError, match="no hand to animate in 2 images"):
        clip_of(frames([], []))
    with pytest.raises(HandsError, match="none of 1 hand in 1 image has 2 frames"):
        clip_of(frames(hands), least=2)
    with pytest.raises(HandsError, match="fps is 0"):
        clip_of(frames(hands), fps=0.0)
    with pytest.raises(HandsError, match="do not increase"):
        clip_of(frames(hands, hands)[::-1])


def test_every_file_of_predictions_gives_the_same_images(tmp_path: Path):
    hands, _ = model_hands(2, "left")
    images = frames([replace(hands[0], seconds=3.0)], [], [replace(hands[1], seconds=3.2)])
    for ending in ("jsonl", "npz"):
        write_hands(tmp_path / f"clip.{ending}", images)
        again = read_images(tmp_path / f"clip.{ending}")
        assert [image.seconds for image in again] == pytest.approx([3, 3.1, 3.2])
        assert [len(image.hands) for image in again] == [1, 0, 1]
    write_hands(tmp_path / "image.json", images[:1])
    assert [len(image.hands) for image in read_images(tmp_path / "image.json")] == [1]


def dex_retargeting_joints(joints: np.ndarray, operator_to_mano: np.ndarray) -> np.ndarray:
    """Return what SingleHandDetector of dex-retargeting passes on: the palm's plane is found by SVD."""
    centred = joints - joints[0:1]
    points = centred[[0, 5, 9]]
    x_vector = points[0] - points[2]
    points = points - points.mean(axis=0, keepdims=True)
    normal = np.linalg.svd(points)[2][2]
    x = x_vector - (x_vector * normal).sum() * normal
    x = x / np.linalg.norm(x)
    z = np.cross(x, normal)
    if (z * (points[1] - points[2])).sum() < 0:
        normal, z = -normal, -z
    return centred @ np.stack([x, normal, z], axis=1) @ operator_to_mano


@pytest.mark.parametrize("handedness", ["left", "right"])
def test_joints_for_robots_are_those_that_dex_retargeting_computes(tmp_path: Path, handedness):
    hands, _ = model_hands(4, handedness)
    images = frames([], *([hand] for hand in hands), *([] for _ in range(8)))
    file = np.load(write_joints(tmp_path / "clip.npz", clip_of(images)))
    assert file["joints_m"].shape == (1, 13, 21, 3)
    for joints_m, mano_m, rotation in zip(
        file["joints_m"][0], file["mano_m"][0], file["wrist_rotations"][0], strict=True
    ):
        wanted = dex_retargeting_joints(joints_m, OPERATOR_TO_MANO[handedness])
        np.testing.assert_allclose(mano_m, wanted, atol=1e-9)
        np.testing.assert_allclose(joints_m[0] + mano_m @ rotation.T, joints_m, atol=1e-9)
    # The order is wrist, then thumb to little finger from base to tip, and the unit metres.
    listed = [JOINTS[ORDERS["mediapipe"].places.index(i)] for i in range(21)]
    assert (listed[0], listed[4], listed[8], listed[20]) == ("wrist", "thumb_tip", "index_tip", "little_tip")
    assert 0.05 < np.linalg.norm(file["mano_m"][0, :, 9], axis=-1).mean() < 0.13
    assert file["present"][0].tolist() == [False] + [True] * 4 + [False] * 8
    assert file["angles_deg"].shape == (1, 13, 22) == (1, 13, len(file["angle_names"]))
    assert file["names"].tolist() == [f"{handedness}_0"]


def test_rotations_turn_with_the_viewpoint():
    hands, _ = model_hands(3, "left")
    fitted = fit_hands(hands)
    turn = fitted.rotations[1] @ fitted.rotations[0].T
    seen = hands[1].viewpoint.T @ hands[0].viewpoint
    assert np.trace(turn @ seen.T) > 1 + 2 * np.cos(np.radians(8))
