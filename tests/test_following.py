"""Following hands: identities, sides over time, lost tracks, causality."""

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
from followed_hands import True_, World, follower_of, line, tracks
from tiny_models import PLACEMENT, tiny_model

from latent_hands.hand.boxes import crop_of_box
from latent_hands.predictor.hand_crop import HandCrop
from latent_hands.predictor.judging import right_probability
from latent_hands.predictor.measuring import NOISE_SHARE


@pytest.fixture
def run(monkeypatch):
    return follower_of(monkeypatch)


def test_identities_do_not_depend_on_the_order_of_detections(run):
    two = list(zip(line(60, 260, 31), line(250, 60, 31, y=160.0), strict=True))
    ways = [list(run(World(two, order=order))) for order in (1, -1)]
    for frames in ways:
        assert all(sorted(numbers) == [1, 2] for numbers in tracks(frames))
    for number in (1, 2):
        paths = [
            [next(hand.uv_px[0] for hand in hands if hand.track == number) for hands in frames]
            for frames in ways
        ]
        np.testing.assert_array_equal(*paths)
        assert np.abs(np.diff(paths[0], axis=0)).max() < 10


def test_hands_that_cross_keep_their_numbers(run):
    left, right = line(60, 260, 41), line(260, 60, 41, y=160.0, side="right")
    frames = list(run(World(list(zip(left, right, strict=True)))))
    for hands, a, b in zip(frames, left, right, strict=True):
        found = {hand.track: (hand.uv_px[0, 0], hand.handedness) for hand in hands}
        first = found[1] if frames[0][0].handedness == "left" else found[2]
        second = found[2] if frames[0][0].handedness == "left" else found[1]
        assert first == (pytest.approx(a.uv_px[0, 0], abs=1), "left")
        assert second == (pytest.approx(b.uv_px[0, 0], abs=1), "right")


@pytest.mark.parametrize(("away", "second"), [(5, 1), (30, 2)])
def test_a_hand_that_returns_soon_keeps_its_number(run, away, second):
    hand = True_(100)
    frames = tracks(run(World([(hand,)] * 12 + [()] * away + [(hand,)] * 12)))
    assert frames[:12] == [[1]] * 12
    assert frames[12 + away :] == [[second]] * 12
    assert all(not numbers for numbers in frames[12 : 12 + away])


def test_a_fast_hand_keeps_its_number(run):
    frames = tracks(run(World([(hand,) for hand in line(20, 300, 8)])))
    assert frames == [[1]] * 8


def test_hands_are_detected_only_at_the_start_every_tenth_frame_and_when_lost(run):
    world = World([(True_(100),)] * 25)
    list(run(world))
    assert world.detections == 3
    world = World([(True_(100),)] * 5 + [()] * 4)
    list(run(world))
    assert world.detections == 1 + 4


def test_at_most_so_many_hands_are_followed(run):
    world = World([(True_(60), True_(160), True_(260))] * 3)
    assert [len(hands) for hands in run(world)] == [2, 2, 2]
    assert [len(hands) for hands in run(world, max_hands=3)] == [3, 3, 3]


@pytest.mark.parametrize("detected", [0.2, 0.45, 0.55, 0.8])
@pytest.mark.parametrize("side", ["left", "right"])
def test_the_first_frame_has_the_side_that_find_gives_it(run, side: str, detected: float):
    world = World([(True_(100, side=side),)], right=detected)
    (followed,) = next(run(world))
    model = tiny_model(PLACEMENT, frame="ray")
    readings = {p.handedness: world.read(model, [p])[0] for p in photos_of_both_sides(world)}
    rule = model.experiment.handedness
    assert (followed.handedness == "right") == (right_probability(rule, readings, detected) > 0.5)


def photos_of_both_sides(world: World) -> list[HandCrop]:
    """Return the crop of the hand in the first frame, as that of a left and of a right hand."""
    rgb = next(world.images())
    crop = crop_of_box(world.detect(rgb)[0].box_px)
    return [HandCrop(rgb, side, crop, None, None) for side in ("left", "right")]


def test_the_side_is_decided_over_time_and_then_stays(run):
    frames = list(run(World([(True_(100),)] * 30, right=0.7)))
    sides = [hands[0].handedness for hands in frames]
    assert sides[-1] == "left"
    assert sides == sorted(sides, reverse=True)
    assert {hands[0].track for hands in frames} == {1}
    given = list(run(World([(True_(100),)] * 3), handedness="right"))
    assert [hands[0].handedness for hands in given] == ["right"] * 3


@pytest.mark.parametrize("smooth", ["none", "online"])
def test_the_future_does_not_matter(run, smooth):
    moving = [(hand,) for hand in line(80, 200, 20)]
    other = moving[:12] + [()] * 8
    long, short = (list(run(World(each, noise=0.3), smooth=smooth)) for each in (moving, other))
    for a, b in islice(zip(long, short, strict=True), 12):
        assert a[0].to_json() == b[0].to_json()


@pytest.mark.parametrize("smooth", ["online", "offline"])
def test_smoothed_palms_follow_a_line_and_lose_noise(run, smooth):
    rng = np.random.default_rng(0)
    clean = np.linspace(80, 120, 40)
    noisy = [(True_(x + rng.normal(0, 0.5)),) for x in clean]
    offset = True_(0).uv_px[0, 0]
    spread = 0.06 / NOISE_SHARE["palm"] ** 0.5  # of which 0.06 is noise of one frame
    found = np.array(
        [hands[0].uv_px[0, 0] - offset for hands in run(World(noisy, uv_spread=spread), smooth=smooth)]
    )
    raw = np.array([hands[0].x for hands in noisy])
    assert np.abs(found - clean).max() < 4
    assert np.abs(np.diff(found, 2)).mean() < np.abs(np.diff(raw, 2)).mean() / 2


def test_a_hand_at_rest_stays_where_it_is(run):
    frames = [
        list(run(World([(True_(100),)] * 8), smooth=smooth)) for smooth in ("online", "offline", "none")
    ]
    for hands in zip(*frames, strict=True):
        for hand in hands:
            np.testing.assert_allclose(hand[0].uv_px[0], True_(100).uv_px[0], atol=1e-2)


def test_the_crop_stays_while_it_is_right(run):
    """Noise of the joints does not move the crop, and so adds no noise to the next joints."""
    rng = np.random.default_rng(0)
    noisy = [(True_(100 + rng.normal(0, 0.3), 100 + rng.normal(0, 0.3)),) for _ in range(12)]
    crops = [hands[0].crop_px for hands in run(World(noisy))]
    assert len(set(crops[1:])) == 1
    crops = [hands[0].crop_px[0] for hands in run(World([(hand,) for hand in line(60, 260, 31)]))]
    assert np.ptp(np.diff(crops[5:])) < 12
    assert crops[-1] - crops[0] == pytest.approx(200, abs=5)


@pytest.mark.parametrize("overshoot", [-0.5, 0.5, 0.9])
def test_the_crop_comes_to_rest_if_the_network_measures_its_shift_wrongly(run, overshoot: float):
    """A crop that was corrected fully would be corrected back in the next frame, and so on."""
    crops = [hands[0].crop_px for hands in run(World([(True_(100),)] * 30, overshoot=overshoot))]
    assert len(set(crops[15:])) == 1


def test_no_hand_is_followed_twice(run):
    world = World([(True_(100),)] * 12)
    detect = world.detect

    def doubled(rgb):
        return [*detect(rgb), *(replace(each, score=0.5) for each in detect(rgb))]

    world.detect = doubled
    assert tracks(run(world)) == [[1]] * 12
