"""Spreads of estimates: draws from the posterior."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from tiny_models import ESTIMATION, noise_image, tiny_model

from latent_hands.configuration import Sampling
from latent_hands.errors import HandsError
from latent_hands.predictor import Hand, HandCrop, Model


def test_numbers_have_the_digits_that_they_are_rounded_to():
    text = tiny_model(ESTIMATION).estimate(HandCrop.open(noise_image()), draws=4).to_json()
    assert max(len(digits) for digits in re.findall(r"\d\.(\d+)", text)) <= 6
    for digits in re.findall(r"\d\.(\d+)", json.dumps(json.loads(text)["xyz_mm"])):
        assert len(digits) <= 3


@pytest.fixture(scope="module")
def model() -> Model:
    return tiny_model(ESTIMATION)


def test_draws_tell_how_far_joints_spread_and_change_nothing_else(model):
    image = HandCrop.open(noise_image(), bone_mm=50.0)
    plain, drawn = (model.estimate(image, draws=n) for n in (0, 16))
    assert plain.spread_mm is plain.spread is None
    assert drawn.spread_mm.shape == (21,)
    assert (drawn.spread_mm > 0).all()
    np.testing.assert_allclose(drawn.spread_mm, 50 * drawn.spread)
    np.testing.assert_allclose(plain.pose, drawn.pose, atol=1e-5)  # decoded in batches of other sizes
    np.testing.assert_array_equal(model.estimate(image, draws=16).spread, drawn.spread)
    np.testing.assert_allclose(Hand.from_json(drawn.to_json()).spread, drawn.spread, atol=1e-5)
    assert Hand.from_json(plain.to_json()).spread is None


def test_the_spread_is_that_of_the_posterior(model):
    """A nearly certain posterior has nearly none; and many draws agree about it."""
    image = HandCrop.open(noise_image())
    few, many = (model.estimate(image, draws=n).spread for n in (400, 1600))
    np.testing.assert_allclose(few, many, rtol=0.25)
    wide, certain = (
        Model(model.vae, replace(model.experiment, sampling=Sampling(temperature=t))) for t in (3.0, 0.01)
    )
    assert (wide.estimate(image, draws=400).spread > 1.5 * few).all()
    assert (certain.estimate(image, draws=400).spread < 0.05 * few).all()


@pytest.mark.parametrize("side", ["mirror", "condition"])
def test_the_spread_of_a_right_hand(side):
    model, image = tiny_model(ESTIMATION, right_hands=side), noise_image()
    right = model.estimate(HandCrop.open(image[:, ::-1].copy(), "right"), draws=4)
    left = model.estimate(HandCrop.open(image), draws=4)
    assert np.allclose(right.spread, left.spread) == (side == "mirror")


def test_one_draw_has_no_spread(model):
    with pytest.raises(HandsError, match="draws is 1, but must be 2 to 10,000"):
        model.estimate(HandCrop.open(noise_image()), draws=1)
