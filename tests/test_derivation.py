"""docs/derivation.md in numbers: in a linear-Gaussian graph evidence and posterior have closed forms.

x = A z + noise, y1 = B1 z_y1 + noise, y2 = B2 z_y2 + noise, noise and prior N(0, I). The bounds are those
of the package, computed through real encoders and decoders. The log-likelihoods are quadratic in z, so a mean
over eight draws with exact first and second moments is the exact expectation.
"""

import math
from collections.abc import Iterator

import pytest
import torch
from scipy.linalg import hadamard
from torch import Tensor, nn
from torch.distributions import Independent, MultivariateNormal, Normal, kl_divergence

from latent_hands.data.labels import modality
from latent_hands.paper.bound import Bound, total
from latent_hands.paper.graph import Decoder, DisentangledVAE, Encoder

DRAWS = 8
LATENT = {"y1": 2, "y2": 2, "u": 2}
SHAPES = {"pose": (21, 3), "cpose": (21, 3), "viewpoint": (3, 3), "rgb": (3, 2, 2)}
"""x = pose, y1 = cpose, y2 = viewpoint, x^ = rgb; the u of Eq. 6 is read from x."""

EQ_1 = Bound(("x",), {"x": 1.0, "y1_from_z": 1.0}, beta=1.0)
EQ_2 = Bound(("y1", "y2"), {"x": 1.0, "y1": 1.0, "y2": 1.0}, beta=1.0)
EQ_4 = Bound(("x",), {"x": 1.0, "y1": 1.0, "y2": 1.0}, beta=1.0)
EQ_6 = Bound(("y1", "u"), {"x_u": 1.0, "y1_u": 1.0}, beta=1.0)
EQ_8 = Bound(("x_hat",), {"x": 1.0, "y1": 1.0, "y2": 1.0}, beta=1.0)
NOISE_STEP = Bound(("y1", "u"), {"y1_u": 1.0}, beta=1.0)
"""The second step of Algorithm 2, z_u replaced by noise."""

BOUNDS = pytest.mark.parametrize(
    "bound", [EQ_1, EQ_2, EQ_4, EQ_6, EQ_8], ids=["Eq. 1", "Eq. 2", "Eq. 4 (Eq. 3)", "Eq. 6", "Eq. 8 (Eq. 7)"]
)


class Linear(nn.Module):
    """A linear network between vectors and arrays, in the signature of encoders and decoders."""

    def __init__(self, inputs: int, shape: tuple[int, ...], bias: bool):
        super().__init__()
        self.shape = shape
        self.linear = nn.Linear(inputs, math.prod(shape), bias=bias)
        nn.init.normal_(self.linear.weight, std=0.3)

    def forward(self, observed: Tensor, _: Tensor | None) -> Tensor:
        """Map (batch, ..) to (batch, *shape)."""
        return self.linear(observed.flatten(1)).unflatten(1, self.shape)


def encoder(reads: str, *factors: str) -> Encoder:
    sizes = {factor: LATENT[factor] for factor in factors}
    return Encoder(
        modality(reads), sizes, Linear(math.prod(SHAPES[reads]), (2 * sum(sizes.values()),), bias=True)
    )


def decoder(writes: str, *factors: str) -> Decoder:
    inputs = sum(LATENT[factor] for factor in factors)
    return Decoder(modality(writes), factors, Linear(inputs, SHAPES[writes], bias=False))


def linear_graph() -> DisentangledVAE:
    """The graphs of Fig. 2a, 2b and 2c as linear arrows with random weights."""
    torch.manual_seed(0)
    encoders = {
        "y1": encoder("cpose", "y1"),
        "y2": encoder("viewpoint", "y2"),
        "u": encoder("pose", "u"),
        "x": encoder("pose", "y1", "y2"),
        "x_hat": encoder("rgb", "y1", "y2"),
    }
    decoders = {
        "x": decoder("pose", "y1", "y2"),
        "y1": decoder("cpose", "y1"),
        "y2": decoder("viewpoint", "y2"),
        "y1_from_z": decoder("cpose", "y1", "y2"),
        "x_u": decoder("pose", "y1", "u"),
        "y1_u": decoder("cpose", "y1", "u"),
    }
    return DisentangledVAE(LATENT, encoders, decoders).requires_grad_(False)


def observed(seed: int) -> dict[str, Tensor]:
    """One sample of every modality, repeated for each draw of z."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.empty(shape).normal_(generator=generator).expand(DRAWS, *shape)
        for name, shape in SHAPES.items()
    }


@pytest.fixture
def exact_draws(monkeypatch: pytest.MonkeyPatch):
    """Noise whose mean is 0 and whose covariance is I over the eight draws: columns of a Hadamard matrix."""
    columns: Iterator[Tensor]

    def restart() -> None:
        nonlocal columns
        columns = iter(torch.from_numpy(hadamard(DRAWS)).float().unbind(dim=1)[1:])

    def dealt(shape: torch.Size, **_: object) -> Tensor:
        assert shape[0] == DRAWS
        return torch.stack([next(columns) for _ in range(shape[1])], dim=1)

    restart()
    monkeypatch.setattr(torch, "randn", dealt)
    return restart


def value(vae: DisentangledVAE, bound: Bound, batch: dict[str, Tensor], **options: object) -> Tensor:
    """The bound with the constants of its likelihoods, float64."""
    constant = sum(
        lam * math.prod(SHAPES[vae.decoder(arrow).writes]) * math.log(2 * math.pi) / 2
        for arrow, lam in bound.decoders.items()
    )
    return total(bound.terms(vae, batch, **options)).double() - constant  # pyright: ignore[reportArgumentType]


def stacked(vae: DisentangledVAE, bound: Bound, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """What the bound explains as one linear model m = C z + noise: m, C, and the variances of the noise."""
    factors = bound.factors(vae)
    observations, matrices, variances = [], [], []
    for arrow, lam in bound.decoders.items():
        decoder = vae.decoder(arrow)
        weights = dict(zip(decoder.factors, weight_of(decoder).double().split(2, dim=1), strict=True))
        empty = torch.zeros(len(weight_of(decoder)), 2, dtype=torch.float64)
        matrices.append(torch.cat([weights.get(factor, empty) for factor in factors], dim=1))
        observations.append(batch[decoder.writes][0].flatten().double())
        variances.append(torch.full_like(observations[-1], bound.beta / lam))
    return torch.cat(observations), torch.cat(matrices), torch.cat(variances)


def weight_of(arrow: Encoder | Decoder) -> Tensor:
    return arrow.network.linear.weight.detach()  # pyright: ignore


def log_evidence(m: Tensor, c: Tensor, variances: Tensor) -> Tensor:
    """log p(m) = log N(m; 0, C C^T + noise)."""
    return MultivariateNormal(torch.zeros_like(m), c @ c.T + variances.diag()).log_prob(m)


def true_posterior(m: Tensor, c: Tensor, variances: Tensor) -> MultivariateNormal:
    """p(z | m) = N(S C^T m, S), S = (I + C^T C)^-1 for unit variances."""
    precision = torch.eye(c.shape[1], dtype=c.dtype) + c.T @ (c / variances[:, None])
    mean = torch.linalg.solve(precision, c.T @ (m / variances))
    return MultivariateNormal(mean, precision_matrix=precision)


def approximate_posterior(vae: DisentangledVAE, bound: Bound, batch: dict[str, Tensor]) -> Independent:
    """q(z | what the encoders read)."""
    q = vae.infer(bound.encoders, batch)
    mean, log_var = (
        torch.cat([getattr(q[factor], part)[0] for factor in bound.factors(vae)]).double()
        for part in ("mean", "log_var")
    )
    return Independent(Normal(mean, (0.5 * log_var).exp()), 1)


def divergence(q: Independent, p: MultivariateNormal) -> Tensor:
    """KL(q || p)."""
    diagonal = MultivariateNormal(q.base_dist.mean, q.base_dist.variance.diag())  # pyright: ignore
    return kl_divergence(diagonal, p)


def orthogonalise(vae: DisentangledVAE) -> None:
    """Give all decoders orthogonal columns, so that the true posteriors are diagonal."""
    for arrow in vae.decoders.values():
        weight = arrow.network.linear.weight  # pyright: ignore
        weight.copy_(torch.linalg.qr(weight).Q * torch.linspace(0.5, 2.0, weight.shape[1]))  # pyright: ignore


def answer(vae: DisentangledVAE, bound: Bound, posterior: MultivariateNormal) -> None:
    """Let the encoders of a bound return this posterior, whatever they read."""
    mean, variance = posterior.mean.float(), posterior.covariance_matrix.diag().float()
    place = {factor: slice(2 * i, 2 * i + 2) for i, factor in enumerate(bound.factors(vae))}
    for arrow in map(vae.encoder, bound.encoders):
        weight_of(arrow).zero_()
        parts = [mean[place[f]] for f in arrow.factors] + [variance[place[f]].log() for f in arrow.factors]
        arrow.network.linear.bias.copy_(torch.cat(parts))  # pyright: ignore


def close(actual: Tensor, expected: Tensor) -> None:
    """Equal to the rounding of float32, in which the networks compute."""
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-4)


@BOUNDS
@pytest.mark.parametrize("seed", range(3))
def test_a_bound_is_its_log_evidence_minus_the_divergence_from_the_true_posterior(bound, seed, exact_draws):
    """Eq. 3 and Eq. 7 for any q; so every bound lies below its log evidence."""
    vae, batch = linear_graph(), observed(seed)
    model = stacked(vae, bound, batch)
    gap = divergence(approximate_posterior(vae, bound, batch), true_posterior(*model))
    assert gap > 1
    close(value(vae, bound, batch), log_evidence(*model) - gap)


@BOUNDS
def test_a_bound_touches_its_log_evidence_at_the_true_posterior(bound, exact_draws):
    vae, batch = linear_graph(), observed(0)
    orthogonalise(vae)
    model = stacked(vae, bound, batch)
    answer(vae, bound, true_posterior(*model))
    close(value(vae, bound, batch), log_evidence(*model))


@pytest.mark.parametrize("bound", [EQ_4, EQ_8], ids=["Eq. 4", "Eq. 8"])
def test_bounds_of_one_evidence_share_their_maximum(bound):
    """Eq. 2, 4 and 8 bound the same log p(x, y1, y2), from different inputs."""
    vae, batch = linear_graph(), observed(0)
    assert torch.equal(log_evidence(*stacked(vae, bound, batch)), log_evidence(*stacked(vae, EQ_2, batch)))


@BOUNDS
def test_lambda_and_beta_are_the_variances_of_the_likelihoods(bound, exact_draws):
    """The weighted bound over beta is the bound of the model whose variances are beta / lambda."""
    vae, batch, beta = linear_graph(), observed(0), 0.5
    lams = dict(zip(bound.decoders, (2.0, 0.3, 5.0), strict=False))
    weighted = Bound(bound.encoders, lams, beta)
    m, c, variances = stacked(vae, weighted, batch)
    gap = divergence(approximate_posterior(vae, weighted, batch), true_posterior(m, c, variances))
    constants = -0.5 * (2 * math.pi * variances).log().sum()
    close(total(weighted.terms(vae, batch)).double() / beta + constants, log_evidence(m, c, variances) - gap)


def test_the_step_with_noise_bounds_the_evidence_of_y1_alone(exact_draws):
    """Algorithm 2, lines 7-12: the noise takes the place of q(z_u | x) and carries no KL."""
    vae, batch = linear_graph(), observed(0)
    model = stacked(vae, NOISE_STEP, batch)
    q = vae.infer(("y1",), batch)["y1"]
    mean = torch.cat([q.mean[0], torch.zeros(2)]).double()
    scale = torch.cat([(0.5 * q.log_var[0]).exp(), torch.ones(2)]).double()
    gap = divergence(Independent(Normal(mean, scale), 1), true_posterior(*model))
    close(value(vae, NOISE_STEP, batch, noise={"u": "prior"}), log_evidence(*model) - gap)


def test_the_step_with_noise_is_tight_where_y1_is_independent_of_z_u(exact_draws):
    """p(y1 | z_y1, z_u) = p(y1 | z_y1) leaves no gap: the aim of Algorithm 2."""
    vae, batch = linear_graph(), observed(0)
    orthogonalise(vae)
    model = stacked(vae, NOISE_STEP, batch)
    answer(vae, NOISE_STEP, true_posterior(*model))
    assert value(vae, NOISE_STEP, batch, noise={"u": "prior"}) < log_evidence(*model) - 1e-2
    exact_draws()
    weight_of(vae.decoder("y1_u"))[:, 2:] = 0
    model = stacked(vae, NOISE_STEP, batch)
    answer(vae, NOISE_STEP, true_posterior(*model))
    close(value(vae, NOISE_STEP, batch, noise={"u": "prior"}), log_evidence(*model))


def test_modalities_of_the_graph_have_unit_variance_in_their_own_numbers():
    """The constants above hold for modalities whose squared errors are not rescaled."""
    assert {modality(name).likelihood.unit for name in ("pose", "cpose", "viewpoint")} == {1.0}
