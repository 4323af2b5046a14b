"""Moving hands: smooth paths, exact rests, fixed scenes, and timestamps that readers return."""

import json

import numpy as np
import pytest

from latent_hands.data import open_data
from latent_hands.errors import HandsError

pytest.importorskip("warp", reason="warp-lang is not installed: pip install 'latent-hands[render]'")

from latent_hands.rendering.movement import SPAN_S, sample_movement
from latent_hands.rendering.scene import sample_scene, scene_rng
from latent_hands.rendering.sets.moving import render_moving

SMALL = {"count": 5, "size_px": 48, "seed": 4, "evaluation_count": 0, "frames": 4, "progress": False}


@pytest.fixture(scope="module")
def movement():
    scene = sample_scene(3, "training", 0, 64, (0.4, 0.7))
    return sample_movement(scene, scene_rng(3, "training", 0, 1), 3.0)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return render_moving(tmp_path_factory.mktemp("moving") / "hands", workers=1, **SMALL)


def joints(movement, times):
    return np.stack([movement.at(seconds)[1].label_m for seconds in times])


def test_the_path_is_continuous_with_its_first_two_derivatives(movement):
    h = 1e-2
    for knot in range(1, movement.spans):
        around = joints(movement, knot * SPAN_S + h * np.arange(-3, 4))
        second = np.diff(around, 2, axis=0) / h**2
        third = np.abs(np.diff(second, axis=0)).max()
        # A jump of the velocity by j m/s would appear here as j / h.
        assert third < 20
        assert np.abs(np.diff(around, axis=0)).max() / h < 4


def test_a_hand_at_rest_does_not_move(movement):
    assert movement.rests(0.0)
    times = [seconds for seconds in np.arange(0, 3, 0.05) if movement.rests(seconds)]
    assert len(times) < 60
    for seconds in times:
        end = (seconds // SPAN_S) * SPAN_S
        np.testing.assert_allclose(*joints(movement, [seconds, end]), atol=1e-6)


def test_the_hand_stays_in_the_image_and_keeps_its_bones(movement):
    bones = []
    for seconds in np.arange(0, 3, 0.2):
        _, hand = movement.at(seconds)
        assert (hand.uv_px > -6).all()
        assert (hand.uv_px < 64 + 6).all()
        bones.append(np.linalg.norm(hand.xyz_m[12] - hand.xyz_m[11]))
    np.testing.assert_allclose(bones, bones[0], rtol=0.1)  # joints of a convention move with the fingers


def test_samples_have_times_and_sequences(root):
    samples = open_data("rendered", root, "training")
    assert [round(30 * sample.seconds) for sample in samples] == [0, 1, 2, 3] * 2
    assert len({sample.block for sample in samples}) == 2
    assert samples[0].factors["still"] is True
    assert all(np.array_equal(sample.K, samples[0].K) for sample in samples[:4])


def test_noise_differs_between_images_of_a_hand_at_rest(root):
    samples = open_data("rendered", root, "training")
    np.testing.assert_array_equal(samples[0].xyz_mm, samples[1].xyz_mm)
    first, second = (sample.image.read_bytes() for sample in samples[:2])
    assert first != second


def test_the_same_settings_give_the_same_bytes(root, tmp_path):
    again = render_moving(tmp_path / "again", workers=1, **SMALL)
    for file in sorted(root.rglob("*.*")):
        assert file.read_bytes() == (again / file.relative_to(root)).read_bytes()
    assert json.loads((root / "rendered.json").read_text())["kind"] == "moving"


@pytest.mark.parametrize("wrong", [{"frames": 0}, {"fps": 0.5}, {"frames": 700, "fps": 1.0}, {"count": 0}])
def test_settings_out_of_range_are_refused(wrong, tmp_path):
    with pytest.raises(HandsError, match=next(iter(wrong))):
        render_moving(tmp_path / "hands", **{**SMALL, **wrong})
