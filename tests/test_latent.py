"""Laws of the latent: closed forms of torch.distributions, products of factors, noise without gradient."""

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from latent_hands.errors import HandsError
from latent_hands.paper.latent import Gaussian, active_units, draw, means, product, with_noise


def gaussian(size=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return Gaussian(torch.randn(5, size, generator=generator), torch.randn(5, size, generator=generator))


def test_kl_is_that_of_torch_distributions():
    q = gaussian()
    expected = kl_divergence(Normal(q.mean, (0.5 * q.log_var).exp()), Normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(q.kl(), expected)


def test_kl_to_another_is_that_of_torch_distributions():
    q, other = (Gaussian(torch.randn(5, 3), torch.randn(5, 3)) for _ in range(2))
    normal = [Normal(g.mean, (0.5 * g.log_var).exp()) for g in (q, other)]
    torch.testing.assert_close(q.kl_to(other), kl_divergence(*normal).sum(1))
    prior = Gaussian(torch.zeros(5, 3), torch.zeros(5, 3))
    torch.testing.assert_close(q.kl_to(prior), q.kl())
    assert torch.equal(q.kl_to(q), torch.zeros(5))


def test_the_prior_has_no_kl():
    assert torch.equal(Gaussian(torch.zeros(4, 2), torch.zeros(4, 2)).kl(), torch.zeros(4))


def test_draws_have_the_mean_and_variance_of_the_posterior():
    q = Gaussian(torch.full((20000, 1), 3.0), torch.full((20000, 1), -1.0))
    z = q.draw(torch.Generator().manual_seed(1))
    assert abs(z.mean() - 3.0) < 0.02
    assert abs(z.log().exp().var().log() + 1.0) < 0.05


def test_draws_repeat_with_the_generator():
    q = gaussian()
    draws = [q.draw(torch.Generator().manual_seed(7)) for _ in range(2)]
    assert torch.equal(*draws)


def test_joint_of_disjoint_factors_multiplies_densities():
    q1, q2 = {"pose": gaussian(seed=1)}, {"tag": gaussian(size=4, seed=2)}
    q = product(q1, q2)
    z = draw(q, torch.Generator().manual_seed(0))
    log_q = {f: Normal(g.mean, (0.5 * g.log_var).exp()).log_prob(z[f]).sum(1) for f, g in q.items()}
    whole_mean = torch.cat([g.mean for g in q.values()], 1)
    whole_scale = torch.cat([(0.5 * g.log_var).exp() for g in q.values()], 1)
    whole = Normal(whole_mean, whole_scale).log_prob(torch.cat(list(z.values()), 1)).sum(1)
    torch.testing.assert_close(log_q["pose"] + log_q["tag"], whole)
    assert list(means(q)) == ["pose", "tag"]


def test_a_factor_inferred_twice_is_an_error():
    with pytest.raises(HandsError, match='factor "pose" is inferred twice'):
        product({"pose": gaussian()}, {"pose": gaussian()})


def test_noise_replaces_only_what_it_names_and_carries_no_gradient():
    z = {"pose": torch.randn(6, 2, requires_grad=True), "u": torch.randn(6, 3, requires_grad=True)}
    for kind in ("other", "same", "prior"):
        noisy = with_noise(z, {"u": kind}, torch.Generator().manual_seed(0))
        assert noisy["pose"] is z["pose"]
        assert not noisy["u"].requires_grad
    other = with_noise(z, {"u": "other"}, torch.Generator().manual_seed(0))["u"]
    assert not (other == z["u"]).all(1).any()
    assert torch.equal(other.sort(0).values, z["u"].detach().sort(0).values)


def test_another_sample_needs_another_sample():
    with pytest.raises(HandsError, match="at least 2 samples, not 1"):
        with_noise({"u": torch.zeros(1, 3)}, {"u": "other"})


def test_active_units_are_those_that_vary():
    mean = torch.randn(1000, 4, generator=torch.Generator().manual_seed(0)) * torch.tensor(
        [1.0, 0.5, 0.05, 0]
    )
    assert active_units(mean) == 2


def test_a_wrong_shape_raises():
    with pytest.raises(Exception, match="size"):
        Gaussian(torch.zeros(4, 2), torch.zeros(4, 3))
