"""The likelihoods are unit Gaussians in grey levels and bone lengths, summed over dimensions."""

import pytest
import torch
from torch.distributions import Normal

from latent_hands.data.labels import LABELS, modality
from latent_hands.errors import HandsError

MODALITIES = [name for name, label in LABELS.items() if label.modality]


@pytest.mark.parametrize("name", MODALITIES)
def test_log_likelihood_is_the_normal_one_without_its_constant(name):
    m = modality(name)
    shape = (4, *(size or 8 for size in m.shape))
    truth, prediction = torch.randn(2, *shape, generator=torch.Generator().manual_seed(0)).unbind(0)
    normal = Normal(m.likelihood.unit * prediction, 1.0)
    expected = (normal.log_prob(m.likelihood.unit * truth) - normal.log_prob(normal.mean)).flatten(1).sum(1)
    torch.testing.assert_close(m.likelihood(truth, prediction), expected, rtol=1e-4, atol=1e-4)


def test_one_grey_level_in_one_pixel_costs_one_half():
    black = torch.zeros(1, 3, 4, 4)
    grey = black.clone()
    grey[0, 0, 0, 0] = 1 / 127.5
    torch.testing.assert_close(modality("rgb").likelihood(black, grey), torch.tensor([-0.5]))


def test_unknown_modality_is_named():
    with pytest.raises(HandsError, match='unknown modality "pos"; did you mean "pose"'):
        modality("pos")
