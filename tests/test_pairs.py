"""Two hands in an image are mostly a left and a right one, which decides uncertain sides."""

from dataclasses import replace
from itertools import product

import pytest
from found_hands import BOX, OTHER, Found, detection
from tiny_models import PLACEMENT, noise_image, tiny_model

from latent_hands.configuration import SideRule
from latent_hands.predictor import Model
from latent_hands.predictor.choosing import OPPOSITE, sides_of_pair

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
