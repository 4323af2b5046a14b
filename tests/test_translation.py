"""Poses translated between joint conventions."""

import pytest
import torch

from latent_hands.errors import HandsError
from latent_hands.hand.conventions import CONVENTIONS
from latent_hands.hand.geometry import mirror, normalise
from latent_hands.hand.translation import in_convention, random_points, translate


@pytest.fixture(scope="module")
def points():
    return random_points(40, seed=1)  # others than those of the fit


def pose(points, convention):
    return normalise(in_convention(points, convention))


@pytest.mark.parametrize("target", CONVENTIONS)
def test_hands_never_seen_are_translated_to_a_few_millimetres(points, target):
    here, _ = pose(points, "rhd")
    there, bone_mm = pose(points, target)
    left = (translate(here, "rhd", target) - there).norm(dim=-1) * bone_mm[:, None]
    before = (here - there).norm(dim=-1) * bone_mm[:, None]
    assert left.mean() < 1.5
    assert left.mean() < before.mean() / 4 or target == "rhd"


def test_into_its_own_convention_nothing_moves(points):
    here, _ = pose(points, "stb")
    torch.testing.assert_close(translate(here, "stb", "stb"), here, rtol=0, atol=1e-6)


def test_a_turned_hand_is_translated_turned_and_a_right_hand_as_its_mirror_image(points):
    here = pose(points, "rhd")[0]
    turn = torch.linalg.qr(torch.randn(3, 3, dtype=here.dtype, generator=torch.Generator().manual_seed(0)))[0]
    turn = turn * turn.det()
    there = translate(here, "rhd", "ge2019")
    torch.testing.assert_close(translate(here @ turn, "rhd", "ge2019"), there @ turn)
    right = torch.ones(len(here), dtype=torch.bool)
    torch.testing.assert_close(translate(mirror(here), "rhd", "ge2019", right), mirror(there))


def test_an_unknown_convention_is_named():
    with pytest.raises(HandsError, match='"mano"'):
        translate(torch.randn(1, 21, 3), "rhd", "mano")
