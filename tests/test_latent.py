"""Laws of the latent: divergences of torch.distributions, independent draws, noise without gradient."""

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
    q, other = gaussian(seed=0), gaussian(seed=1)
    normal = [Normal(g.mean, (0.5 * g.log_var).exp()) for g in (q, other)]
    torch.testing.assert_close(q.kl_to(other), kl_divergence(*normal).sum(1))
    prior = Gaussian(torch.zeros(5, 3), torch.zeros(5, 3))
    torch.testing.assert_close(q.kl_to(prior), q.kl())
    assert torch.equal(q.kl_to(q), torch.zeros(5))


def test_the_prior_has_no_kl():
    assert torch.equal(Gaussian(torch.zeros(4, 2), torch.zeros(4, 2)).kl(), torch.zeros(4))


def wide(seed):
    """One posterior of two dimensions, for 40000 samples of a batch."""
    mean, log_var = torch.tensor([3.0, -1.0]) + seed, torch.tensor([-1.0, 0.5])
    return Gaussian(mean.expand(40000, 2), log_var.expand(40000, 2))


def test_draws_have_the_mean_and_variance_of_the_posterior():
    q = wide(0)
    z = q.draw(torch.Generator().manual_seed(1))
    torch.testing.assert_close(z.mean(dim=0), q.mean[0], rtol=0, atol=0.025)
    torch.testing.assert_close(z.var(dim=0).log(), q.log_var[0], rtol=0, atol=0.03)


def test_draws_are_reparameterised():
    """With z = mean + sigma * noise, dz/dmean is 1 and dz/dlog_var is (z - mean) / 2."""
    mean, log_var = (t.requires_grad_() for t in (gaussian().mean, gaussian().log_var))
    z = Gaussian(mean, log_var).draw(torch.Generator().manual_seed(0))
    z.sum().backward()
    torch.testing.assert_close(mean.grad, torch.ones_like(mean))
    torch.testing.assert_close(log_var.grad, (z - mean).detach() / 2)


def test_the_generator_determines_a_draw():
    once, again, other = (gaussian().draw(torch.Generator().manual_seed(seed)) for seed in (7, 7, 8))
    assert torch.equal(once, again)
    assert not torch.equal(once, other)


def test_a_product_of_disjoint_factors_has_the_posterior_of_each():
    q1, q2, q3 = {"pose": gaussian(seed=1)}, {"tag": gaussian(size=4, seed=2)}, {"u": gaussian(seed=3)}
    q = product(q1, q2, q3)
    assert list(q) == ["pose", "tag", "u"]
    assert (q["pose"], q["tag"], q["u"]) == (q1["pose"], q2["tag"], q3["u"])
    assert (q1.keys(), q2.keys()) == ({"pose"}, {"tag"})
    assert all(torch.equal(mean, q[factor].mean) for factor, mean in means(q).items())


def test_draws_of_the_factors_of_a_product_are_independent():
    """A product of densities: the noise of one factor is not that of another."""
    q = product({"pose": wide(0)}, {"tag": wide(1)})
    z = draw(q, torch.Generator().manual_seed(0))
    correlation = torch.corrcoef(torch.cat([z["pose"], z["tag"]], dim=1).T)
    torch.testing.assert_close(correlation, torch.eye(4), rtol=0, atol=0.025)


def test_a_factor_inferred_twice_is_an_error():
    with pytest.raises(HandsError, match='factor "pose" is inferred twice'):
        product({"pose": gaussian()}, {"pose": gaussian()})


@pytest.mark.parametrize("kind", ["other", "same", "prior"])
def test_noise_replaces_only_the_named_factors_and_carries_no_gradient(kind):
    z = {"pose": gaussian().mean.requires_grad_(), "u": gaussian(seed=1).mean.requires_grad_()}
    before = dict(z)
    noisy = with_noise(z, {"u": kind}, torch.Generator().manual_seed(0))
    assert noisy["pose"] is z["pose"]
    assert not noisy["u"].requires_grad
    assert torch.equal(noisy["u"], z["u"]) == (kind == "same")
    assert z["u"] is before["u"]


@pytest.mark.parametrize("size", [2, 3, 6])
def test_noise_of_others_gives_each_sample_the_draw_of_another_one(size):
    u = torch.arange(size)[:, None] + torch.zeros(size, 3)
    for seed in range(20):
        other = with_noise({"u": u}, {"u": "other"}, torch.Generator().manual_seed(seed))["u"]
        assert not (other == u).any()
        assert torch.equal(other.sort(dim=0).values, u)


def test_noise_of_the_prior_is_standard_normal():
    z = {"u": torch.full((40000, 2), 5.0)}
    u = with_noise(z, {"u": "prior"}, torch.Generator().manual_seed(0))["u"]
    torch.testing.assert_close(u.mean(dim=0), torch.zeros(2), rtol=0, atol=0.02)
    torch.testing.assert_close(u.T.cov(), torch.eye(2), rtol=0, atol=0.03)


def test_noise_of_others_needs_two_samples():
    with pytest.raises(HandsError, match="at least 2 samples, not 1"):
        with_noise({"u": torch.zeros(1, 3)}, {"u": "other"})


def test_active_units_are_those_that_vary():
    """Dimensions are active if the variance of their mean is above 0.01, that is a deviation of 0.1."""
    deviation = torch.tensor([1.0, 0.11, 0.09, 0.0])
    mean = 7 + deviation * torch.randn(40000, 4, generator=torch.Generator().manual_seed(0))
    assert active_units(mean) == 2


def test_a_wrong_shape_raises():
    with pytest.raises(Exception, match="size"):
        Gaussian(torch.zeros(4, 2), torch.zeros(4, 3))
