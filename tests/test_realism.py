"""Scores that blur cannot fool: closed forms of gradient energy, power spectrum, KID and diversity."""

import math

import pytest
import torch

from latent_hands.data.augmentation.appearance import blur
from latent_hands.studies.assess.image_quality import gradient_energy, score_images
from latent_hands.studies.assess.kernel_distance import BlockPairs, FeatureReader, noise_floor, realism
from latent_hands.studies.assess.spectrum import octaves, power, power_ratios

BLOCKS = torch.arange(8).repeat_interleave(2)


def noise(px: int = 32) -> torch.Tensor:
    return 2 * torch.rand(16, 3, px, px, generator=torch.Generator().manual_seed(0)) - 1


def features(count: int, seed: int, shift: float = 0.0) -> torch.Tensor:
    drawn = torch.randn(count, 6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return drawn + shift


def blurred(images: torch.Tensor) -> torch.Tensor:
    return blur(images, torch.full((len(images),), 1.0), 1.0)


def energy_ratio(images: torch.Tensor, truth: torch.Tensor) -> float:
    whole = {"whole": torch.ones(len(truth), *truth.shape[2:], dtype=torch.bool)}
    return score_images(images, truth, whole, BLOCKS)["whole"]["energy_ratio"]


def test_gradient_energy_of_a_ramp():
    levels = torch.arange(16.0) * 5
    ramp = (levels / 127.5 - 1).expand(1, 3, 16, 16)
    assert gradient_energy(ramp)[0, :, :-1].allclose(torch.tensor(25.0).double())
    assert gradient_energy(ramp)[0, :, -1].eq(0).all()


def test_an_image_has_its_own_energy_and_a_blurred_one_less():
    images = noise()
    assert energy_ratio(images, images) == 1
    assert energy_ratio(blurred(images), images) < 0.5
    contrast = 0.5
    assert energy_ratio(contrast * images, images) == pytest.approx(contrast**2, rel=0.02)


def test_a_wave_has_all_its_power_in_its_octave():
    across = torch.arange(32) * 2 * math.pi / 32
    wave = 0.8 * torch.sin(6 * across).expand(1, 3, 32, 32)
    share = power(wave)[0] / power(wave).sum()
    assert list(octaves(32)) == ["1-2", "2-4", "4-8", "8-16"]
    assert share[2] > 0.99


def test_blur_lowers_the_highest_octave_most():
    images = noise()
    same, soft = (power_ratios(each, images, BLOCKS) for each in (images, blurred(images)))
    assert all(same[octave] == 1 for octave in octaves(32))
    assert soft["1-2"] > 0.9
    assert soft["8-16"] < 0.1


def test_kid_of_two_sets_of_one_distribution_is_zero_on_the_average():
    found = [
        BlockPairs(BLOCKS).distance(features(16, 2 * seed), features(16, 2 * seed + 1))[0]
        for seed in range(200)
    ]
    drawn = torch.stack(found)
    assert drawn.mean().abs() < 3 * drawn.std() / len(drawn) ** 0.5
    assert (drawn < 0).any()


def test_kid_of_a_set_with_itself_is_zero_and_grows_with_the_shift():
    truth = features(16, 0)
    near, far = (realism(features(16, 1, shift), truth, BLOCKS) for shift in (0.5, 2.0))
    assert realism(truth, truth, BLOCKS)["kid"] == pytest.approx(0, abs=1e-12)
    assert near["kid"] < far["kid"]
    assert far["kid_interval"][0] > noise_floor(truth, BLOCKS)["kid_floor"] > 0


def test_images_of_one_block_do_not_count_as_independent():
    """A set of pairs of equal images has the kernel distance of the set of single images."""
    truth, other = features(8, 0), features(8, 1)
    single = BlockPairs(torch.arange(8)).distance(truth, other)[0]
    doubled = BlockPairs(BLOCKS).distance(truth.repeat_interleave(2, 0), other.repeat_interleave(2, 0))[0]
    assert doubled.item() == pytest.approx(single.item())


def test_diversity_is_one_for_the_truth_and_zero_for_a_constant_image():
    truth = features(16, 0)
    assert realism(truth, truth, BLOCKS)["diversity"] == 1
    assert realism(truth[:1].expand(16, -1), truth, BLOCKS)["diversity"] == pytest.approx(0, abs=1e-6)
    assert realism(0.5 * truth, truth, BLOCKS)["diversity"] == pytest.approx(0.5)


def test_two_blocks_have_no_noise_floor():
    assert noise_floor(features(4, 0), torch.tensor([0, 0, 1, 1]))["kid_floor"] is None


def test_features_have_one_row_an_image():
    found = FeatureReader().read(noise()[:3])
    assert found.shape == (3, 1280)
    assert found.std(dim=0).max() > 0
