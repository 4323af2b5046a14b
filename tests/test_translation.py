"""Poses translated between joint conventions."""

import pytest
import torch

from latent_hands.errors import HandsError
from latent_hands.hand.conventions import CONVENTIONS, keypoints
from latent_hands.hand.geometry import mirror, normalise
from latent_hands.hand.translation import in_convention, random_points, translate, translate_labels


@pytest.fixture(scope="module")
def points():
    return random_points(40, seed=1)  # other hands than those of the fit


def pose(points, convention):
    return normalise(in_convention(points, convention))


@pytest.mark.parametrize("target", CONVENTIONS)
def test_hands_outside_the_fit_are_translated_to_a_few_millimetres(points, target):
    given, _ = pose(points, "rhd")
    translated, bone_mm = pose(points, target)
    after = (translate(given, "rhd", target) - translated).norm(dim=-1) * bone_mm[:, None]
    before = (given - translated).norm(dim=-1) * bone_mm[:, None]
    assert after.mean() < 1
    assert after.mean() < before.mean() / 3 or target == "rhd"


@pytest.mark.parametrize("source", CONVENTIONS)
def test_translated_labels_err_as_documented(source):
    hands = random_points(200, seed=7)

    def joints(convention):
        return torch.stack([torch.from_numpy(keypoints(each, convention)) for each in hands.numpy()])

    for target in CONVENTIONS:
        error_mm = (translate_labels(joints(source), source, target) - joints(target)).norm(dim=-1)
        assert error_mm.mean() < 0.3
        assert error_mm.max() < 7


def test_a_translation_into_the_same_convention_changes_nothing(points):
    given, _ = pose(points, "stb")
    torch.testing.assert_close(translate(given, "stb", "stb"), given, rtol=0, atol=1e-6)


def test_translation_commutes_with_rotations_and_mirror_images(points):
    given = pose(points, "rhd")[0]
    turn = torch.linalg.qr(torch.randn(3, 3, dtype=given.dtype, generator=torch.Generator().manual_seed(0)))[
        0
    ]
    turn = turn * turn.det()
    translated = translate(given, "rhd", "ge2019")
    torch.testing.assert_close(translate(given @ turn, "rhd", "ge2019"), translated @ turn)
    right = torch.ones(len(given), dtype=torch.bool)
    torch.testing.assert_close(translate(mirror(given), "rhd", "ge2019", right), mirror(translated))


def test_an_unknown_convention_is_named():
    with pytest.raises(HandsError, match='"mano"'):
        translate(torch.randn(1, 21, 3), "rhd", "mano")
