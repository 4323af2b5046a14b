"""What is close to a hand: surfaces with its shadow, and objects that it holds."""

from dataclasses import replace

import numpy as np
import pytest
from skin_depth import height_above_skin_mm

pytest.importorskip("warp", reason="warp-lang is not installed: pip install 'latent-hands[render]'")

from latent_hands.hand.rig.articulation import neutral
from latent_hands.hand.rig.collision import penetration_mm
from latent_hands.hand.rig.model import HandModel
from latent_hands.hand.rig.poses import TOUCH_MM, sample_articulation
from latent_hands.rendering.grasp import closed_around
from latent_hands.rendering.looks.light import LAMPS, LUMINANCE, Light, environment, metered, sample_light
from latent_hands.rendering.looks.near_surface import DARKEST, KINDS, paint_surface, sample_near_surface
from latent_hands.rendering.looks.things import FORMS, grip, hand_axes, place_thing, sample_thing, thing_faces
from latent_hands.rendering.placed_hand import tag_hand
from latent_hands.rendering.rays.shadow import shadow
from latent_hands.rendering.rays.stage import stage
from latent_hands.rendering.scene import left_form, sample_scene
from latent_hands.rendering.sets.shots import render_hand
from latent_hands.rendering.variety import KINDS as VARIETY_KINDS
from latent_hands.rendering.variety import Variety, varied

SIZE = 64
BONES = np.array([5, 6, 9, 10, 13, 14, 17, 18])
"""Ends of the middle and last bones of the four fingers."""
NONE = Variety.without(*VARIETY_KINDS)


def on_a_surface(index=0, size=SIZE):
    scene = sample_scene(3, "training", index, size)
    return scene, varied(scene, 3, replace(NONE, surfaces=1.0))


def held_thing(rng, kind):
    things = (sample_thing(rng, np.array([0, 0, 0.5]), 0.1, np.eye(3)) for _ in range(400))
    return next(thing for thing in things if thing.kind == kind)


def shadow_of(scene, surface, hand):
    place = stage(HandModel.load())
    placed = place.place(hand.vertices_m, scene.side == "left", None)
    return shadow(place, placed, surface, scene.K.astype(np.float32), scene.look.light, SIZE)


def test_a_surface_changes_no_label():
    bare, scene = on_a_surface()
    hand = tag_hand(scene)
    plain, image = render_hand(bare, hand), render_hand(scene, hand)
    np.testing.assert_array_equal(plain.part, image.part)
    np.testing.assert_array_equal(plain.depth_m, image.depth_m)
    assert (plain.rgb != image.rgb).any()


@pytest.mark.parametrize("index", range(3))
def test_a_hand_takes_light_from_the_surface_and_adds_none(index):
    _, scene = on_a_surface(index)
    hand, surface = tag_hand(scene), scene.look.background.surface
    arrived = shadow_of(scene, surface, hand)
    assert DARKEST <= arrived.min() < arrived.max() <= 1 + 1e-6
    far = replace(surface, offset_m=surface.offset_m - 20.0)
    assert shadow_of(scene, far, hand).min() > 0.99


def test_a_shadow_is_darkest_at_contact():
    """The closer the surface, the more light from the room is lost behind the palm."""
    _, scene = on_a_surface()
    hand, surface = tag_hand(scene), scene.look.background.surface
    surface = replace(surface, normal=(0.0, 0.0, -1.0))
    darkest = []
    for distance_m in (0.05, 0.2, 0.6):
        there = replace(surface, offset_m=float(-scene.palm_m[2] - distance_m))
        darkest.append(shadow_of(scene, there, hand).mean(2).min())
    assert darkest[0] < darkest[1] < darkest[2]


@pytest.mark.parametrize("kind", KINDS)
def test_surfaces_are_images(kind):
    rng = np.random.default_rng(0)
    light = sample_light(rng, True)
    surface = replace(sample_near_surface(rng, np.array([0, 0, 0.5]), 0.4), kind=kind)
    image = paint_surface(surface, light, 48)
    assert image.shape == (48, 48, 3)
    assert image.dtype == np.float32
    assert ((image >= 0) & (image <= 1)).all()
    np.testing.assert_array_equal(image, paint_surface(surface, light, 48))
    np.testing.assert_allclose(np.linalg.norm(surface.normal), 1)


def test_a_meter_opens_the_lens_for_backlight():
    lamps = [Light(LAMPS, seed, 0.0, 0.0, 0.0, (1.0, 1.0, 1.0)) for seed in range(8)]
    for light in lamps:
        world = environment(light.place, light.seed)
        power = np.concatenate([world.power, world.sun_power[None]]) @ LUMINANCE
        towards = np.concatenate([world.directions, world.sun[None]])
        yaw = float(np.degrees(np.arctan2(*(power @ towards)[[0, 2]] * [1, -1])))
        behind, before = (metered(replace(light, yaw_deg=yaw + turn)) for turn in (180.0, 0.0))
        assert behind <= before


@pytest.mark.parametrize("kind", FORMS)
def test_fingers_close_around_an_object_and_do_not_enter_it(kind):
    rng = np.random.default_rng(0)
    thing = held_thing(rng, kind)
    for _ in range(4):
        identity = HandModel.load().sample_identity(rng)
        grasp = closed_around(thing, identity, sample_articulation(rng))
        joints = left_form(identity, grasp).astype(np.float32)
        if thing.grasp == "wrap":
            _, room = grip(joints, hand_axes(joints, True))
            assert room > 0.8 * thing.half_m[0]
            assert room < thing.half_m[0] + 0.02
        assert penetration_mm(grasp) < 2 * TOUCH_MM
        inner = np.concatenate([joints[1:], (joints[BONES] + joints[BONES + 1]) / 2])
        points = place_thing(thing, joints, True).astype(float)
        height_mm = height_above_skin_mm(inner, points, thing_faces())
        assert thing.grasp == "pinch" or height_mm.min() > -4  # a pen is thinner than a fingertip
        assert (height_mm < 35).sum() >= 3  # several joints are close to it


def test_a_grasp_keeps_the_wrist_and_a_little_of_the_drawn_pose():
    rng = np.random.default_rng(1)
    thing = held_thing(rng, "bottle")
    drawn = sample_articulation(rng)
    first, second = (closed_around(thing, np.zeros(12), pose) for pose in (drawn, neutral()))
    assert not np.array_equal(first.fingers, second.fingers)
    np.testing.assert_array_equal(first.flat(), closed_around(thing, np.zeros(12), drawn).flat())
