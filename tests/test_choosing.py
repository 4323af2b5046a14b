"""Choosing the side of a hand: which crops are read as which side, and what decides."""

from dataclasses import replace
from itertools import product

import pytest
import torch
from found_hands import BOX, OTHER, Found, detection
from tiny_models import PLACEMENT, noise_image, tiny_model

from latent_hands.configuration import SideRule
from latent_hands.predictor import HandCrop, Model
from latent_hands.predictor.cameras import camera_of_image
from latent_hands.predictor.candidates import Candidate, Reader, read_candidates
from latent_hands.predictor.choosing import OPPOSITE, choose, sides_of_pair
from latent_hands.predictor.hand import HANDEDNESS
from latent_hands.predictor.judging import HandRules, log_odds, right_probability
from latent_hands.predictor.reading import Glance, Reading

SIDES = ("left", "right")
MIRRORED = {"left": "right", "right": "left"}
THIRD = (4.0, 34.0, 14.0, 14.0)


@pytest.fixture
def model() -> Model:
    model = tiny_model(PLACEMENT, frame="ray")
    rule = SideRule(detector=1.0, side=0.0, spread=0.0)
    model.experiment = replace(model.experiment, handedness=rule)
    return model


def probabilities(right: float) -> dict:
    return {"left": 1 - right, "right": right}


def test_the_sides_of_a_pair_are_the_most_probable_ones():
    for first, second in product((0.1, 0.4, 0.55, 0.85), (0.2, 0.45, 0.65, 0.95)):
        joint = {
            (a, b): probabilities(first)[a]
            * probabilities(second)[b]
            * (OPPOSITE if a != b else 1 - OPPOSITE)
            for a, b in product(SIDES, repeat=2)
        }
        found = sides_of_pair(probabilities(first), probabilities(second))
        assert joint[found] == max(joint.values())
        mirrored = sides_of_pair(probabilities(1 - first), probabilities(1 - second))
        assert mirrored == tuple(MIRRORED[side] for side in found)


def test_a_side_that_was_not_read_is_not_chosen():
    assert sides_of_pair({"right": 1.0}, {"right": 1.0}) == ("right", "right")
    assert sides_of_pair({"right": 1.0}, probabilities(0.6)) == ("right", "left")
    assert sides_of_pair({"right": 1.0}, probabilities(0.85)) == ("right", "right")


@pytest.mark.parametrize(("right", "side"), [(0.6, "left"), (0.85, "right")])
def test_the_second_hand_of_an_image_is_of_the_other_side_unless_it_looks_like_the_same(model, right, side):
    model.detector = Found(detection(BOX, 0.99), detection(OTHER, right))
    assert [hand.handedness for hand in model.find(noise_image())] == ["right", side]


def test_one_hand_three_hands_and_given_sides_are_decided_alone(model):
    image, uncertain = noise_image(), detection(OTHER, 0.6)
    model.detector = Found(uncertain)
    assert [hand.handedness for hand in model.find(image)] == ["right"]
    model.detector = Found(detection(BOX, 0.99), uncertain, detection(THIRD, 0.99, 0.5))
    assert [hand.handedness for hand in model.find(image)] == ["right"] * 3
    model.detector = Found(detection(BOX, 0.99), uncertain)
    assert [hand.handedness for hand in model.find(image, handedness="right")] == ["right"] * 2


class Scripted(Reader):
    """Readings that state these log-odds of a right hand: at first, and when the crop is read again."""

    crop = HandCrop

    def __init__(self, first: float, again: float):
        self.odds, self.wanted = (first, again), []

    def measures(self, name: str) -> bool:
        return name == "side"

    def glance(self, crops):
        return Glance([self.reading(crop, self.odds[0]) for crop in crops], {})

    def read_again(self, first, wanted):
        self.wanted += [side for _, side in wanted]
        return [
            self.reading(replace(first.readings[i].crop, handedness=side), self.odds[1]) for i, side in wanted
        ]

    def read_twice(self, crops):
        raise AssertionError("a model that decodes the side reads first, and then again")

    def reading(self, crop: HandCrop, odds: float) -> Reading:
        return Reading(crop, {"side": torch.tensor([odds if crop.handedness == "right" else -odds])})


@pytest.mark.parametrize("detected", [0.02, 0.6, 0.98])
@pytest.mark.parametrize(
    ("first", "again", "wanted"),
    [
        (6.0, 6.0, ["right"]),
        (-6.0, -6.0, ["left"]),
        (0.5, 6.0, ["left", "right"]),
        (6.0, 0.5, ["right", "left"]),
        (6.0, -6.0, ["right", "left"]),
        (-6.0, 6.0, ["left", "right"]),
    ],
)
def test_a_hand_is_read_as_the_other_side_too_where_a_reading_doubts_its_side(first, again, wanted, detected):
    rgb, reader = noise_image(), Scripted(first, again)
    rule = SideRule(detector=0.1, side=0.8, glance=0.2, spread=0.0)
    rules = HandRules(32, "camera", "rhd", rule)
    sought = [Candidate(BOX, HANDEDNESS, detected, 0.9)]
    (readings,) = read_candidates(reader, rules, rgb, camera_of_image(rgb, rgb.shape[:2]), sought, None)
    assert reader.wanted == wanted
    assert set(readings.by_side) == set(wanted)
    assert readings.glanced == pytest.approx(first)
    chosen = choose(readings, detected, rule).crop.handedness
    assert chosen == ("right" if again > 0 else "left")


def test_the_log_odds_of_a_side_are_added_up():
    crops = {side: HandCrop.open(noise_image(), side, BOX) for side in HANDEDNESS}
    readings = {
        "left": Reading(crops["left"], {"side": torch.tensor([-1.0])}),
        "right": Reading(crops["right"], {"side": torch.tensor([2.0])}),
    }
    rule = SideRule(detector=0.5, side=2.0, glance=1.0, spread=0.0)

    def odds(*given) -> float:
        return log_odds(right_probability(rule, *given))

    assert odds(readings, 0.5) == pytest.approx(3 * 1.5)
    assert odds(readings, 0.5, -1.0) == pytest.approx(2 * 1.5 - 1)
    assert odds({"left": readings["left"]}, 0.5, -1.0) == pytest.approx(2 - 1)
    assert odds(readings, 0.6, 0.0) == pytest.approx(2 * 1.5 + 0.5 * log_odds(0.6))
