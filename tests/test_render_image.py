"""Images: labels agree, equal inputs give equal bytes, and a mirrored hand gives mirrored labels."""

from dataclasses import replace

import numpy as np
import pytest

from latent_hands.errors import HandsError

pytest.importorskip("warp", reason="warp-lang is not installed: pip install 'latent-hands[render]'")

from latent_hands.hand.rig.articulation import neutral
from latent_hands.hand.rig.model import HandModel
from latent_hands.rendering.image import render_image, sample_look
from latent_hands.rendering.looks.light import (
    EVALUATION_PLACES,
    LAMPS,
    LUMINANCE,
    TRAINING_PLACES,
    camera_to_world,
    environment,
    sample_light,
)

SIZE = 72


@pytest.fixture(scope="module")
def model():
    return HandModel.load()


@pytest.fixture(scope="module")
def vertices_m(model):
    posed = model.pose(model.identity(np.zeros(12)), neutral())
    turn = np.array([[0.8, 0.0, 0.6], [0.36, -0.8, -0.48], [0.48, 0.6, -0.64]])
    palm = (posed.keypoints[0] + posed.keypoints[12]) / 2
    return ((posed.vertices - palm) @ turn + [0.01, -0.02, 0.5]).astype(np.float32)


K = np.array([[170.0, 0, (SIZE - 1) / 2], [0, 170, (SIZE - 1) / 2], [0, 0, 1]])


def look(seed=3, training=True):
    return sample_look(np.random.default_rng(seed), training)


def test_part_and_depth_agree(model, vertices_m):
    image = render_image(model, vertices_m, K, SIZE, look())
    hand = image.part > 0
    assert 0.05 < hand.mean() < 0.9
    np.testing.assert_array_equal(hand, image.depth_m > 0)
    assert set(np.unique(image.part)) <= set(range(18))
    near, far = vertices_m[:, 2].min(), vertices_m[:, 2].max()
    assert near - 0.02 < image.depth_m[hand].min()
    assert image.depth_m[hand].max() < far + 0.02


def test_depth_lies_on_the_surface(model, vertices_m):
    image = render_image(model, vertices_m, K, SIZE, replace(look(), sleeve=None))
    row, column = np.nonzero(image.part)
    depth = image.depth_m[row, column]
    points = np.stack([(column - K[0, 2]) / 170 * depth, (row - K[1, 2]) / 170 * depth, depth], 1)
    nearest = np.sqrt(((points[:, None] - vertices_m[None]) ** 2).sum(-1).min(1))
    arm = image.part[row, column] == 1
    assert nearest[~arm].max() < 0.006


def test_the_same_inputs_give_the_same_bytes(model, vertices_m):
    first = render_image(model, vertices_m, K, SIZE, look())
    render_image(model, vertices_m + np.float32(0.01), K, SIZE, look(8))
    second = render_image(model, vertices_m, K, SIZE, look())
    for name in ("rgb", "depth_m", "part"):
        assert getattr(first, name).tobytes() == getattr(second, name).tobytes()
    assert (render_image(model, vertices_m, K, SIZE, look(4)).rgb != first.rgb).any()


def test_a_mirrored_hand_gives_the_mirrored_geometry(model, vertices_m):
    right = render_image(model, vertices_m, K, SIZE, look())
    mirror = np.array([-1, 1, 1], np.float32)
    left = render_image(model, vertices_m * mirror, K, SIZE, look(), mirrored=True)
    same = right.part == left.part[:, ::-1]
    assert same.mean() > 0.999  # rays that touch an edge may be on either side
    np.testing.assert_allclose(left.depth_m[:, ::-1][same], right.depth_m[same], atol=1e-5)


def test_a_hand_outside_the_image_leaves_the_background(model, vertices_m):
    behind = vertices_m - np.float32([0, 0, 3])
    beside = vertices_m + np.float32([3, 0, 0])
    first, second = (render_image(model, moved, K, SIZE, look()) for moved in (behind, beside))
    assert not first.part.any()
    assert not second.part.any()
    np.testing.assert_array_equal(first.rgb, second.rgb)


def test_vertices_that_are_not_finite_are_refused(model, vertices_m):
    broken = vertices_m.copy()
    broken[5, 1] = np.nan
    with pytest.raises(HandsError, match="finite"):
        render_image(model, broken, K, SIZE, look())


def test_splits_share_no_place():
    assert not set(TRAINING_PLACES) & set(EVALUATION_PLACES)
    for training, places in ((True, TRAINING_PLACES), (False, EVALUATION_PLACES)):
        looks = [look(seed, training) for seed in range(60)]
        assert {each.light.place for each in looks} <= {*places, LAMPS}
        assert {each.background.place for each in looks} <= set(places)


@pytest.mark.parametrize("place", [*TRAINING_PLACES[:2], LAMPS])
def test_light_is_normalised_and_reduced_without_loss(place):
    light = environment(place, 5)
    energy = (light.power @ LUMINANCE).sum() + light.sun_power @ LUMINANCE
    assert energy == pytest.approx(4 * np.pi, rel=1e-3)
    np.testing.assert_allclose(np.linalg.norm(light.directions, axis=1), 1, rtol=1e-5)
    assert (light.gloss >= 0).all()


def test_the_camera_of_a_level_light_looks_along_minus_z_upright():
    level = replace(sample_light(np.random.default_rng(0), True), yaw_deg=0.0, pitch_deg=0.0, roll_deg=0.0)
    np.testing.assert_allclose(camera_to_world(level), np.diag([1, -1, -1]), atol=1e-7)
