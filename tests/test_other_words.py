"""Words of other tools: the errors of unknown attributes name what to use here."""

import copy
import pickle
import re

import numpy as np
import pytest
from tiny_models import ESTIMATION, noise_image, tiny_model

import latent_hands as lh
from latent_hands.other_words import HAND, MODEL, MODULE


@pytest.fixture(scope="module")
def model() -> lh.Model:
    return tiny_model(ESTIMATION)


@pytest.fixture(scope="module")
def hand(model: lh.Model) -> lh.Hand:
    return model.estimate(lh.HandCrop.open(noise_image()))


def test_every_word_names_what_to_use(hand, model):
    for owner, words in ((hand, HAND), (model, MODEL), (lh, MODULE)):
        for word, use in words.items():
            with pytest.raises(AttributeError, match=f"no attribute '{word}'; use {re.escape(use)}"):
                getattr(owner, word)


def test_what_to_use_exists(hand, model):
    for owner, words in ((hand, HAND), (model, MODEL)):
        for use in words.values():
            name = re.match(r"lh\.(\w+)|model\.(\w+)|(\w+)", use)
            assert name
            if use != "the command latent-hands publish":
                assert hasattr(lh if name[1] else model if name[2] else owner, name[name.lastindex or 0])
        named = {name for use in words.values() for name in re.findall(r"lh\.(\w+)", use)}
        assert named <= set(lh.__all__)
    assert {name for use in MODULE.values() for name in re.findall(r"lh\.(\w+)", use)} <= set(lh.__all__)


def test_other_names_have_the_error_of_python(hand, model):
    for owner, name in ((hand, "score_"), (model, "fnd")):
        with pytest.raises(AttributeError, match=rf"object has no attribute '{name}'$") as raised:
            getattr(owner, name)
        assert (raised.value.name, raised.value.obj) == (name, owner)  # from which Python guesses


def test_a_hand_is_no_dict_and_no_list(hand):
    for key in ("uv_px", 8):
        with pytest.raises(TypeError, match=r"not subscriptable; write hand.uv_px, or hand.uv_px\[8\]"):
            hand[key]
    with pytest.raises(TypeError, match="not iterable"):
        iter(hand)
    assert np.asarray([hand, hand]).shape == (2,)


def test_hands_are_still_copied_and_pickled(hand):
    for again in (copy.copy(hand), copy.deepcopy(hand), pickle.loads(pickle.dumps(hand))):
        assert again.to_json() == hand.to_json()
    assert not hasattr(hand, "joints")
