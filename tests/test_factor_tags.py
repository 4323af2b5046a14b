"""Tags of single factors: they depend on the person alone, or on the background alone."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("warp", reason="warp-lang is not installed: pip install 'latent-hands[render]'")

from latent_hands.data import open_data, read_rgb
from latent_hands.data.crops import build_windows
from latent_hands.rendering.looks.sensor import PLAIN
from latent_hands.rendering.placed_hand import sample_hand
from latent_hands.rendering.scene import Scene, sample_scene, scene_rng
from latent_hands.rendering.sets.counterfactual_set import CounterfactualPlan
from latent_hands.rendering.sets.dataset import render_dataset
from latent_hands.rendering.sets.shots import render_hand
from latent_hands.rendering.sets.tags import background_tag, identity_tag
from latent_hands.rendering.variety import EVERYTHING, varied

SIZE = 56
SMALL = {"count": 4, "size_px": 48, "seed": 5, "poses_per_scene": 2, "evaluation_count": 1, "progress": False}


def scene(index: int = 0) -> Scene:
    return varied(sample_scene(3, "training", index, SIZE), 3, EVERYTHING)


def elsewhere(person: Scene) -> Scene:
    """Return the same person in another place, taken by another camera."""
    look = replace(
        person.look,
        light=(other := scene(7)).look.light,
        background=other.look.background,
        sensor=other.look.sensor,
        thing=other.look.thing,
    )
    return replace(other, side=person.side, identity=person.identity, look=look)


def test_a_person_has_the_same_identity_tag_everywhere():
    person = scene()
    np.testing.assert_array_equal(identity_tag(person), identity_tag(elsewhere(person)))


@pytest.mark.parametrize("part", ["identity", "skin"])
def test_another_person_has_another_identity_tag(part):
    person, other = scene(), scene(7)
    if part == "identity":
        changed = replace(person, identity=other.identity)
    else:
        changed = replace(person, look=replace(person.look, skin=other.look.skin))
    assert (identity_tag(person) != identity_tag(changed)).any()


def test_the_identity_tag_has_a_grey_wall_and_all_fingers():
    tag = identity_tag(scene())
    wall = (tag == tag[0, 0]).all(axis=-1)
    assert np.abs(tag[0, 0].astype(int) - 128).max() <= 1
    assert wall[0].all()
    assert 0.1 < (~wall).mean() < 0.6


@pytest.mark.parametrize("index", range(3))
def test_the_background_tag_is_the_image_where_no_hand_is(index):
    place = scene(index)
    place = replace(place, look=replace(place.look, sensor=PLAIN))
    tag = background_tag(place)
    for pose in range(2):
        image = render_hand(place, sample_hand(place, scene_rng(3, "training", index, pose)))
        hand = np.pad(image.depth_m > 0, 1)
        near = np.max(
            [hand[1 + dy :, 1 + dx :][:SIZE, :SIZE] for dy in (-1, 0, 1) for dx in (-1, 0, 1)], axis=0
        )
        assert not near.all()
        if place.look.background.surface is None:
            np.testing.assert_array_equal(image.rgb[~near], tag[~near])
        else:  # the hand's shadow
            assert (image.rgb[~near] <= tag[~near]).all()


def test_factor_tags_change_no_other_file(tmp_path):
    with_tags, without = (
        render_dataset(tmp_path / str(wanted), workers=1, factor_tags=wanted, **SMALL)
        for wanted in (True, False)
    )
    samples, bare = (open_data("rendered", root, "training") for root in (with_tags, without))
    for sample, plain in zip(samples, bare, strict=True):
        assert sample.image.read_bytes() == plain.image.read_bytes()
        assert sample.tag.read_bytes() == plain.tag.read_bytes()
        assert plain.identity_tag is None
        assert plain.background_tag is None
        for tag in (sample.identity_tag, sample.background_tag):
            assert read_rgb(tag).shape == (48, 48, 3)
            assert tag.stem == f"{sample.factors['scene']:05d}"
    windows = build_windows(samples, "scene", 1.0, 32, images=["identity_tag", "background_tag"])
    for key in ("identity_tag", "background_tag"):
        assert windows.images[key].index.tolist() == [0, 0, 1, 1]
    (samples[0].identity_tag).unlink()
    render_dataset(with_tags, workers=1, factor_tags=True, **SMALL)
    assert samples[0].identity_tag.is_file()


def test_settings_name_factor_tags_only_if_they_are_written():
    settings = {"count": 24, "size_px": 48, "seed": 0, "evaluation_count": 24, "scene_size": (0.85, 1.0)}
    plans = [
        CounterfactualPlan(**settings, defocus=None, joints="rhd", factor_tags=wanted)
        for wanted in (True, False)
    ]
    assert [plan.as_json().get("factor_tags") for plan in plans] == [True, None]
