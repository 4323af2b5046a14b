"""Kinds of variety: labels agree, and leaving a kind out changes nothing else."""

import json
from dataclasses import replace

import numpy as np
import pytest

from latent_hands.errors import HandsError

pytest.importorskip("warp", reason="warp-lang is not installed: pip install 'latent-hands[render]'")

from latent_hands.hand.rig.model import HandModel
from latent_hands.rendering.looks.jewellery import band_offset, sample_jewellery
from latent_hands.rendering.looks.sensor import PLAIN, develop
from latent_hands.rendering.looks.things import place_thing, thing_faces, unit_thing
from latent_hands.rendering.placed_hand import tag_hand
from latent_hands.rendering.scene import bone_m, sample_scene
from latent_hands.rendering.sets.shots import render_hand, visible_joints
from latent_hands.rendering.variety import EVERYTHING, KINDS, Variety, check_variety, kinds_of, varied

SIZE = 64
NONE = Variety.without(*KINDS)
OWN = {
    "ages": ("identity", "K", "look.skin"),
    "jewellery": ("look.jewellery",),
    "objects": ("look.thing",),
    "other_hand": ("look.background.other",),
    "low_resolution": ("look.sensor.resolution",),
    "surfaces": tuple(f"look.background.{name}" for name in ("surface", "layers", "gain")),
    "rough_camera": tuple(f"look.sensor.{name}" for name in ("motion_px", "blur_px", "noise", "quality")),
}
"""The entries of a scene's record that each kind decides."""
FOLLOWS = {
    "ages": ("look.thing.centre_m", "look.background.other.identity", "look.background.other.skin"),
}
"""Entries of other kinds that depend on a kind.

A person's other hand has the same age. The focal length follows the age, and an object is placed by it.
"""


def only(kind, index=0, size=SIZE):
    """Return a scene without variety and the same scene with one kind."""
    scene = sample_scene(3, "training", index, size)
    return scene, varied(scene, 3, replace(NONE, **{kind: 1.0}))


def differing(first, second):
    """Return the names of the entries in which the records of two scenes differ."""
    one, other = (entries(scene.factors()) for scene in (first, second))
    return {name for name in one | other if one.get(name, "absent") != other.get(name, "absent")}


def entries(record, prefix=""):
    """Return the entries of a record by their dotted names."""
    found = {}
    for name, value in record.items():
        nested = isinstance(value, dict)
        found |= entries(value, f"{prefix}{name}.") if nested else {prefix + name: json.dumps(value)}
    return found


def test_without_variety_the_scene_does_not_change():
    scene = sample_scene(3, "training", 0, SIZE)
    assert varied(scene, 3, NONE).factors() == scene.factors()


def test_the_kinds_of_a_scene_follow_from_its_numbers():
    rates = Variety()
    for index in range(12):
        scene = sample_scene(3, "training", index, SIZE)
        kinds = kinds_of("training", index, 3, rates)
        kept = replace(NONE, **{kind: getattr(rates, kind) for kind in kinds})
        assert varied(scene, 3, rates).factors() == varied(scene, 3, kept).factors()
    drawn = [kinds_of("training", index, 3, rates) for index in range(2000)]
    for kind in KINDS:
        assert abs(sum(kind in each for each in drawn) / 2000 - getattr(rates, kind)) < 0.05


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_changes_only_its_own_part_of_a_scene(kind):
    before, after = only(kind, size=320)
    assert json.dumps(after.factors()) == json.dumps(only(kind, size=320)[1].factors())
    changed = differing(before, after)
    assert changed
    assert all(name.startswith(OWN[kind]) for name in changed), changed


@pytest.mark.parametrize("kind", KINDS)
def test_leaving_one_kind_out_keeps_the_others(kind):
    everything = Variety(*(1.0 for _ in KINDS))
    legal = OWN[kind] + FOLLOWS.get(kind, ())
    ever = set()
    for index in range(12):
        scene = sample_scene(4, "training", index, 320)
        full, less = (varied(scene, 4, rates) for rates in (everything, replace(everything, **{kind: 0.0})))
        changed = differing(full, less)
        assert changed
        assert all(name.startswith(legal) for name in changed), changed
        ever |= changed
    assert all(any(name.startswith(own) for name in ever) for own in legal)


@pytest.mark.parametrize("index", range(6))
def test_an_object_is_no_part_of_the_hand_and_hides_points_behind_it(index):
    bare, scene = only("objects", index)
    hand = tag_hand(scene)
    plain, image = render_hand(bare, hand), render_hand(scene, hand)
    thing = (image.part == 0) & (image.depth_m > 0)
    np.testing.assert_array_equal(plain.part > 0, plain.depth_m > 0)
    assert thing.any()
    # Where the hand is still visible nothing changes, and the object is nearer than the points that it hides.
    hand_px = image.part > 0
    np.testing.assert_array_equal(image.depth_m[hand_px], plain.depth_m[hand_px])
    hides = thing & (plain.part > 0)
    assert (image.depth_m[hides] < plain.depth_m[hides]).all()
    visible, was = visible_joints(hand, image), visible_joints(hand, plain)
    assert not (visible & ~was).any()
    column, row = np.round(hand.label_px).astype(int).T.clip(0, SIZE - 1)
    before = thing[row, column] & (image.depth_m[row, column] < hand.label_m[:, 2])
    np.testing.assert_array_equal(visible, was & ~before)


def test_another_hand_has_no_labels():
    bare, scene = only("other_hand", 2)
    hand = tag_hand(scene)
    plain, image = render_hand(bare, hand), render_hand(scene, hand)
    np.testing.assert_array_equal(plain.part, image.part)
    np.testing.assert_array_equal(plain.depth_m, image.depth_m)
    assert (plain.rgb != image.rgb).any()


def test_jewellery_lifts_a_part_of_the_skin_by_millimetres():
    model = HandModel.load()
    for seed in range(8):
        lift = band_offset(model, sample_jewellery(np.random.default_rng(seed)))
        assert 0 < (lift > 0).mean() < 0.2
        assert lift.max() < 0.0035


def test_children_are_smaller_and_fill_the_box():
    smaller = 0
    for index in range(12):
        before, after = only("ages", index)
        if (before.identity == after.identity).all():
            assert after.look.skin.veins > 0
            continue
        smaller += bone_m(after.identity) < 0.033
        joints = tag_hand(after).xyz_m
        bone_px = after.K[0, 0] * np.linalg.norm(joints[12] - joints[11]) / after.palm_m[2]
        np.testing.assert_allclose(after.box[2], 7.2 * bone_px, rtol=1e-4)
        u, v, w = after.K @ after.palm_m
        np.testing.assert_allclose((u / w, v / w), after.box[:2], atol=1e-9)
    assert smaller > 0


def test_a_coarse_sensor_blurs_neighbouring_pixels():
    light = np.random.default_rng(0).random((64, 64, 3), dtype=np.float32)
    fine, coarse = (develop(light, replace(PLAIN, resolution=share)) for share in (1.0, 0.25))
    steps = [np.abs(np.diff(image.astype(float), axis=1)).mean() for image in (fine, coarse)]
    assert coarse.shape == fine.shape
    assert steps[1] < 0.2 * steps[0]


@pytest.mark.parametrize("across", [1.0, 0.15])
def test_an_object_is_a_closed_superellipsoid(across):
    points, e, f = unit_thing(across, 0.25).astype(float), across, 0.25
    x, y, z = np.abs(points).T
    value = (y ** (2 / e) + z ** (2 / e)) ** (e / f) + x ** (2 / f)
    np.testing.assert_allclose(value, 1, atol=1e-3)
    a, b, c = points[thing_faces()].transpose(1, 0, 2)
    assert np.einsum("ni,ni->n", a, np.cross(b, c)).sum() > 0


def test_a_held_object_is_on_the_side_of_the_palm_of_either_hand():
    scenes = (only("objects", index)[1] for index in range(20))
    scene, thing = next((s, s.look.thing) for s in scenes if s.look.thing and s.look.thing.held)
    for side in ("left", "right"):
        hand = tag_hand(replace(scene, side=side))
        middle = place_thing(thing, hand.xyz_m, side == "left").mean(0)
        assert middle[2] < hand.xyz_m[12, 2]  # the tag shows the palm


def test_rates_and_names_are_checked():
    assert Variety.without() == EVERYTHING
    with pytest.raises(HandsError, match='unknown variety "rings"'):
        Variety.without("rings")
    with pytest.raises(HandsError, match=r"variety ages is 2\.0"):
        check_variety(replace(NONE, ages=2.0))
