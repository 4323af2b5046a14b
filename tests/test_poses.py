"""Articulations: within limits, without collision, reproducible, varied."""

import json

import numpy as np
import pytest

from latent_hands.errors import HandsError
from latent_hands.hand.rig.articulation import Articulation, blend, neutral
from latent_hands.hand.rig.collision import penetration_mm, segment_distance
from latent_hands.hand.rig.limits import (
    FINGER_LIMITS_DEG,
    FIST_FLEXION_DEG,
    THUMB_LIMITS_DEG,
    WRIST_LIMITS_DEG,
    closure,
    within_limits,
)
from latent_hands.hand.rig.natural import Mixture
from latent_hands.hand.rig.poses import TOUCH_MM, claws, gestures, sample_articulation, with_wrist


def draws(count: int, seed: int = 0) -> list[Articulation]:
    rng = np.random.default_rng(seed)
    return [sample_articulation(rng) for _ in range(count)]


def test_draws_keep_limits_and_do_not_collide():
    for a in draws(200):
        assert ((a.fingers >= FINGER_LIMITS_DEG[:, 0]) & (a.fingers <= FINGER_LIMITS_DEG[:, 1])).all()
        assert ((a.thumb >= THUMB_LIMITS_DEG[:, 0]) & (a.thumb <= THUMB_LIMITS_DEG[:, 1])).all()
        assert ((a.wrist >= WRIST_LIMITS_DEG[:, 0]) & (a.wrist <= WRIST_LIMITS_DEG[:, 1])).all()
        pip, dip = a.fingers[:, 2:].T
        assert (dip <= 0.75 * pip + 8 + 1e-9).all()
        assert (dip >= 0.35 * pip - 5 - 1e-9).all()
        assert penetration_mm(a) < TOUCH_MM


def test_draws_follow_the_seed_alone():
    for a, b in zip(draws(20), draws(20), strict=True):
        np.testing.assert_array_equal(a.flat(), b.flat())
    assert not np.array_equal(draws(1)[0].flat(), draws(1, seed=1)[0].flat())


def test_draws_fill_the_range_of_every_joint():
    angles = np.stack([a.fingers for a in draws(400)])
    low, high = np.percentile(angles, [5, 95], axis=0)
    assert (low[:, [0, 2]] < 10).all()
    assert (high[:, [0, 2]] > 60).all()
    fallback = neutral().fingers
    assert np.mean([np.array_equal(a, fallback) for a in angles]) < 0.01


def test_gestures_are_within_limits_without_collision():
    table = gestures()
    assert len(table) >= 39
    for name, gesture in table.items():
        np.testing.assert_allclose(within_limits(gesture).flat(), gesture.flat(), atol=0.15, err_msg=name)
        assert penetration_mm(gesture) < TOUCH_MM, name
    assert penetration_mm(neutral()) < 0


def test_a_thumb_in_the_fingers_is_a_collision():
    fist = gestures()["fist"]
    through = Articulation(fist.fingers, np.array([45.0, 16, 0, 58, 0]), fist.arch, fist.wrist)
    assert penetration_mm(through) > TOUCH_MM


def test_limits_are_idempotent():
    rng = np.random.default_rng(0)
    for _ in range(50):
        once = within_limits(Articulation.from_flat(rng.normal(0, 60, 24)))
        twice = within_limits(once)
        np.testing.assert_allclose(
            np.delete(twice.flat(), [1, 5, 9, 13]), np.delete(once.flat(), [1, 5, 9, 13])
        )
        assert (np.abs(twice.fingers[:, 1]) <= np.abs(once.fingers[:, 1]).max() + 1e-9).all()


def test_blend_ends_at_both_and_is_linear():
    a, b = draws(2)
    np.testing.assert_allclose(blend(a, b, 0.0).flat(), a.flat())
    np.testing.assert_allclose(blend(a, b, 1.0).flat(), b.flat())
    np.testing.assert_allclose(blend(a, b, 0.3).flat(), blend(b, a, 0.7).flat())


def test_articulation_survives_json():
    (a,) = draws(1)
    record = json.loads(json.dumps(a.to_json()))
    np.testing.assert_array_equal(Articulation.from_json(record).flat(), a.flat())
    with pytest.raises(HandsError, match="thumb must be given with the shape"):
        Articulation.from_json(record | {"thumb": [1.0]})


def test_segment_distances_against_a_dense_search():
    rng = np.random.default_rng(0)
    a, b, c, d = rng.normal(size=(4, 40, 3))
    s = np.linspace(0, 1, 200)[:, None, None]
    one, two = a + s * (b - a), c + s * (d - c)
    dense = np.linalg.norm(one[:, None] - two[None], axis=-1).min((0, 1))
    np.testing.assert_allclose(segment_distance(a, b, c, d), dense, atol=0.02)


def test_wrists_stay_in_an_ellipse_and_a_fist_flexes_less():
    rng = np.random.default_rng(0)
    assert WRIST_LIMITS_DEG[0].sum() == 0
    middle, half = WRIST_LIMITS_DEG.mean(1), np.diff(WRIST_LIMITS_DEG)[:, 0] / 2
    opened, fist = gestures()["open"], gestures()["fist"]
    wrists = {name: [with_wrist(a, rng, 4.0).wrist for _ in range(300)] for name, a in gestures().items()}
    for each in wrists.values():
        assert (np.linalg.norm((each - middle) / half, axis=1) <= 1 + 1e-9).all()
    flexion = [np.max(wrists[name], 0)[0] for name in ("open", "fist")]
    expected = FIST_FLEXION_DEG * (closure(fist) - closure(opened))
    np.testing.assert_allclose(flexion[0] - flexion[1], expected, atol=3)


def test_bases_and_middles_of_fingers_bend_together_as_in_photographs():
    """In 15,000 labelled photographs (STB) the correlation is 0.75, and 2.6 % of the fingers are claws."""
    hands = draws(600)
    mcp, pip = np.stack([a.fingers for a in hands])[..., [0, 2]].reshape(-1, 2).T
    assert np.corrcoef(mcp, pip)[0, 1] > 0.65
    assert np.mean([claws(a) for a in hands]) / 4 < 0.04


def test_natural_draws_have_the_mean_of_their_mixture():
    mixture, rng = Mixture.load(), np.random.default_rng(0)
    drawn = np.mean([mixture.draw(rng).flat() for _ in range(4000)], axis=0)
    np.testing.assert_allclose(drawn[:22], mixture.share @ mixture.mean, atol=3)
    np.testing.assert_array_equal(drawn[22:], 0)
    variance = (mixture.directions**2).sum(1)
    assert (variance[:, :16].sum(1) > 0).all()
