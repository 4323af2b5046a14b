"""Perceptual features: the likelihood is highest for the image itself and trains the prediction only."""

import pytest
import torch

from latent_hands.beyond.features import Perception
from latent_hands.build import build_phases, build_vae
from latent_hands.configuration import load_experiment
from latent_hands.data.augmentation import appearance
from latent_hands.errors import HandsError
from latent_hands.networks import efficientnet


@pytest.fixture(scope="module")
def perception():
    return Perception("float32")


@pytest.fixture
def stripes():
    """Images of stripes of many widths and directions, in many colours."""
    generator = torch.Generator().manual_seed(0)
    direction = torch.randn(8, 2, 1, 1, generator=generator) / 3
    colour = torch.rand(8, 3, 1, 1, generator=generator)
    rows, columns = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    return colour * torch.sin(direction[:, :1] * rows + direction[:, 1:] * columns).sign()


def test_an_image_is_its_own_most_likely_prediction(perception, stripes):
    assert perception.log_likelihood(stripes, stripes).abs().max() == 0
    assert (perception.log_likelihood(stripes, stripes.roll(1, dims=0)) < 0).all()


def test_blur_costs_more_than_the_same_squared_error_in_brightness(perception, stripes):
    blurred = appearance.blur(stripes, torch.full((8,), 1.5), 1.5)
    error = (blurred - stripes).square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
    brighter = stripes + error
    assert (perception.log_likelihood(stripes, blurred) < perception.log_likelihood(stripes, brighter)).all()


def test_the_cost_of_a_missing_image_hardly_depends_on_its_contrast(perception, stripes):
    """Features are measured in units of their own spread over the batch."""
    costs = [perception.log_likelihood(c * stripes, 0 * stripes).mean() for c in (0.5, 1.0)]
    assert costs[0] / costs[1] == pytest.approx(1, abs=0.3)


def test_only_the_prediction_receives_a_gradient(perception, stripes):
    prediction = (0.5 * stripes).requires_grad_()
    perception.log_likelihood(stripes, prediction).sum().backward()
    assert prediction.grad.abs().max() > 0
    assert not list(perception.parameters())
    held = perception.state_dict()
    perception(stripes)
    assert all(torch.equal(held[name], tensor) for name, tensor in perception.state_dict().items())


def test_the_cost_of_a_pattern_does_not_depend_on_its_position(perception, stripes):
    """Dots at every fourth pixel cost the same at any position, on the average over random grids."""
    costs = []
    for place in range(4):
        dotted = stripes.clone()
        dotted[:, :, place::4, place::4] += 0.5
        generator = torch.Generator().manual_seed(0)
        drawn = [-perception.log_likelihood(stripes, dotted, generator).mean() for _ in range(64)]
        costs.append(torch.stack(drawn).mean())
    assert max(costs) / min(costs) < 1.2


def test_a_missing_package_of_features_is_an_error_before_training(monkeypatch):
    monkeypatch.setattr(efficientnet, "PACKAGE", "no_such_package")
    experiment = load_experiment("portraits")
    with pytest.raises(
        HandsError, match=r"package no_such_package, which is not installed: run pip install 'latent"
    ):
        build_phases(experiment, build_vae(experiment))
