"""Changes of appearance: colours, resolution, blur and noise, each by itself."""

import pytest
import torch
from painted_hands import find_dots, painted_hands

from latent_hands.data.augmentation import appearance
from latent_hands.data.crops import build_windows
from latent_hands.hand import camera


def test_colour_matrices():
    one, quarter = torch.ones(1), torch.full((1,), 0.25)
    assert torch.allclose(appearance.colour_matrix(one, 0 * one, one), torch.eye(3), atol=1e-6)
    assert torch.allclose(appearance.colour_matrix(one, one, one), torch.eye(3), atol=1e-5)
    turned = appearance.colour_matrix(one, quarter, 1.3 * one)
    assert torch.allclose(turned @ torch.ones(3), torch.ones(3), atol=1e-6)  # grey is unchanged
    thrice = torch.linalg.matrix_power(appearance.colour_matrix(one, one / 3, one), 3)
    assert torch.allclose(thrice, torch.eye(3), atol=1e-5)
    pixels = torch.rand(2, 3, 4, 5)
    matrix, offset = torch.rand(2, 3, 3), torch.rand(2)
    expected = torch.einsum("bij,bjhw->bihw", matrix, pixels) + offset[:, None, None, None]
    assert torch.allclose(appearance.recolour(pixels, matrix, offset), expected, atol=1e-6)


def test_blur_is_gaussian():
    spike = torch.zeros(2, 3, 33, 33)
    spike[:, :, 16, 16] = 1
    sigma_px = torch.tensor([0.0, 2.0])
    blurred = appearance.blur(spike, sigma_px, 3.0)
    assert torch.allclose(blurred[0], spike[0], atol=1e-6)
    assert torch.allclose(blurred.sum((2, 3)), torch.ones(2, 3), atol=1e-5)
    spread = (blurred[1, 0].sum(0) * (torch.arange(33) - 16) ** 2).sum().sqrt()
    assert spread == pytest.approx(2.0, abs=0.05)
    assert torch.allclose(appearance.blur(torch.ones(2, 3, 9, 9), sigma_px, 2.0), torch.ones(2, 3, 9, 9))


def test_noise_is_white():
    noise = appearance.byte_noise(torch.empty(3, 3, 61, 61), torch.Generator().manual_seed(0))
    assert noise.mean().abs() < 0.03
    assert noise.std() == pytest.approx(1.0, abs=0.02)
    assert (noise[..., 1:] * noise[..., :-1]).mean().abs() < 0.03


def test_a_lower_resolution_does_not_move_the_image(tmp_path):
    windows = build_windows(painted_hands(tmp_path, 3))
    W = camera.warp_matrix(torch.full((3, 2), 191 / 2), 192 / 1.75, 128)
    fine, coarse = (appearance.resample(windows.rgb, W, 128, resolution) for resolution in (1.0, 0.4))
    assert torch.allclose(find_dots(fine + 1), find_dots(coarse + 1), atol=0.3)
    assert (fine - coarse).abs().max() > 0.01


def test_blur_repeats_the_border_of_an_image():
    images = torch.rand(2, 3, 9, 7, generator=torch.Generator().manual_seed(0))
    sigma_px, radius = torch.tensor([0.4, 0.9]), 2
    wide = torch.nn.functional.pad(images, (radius,) * 4, mode="replicate")
    inner = appearance.blur(wide, sigma_px, 1.0)[..., radius:-radius, radius:-radius]
    assert torch.allclose(appearance.blur(images, sigma_px, 1.0), inner, atol=1e-6)


def test_softening_removes_fine_patterns_and_keeps_broad_ones():
    across = torch.arange(32)
    fine, broad = ((across // width % 2 * 2.0 - 1).expand(64, 3, 32, 32) for width in (1, 16))
    soft = [appearance.soften(p, torch.Generator().manual_seed(0)) for p in (fine, broad)]
    assert soft[0].std() < 0.5 * fine.std()
    assert soft[1].std() > 0.9 * broad.std()
