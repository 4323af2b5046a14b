"""Measures of image quality hold their closed forms and invariances."""

import math

import numpy as np
import pytest
import torch
from painted_hands import painted_hand
from PIL import Image

from latent_hands.studies.assess.benchmark import cut_mask
from latent_hands.studies.assess.image_quality import LARGEST_DB, mean_over, psnr_db, squared_errors, ssim_map


def grey(level: float) -> torch.Tensor:
    return torch.full((2, 3, 16, 16), level / 127.5 - 1)


def noise(seed: int) -> torch.Tensor:
    return 2 * torch.rand(3, 3, 20, 20, generator=torch.Generator().manual_seed(seed)) - 1


def test_psnr_of_a_constant_difference():
    errors = squared_errors(grey(100), grey(120))
    psnr = psnr_db(mean_over(errors, torch.ones_like(errors, dtype=torch.bool)))
    assert psnr.tolist() == pytest.approx([20 * math.log10(255 / 20)] * 2)


def test_equal_images_have_a_similarity_of_one_and_the_largest_psnr():
    a = noise(0)
    assert ssim_map(a, a).allclose(torch.ones(()).double())
    assert (psnr_db(squared_errors(a, a).mean(dim=(1, 2))) == LARGEST_DB).all()


def test_similarity_is_symmetric_and_compares_the_luminance_of_constant_images():
    a, b = noise(1), noise(2)
    assert ssim_map(a, b).allclose(ssim_map(b, a))
    c = (0.01 * 255) ** 2
    luminance = (2 * 60 * 200 + c) / (60**2 + 200**2 + c)
    assert ssim_map(grey(60), grey(200)).allclose(torch.tensor(luminance).double())


def test_similarity_is_the_same_for_mirrored_and_transposed_images():
    a, b = noise(1), noise(2)
    assert ssim_map(a.flip(3), b.flip(3)).allclose(ssim_map(a, b).flip(2))
    assert ssim_map(a.mT, b.mT).allclose(ssim_map(a, b).mT)


def test_errors_inside_and_outside_add_up_to_the_whole():
    errors = squared_errors(noise(1), noise(2))
    inside = noise(3)[:, 0] > 0.3
    parts = [mean_over(errors, region) * region.sum(dim=(1, 2)) for region in (inside, ~inside)]
    assert (sum(parts) / 400).allclose(errors.mean(dim=(1, 2)))


def test_masks_are_cut_as_images_are(tmp_path):
    parts = np.random.default_rng(0).integers(0, 34, (40, 50)).astype(np.uint8)
    Image.fromarray(parts).save(tmp_path / "mask.png")
    sample = painted_hand(tmp_path, "0", "right")
    object.__setattr__(sample, "mask", tmp_path / "mask.png")
    object.__setattr__(sample, "scene_box", (19.5, 11.5, 16.0))
    expected = torch.from_numpy(parts[4:20, 12:28].copy())
    assert torch.equal(cut_mask(sample, 16, mirror=False), expected)
    assert torch.equal(cut_mask(sample, 16, mirror=True), expected.flip(1))
    object.__setattr__(sample, "scene_box", (-100.0, -100.0, 16.0))
    assert not cut_mask(sample, 16, mirror=False).any()
