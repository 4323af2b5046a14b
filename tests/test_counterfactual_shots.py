"""Shots of a group: an image changes only where the exchanged factor is visible."""

import dataclasses
import json

import numpy as np
import pytest
from scipy.ndimage import binary_dilation

from latent_hands.data.readers.counterfactual import FACTORS
from latent_hands.errors import HandsError

pytest.importorskip("warp", reason="warp-lang is not installed: pip install 'latent-hands[render]'")

from latent_hands.rendering.sets import counterfactual
from latent_hands.rendering.sets.counterfactual import Framing, draw_block, draw_group, take
from latent_hands.rendering.sets.shots import render_hand

SCENE_SIZE = (0.85, 1.0)


@pytest.fixture(scope="module")
def group():
    return draw_group(0, "training", 0, Framing(64, SCENE_SIZE))


def clean(shot):
    """Return the shot by a camera with the same noise, without blur and compression."""
    sensor = shot.scene.look.sensor
    sensor = dataclasses.replace(sensor, blur_px=0.0, motion_px=0.0, quality=101, noise=5.0)
    return dataclasses.replace(shot, scene=shot.scene.with_look(sensor=sensor))


def rendered(shot):
    return render_hand(shot.scene, shot.hand())


def changed_pixels(first, second):
    return (first.rgb != second.rgb).any(-1)


def grown(mask, px=1):
    return binary_dilation(mask, np.ones((2 * px + 1, 2 * px + 1)))


def test_pixels_beyond_both_hands_do_not_change_with_the_hand(group):
    """The hand casts no shadow behind it, so the tolerance is 0; edges are smoothed over one pixel."""
    anchor = rendered(clean(group["anchor"]))
    for factor in ("pose", "viewpoint", "identity", "skin", "light"):
        other = rendered(clean(group[factor]))
        changed = changed_pixels(anchor, other)
        assert changed.any()
        assert not (changed & ~grown((anchor.part > 0) | (other.part > 0))).any()


def test_pixels_inside_the_hand_do_not_change_with_the_background(group):
    anchor, other = (rendered(clean(group[role])) for role in ("anchor", "background"))
    changed = changed_pixels(anchor, other)
    inside = ~grown(anchor.part == 0)
    assert inside.any()
    assert not (changed & inside).any()
    assert changed[anchor.part == 0].mean() > 0.9


def test_changes_reach_no_farther_than_blur_and_compression(group):
    """Motion blur reaches half its length, the lens 6 px here, and JPEG its blocks and 2 px more."""
    sensor = dataclasses.replace(
        group["anchor"].scene.look.sensor, blur_px=0.7, motion_px=4.0, motion_deg=30.0, quality=70
    )

    def taken(shot):
        return rendered(dataclasses.replace(shot, scene=shot.scene.with_look(sensor=sensor)))

    anchor, other = taken(group["anchor"]), taken(group["skin"])
    near = grown(anchor.part > 0, 1 + 6 + 2)
    blocks = near.reshape(4, 16, 4, 16).any((1, 3)).repeat(16, 0).repeat(16, 1)
    changed = changed_pixels(anchor, other)
    assert changed.any()
    assert not (changed & ~grown(blocks, 2)).any()


def test_taking_a_factor_twice_is_taking_it_once_and_taking_it_back_restores(group):
    anchor, donor = group["anchor"], group["donor"]
    for factor in FACTORS:
        once = take(anchor, donor, factor)
        assert record(take(once, donor, factor)) == record(once)
        assert record(take(once, anchor, factor)) == record(anchor)


def record(shot):
    return json.dumps([shot.scene.factors(), shot.articulation.to_json(), shot.record()])


def test_defocus_changes_the_blur_of_backgrounds_alone_and_moves_with_them():
    sharp, soft = (
        draw_group(0, "training", 0, Framing(64, SCENE_SIZE, defocus=d)) for d in (None, (0.06, 0.12))
    )
    blurs = {role: shot.scene.look.background.blur for role, shot in soft.items()}
    changed = {blurs["background"], blurs["donor"]}
    kept = {blur for role, blur in blurs.items() if role not in ("background", "donor")}
    assert len(changed) == len(kept) == 1
    assert all(0.06 <= blur <= 0.12 for blur in blurs.values())
    for role, shot in soft.items():
        blur = sharp[role].scene.look.background.blur
        background = dataclasses.replace(shot.scene.look.background, blur=blur)
        as_sharp = dataclasses.replace(shot, scene=shot.scene.with_look(background=background))
        assert record(as_sharp) == record(sharp[role])


def test_scenes_that_no_pose_fits_are_refused(monkeypatch):
    monkeypatch.setattr(counterfactual, "arm_fits", lambda scene, hand: False)
    with pytest.raises(HandsError, match="none of 20 poses fits"):
        draw_block(0, "training", 0, Framing(64, SCENE_SIZE))
