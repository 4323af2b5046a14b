"""Random latents: moments, seeds, holes of the prior, and copies of given images that are found."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from painted_hands import painted_hand
from tiny_models import ESTIMATION, PX, SYNTHESIS, WITHOUT_TAGS, tiny_model, tiny_run

from latent_hands.cli import main
from latent_hands.cli.sample import describe
from latent_hands.data import Sample, read_rgb
from latent_hands.errors import HandsError
from latent_hands.paper.latent import Gaussian
from latent_hands.studies.sampling.encoded import encode
from latent_hands.studies.sampling.gaussian import LatentGaussian
from latent_hands.studies.sampling.mixture import MOST_NUMBERS, LatentMixture
from latent_hands.studies.sampling.nearest import nearest
from latent_hands.studies.sampling.sampled import sample_images, sheet


def hands(folder: Path, count: int = 4) -> list[Sample]:
    """Return painted hands with tags, each in a scene of its own."""
    made = [painted_hand(folder, str(i), ("left", "right")[i % 2]) for i in range(count)]
    box = (120.0, 90.0, 77.0)
    return [replace(s, tag=s.image, scene_box=box, block=s.name, convention=None) for s in made]


def test_draws_have_the_moments_of_the_aggregate_posterior():
    """Of mean 0.5 i and variance 1 + 4: draws from every q(z | image), each of equal weight."""
    mean = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [1.0, 2.0], [-1.0, 2.0]])
    q = {"a": Gaussian(mean[:, :1], torch.zeros(4, 1)), "b": Gaussian(mean[:, 1:], torch.full((4, 1), -2.0))}
    fitted = LatentGaussian.aggregate(q)
    assert fitted.mean.tolist() == [0, 1]
    expected = torch.tensor([[1 + 1, 0], [0, 1 + np.exp(-2)]], dtype=torch.float64)
    assert torch.allclose(fitted.covariance, expected)
    z = fitted.draw(np.random.default_rng(0).standard_normal((40_000, 2)))
    drawn = torch.cat([z["a"], z["b"]], dim=1)
    assert torch.allclose(drawn.mean(dim=0), fitted.mean.float(), atol=0.05)
    assert torch.allclose(drawn.T.cov(), fitted.covariance.float(), atol=0.05)


def test_draws_are_correlated_across_factors_as_the_images_are():
    z = torch.randn(50, 1, generator=torch.Generator().manual_seed(0))
    small = torch.full((50, 1), -10.0)
    fitted = LatentGaussian.aggregate({"a": Gaussian(z, small), "b": Gaussian(-2 * z, small)})
    drawn = fitted.draw(np.random.default_rng(0).standard_normal((1000, 2)))
    assert torch.allclose(drawn["b"] - fitted.mean[1], -2 * (drawn["a"] - fitted.mean[0]), atol=0.1)


def test_one_component_has_the_moments_of_the_aggregate_posterior():
    q = {"a": Gaussian(torch.randn(30, 3, generator=torch.Generator().manual_seed(0)), torch.zeros(30, 3))}
    (component,) = LatentMixture.fit(q).components
    expected = LatentGaussian.aggregate(q)
    assert torch.allclose(component.mean, expected.mean)
    assert torch.allclose(component.covariance, expected.covariance)


@pytest.mark.parametrize("size", [3, MOST_NUMBERS + 1])
def test_a_mixture_has_the_moments_of_the_aggregate_posterior(size):
    """With own covariances and with a shared one."""
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(400, size, generator=generator) + 9 * (torch.arange(400) % 2)[:, None]
    q = {"a": Gaussian(z, torch.zeros(400, size))}
    mixture, expected = LatentMixture.fit(q, 2), LatentGaussian.aggregate(q)
    means = torch.stack([each.mean for each in mixture.components])
    assert torch.allclose(mixture.weights, torch.full((2,), 0.5).double(), atol=1e-6)
    off = means - expected.mean
    between = off.T @ (mixture.weights[:, None] * off)
    within = sum(w * c.covariance for w, c in zip(mixture.weights, mixture.components, strict=True))
    assert torch.allclose(mixture.weights @ means, expected.mean)
    assert torch.allclose(within + between, expected.covariance)


def test_a_mixture_draws_where_the_images_are_and_not_between():
    """Latents on a circle: one Gaussian draws its middle, a mixture does not. Their means agree."""
    angle = torch.arange(400) * 2.39996
    circle = {"a": Gaussian(torch.stack([angle.cos(), angle.sin()], dim=1), torch.full((400, 2), -10.0))}
    rngs = [np.random.default_rng([0, i]) for i in range(500)]
    radius = {k: LatentMixture.fit(circle, k).draw(rngs)["a"].norm(dim=1) for k in (1, 16)}
    assert (radius[1] < 0.5).float().mean() > 0.15
    assert radius[16].min() > 0.5
    mixture = LatentMixture.fit(circle, 16)
    mean = sum(w * each.mean for w, each in zip(mixture.weights, mixture.components, strict=True))
    assert torch.allclose(mean, circle["a"].mean.double().mean(dim=0), atol=1e-6)
    with pytest.raises(HandsError, match="components is 401"):
        LatentMixture.fit(circle, 401)


def test_a_mixture_draws_the_same_for_a_generator_whatever_the_others_are():
    q = {"a": Gaussian(torch.randn(200, 3, generator=torch.Generator().manual_seed(0)), torch.zeros(200, 3))}
    mixture = LatentMixture.fit(q)
    assert len(mixture.components) == 4
    together = mixture.draw([np.random.default_rng(i) for i in range(20)])["a"]
    alone = torch.cat([mixture.draw([np.random.default_rng(i)])["a"] for i in range(20)])
    assert torch.allclose(together, alone)


def test_the_prior_is_zero_nats_from_itself_and_a_shifted_one_is_half_the_square():
    prior = LatentGaussian.prior({"a": 2, "b": 1})
    assert prior.nats() == pytest.approx(0)
    assert replace(prior, mean=torch.tensor([3.0, 0, 0]).double()).nats() == pytest.approx(4.5)
    assert replace(prior, covariance=4 * prior.covariance).nats() == pytest.approx(3 * (1.5 - np.log(2)))
    noise = np.random.default_rng(0).standard_normal((5, 3))
    assert torch.cat(list(prior.draw(noise).values()), dim=1).numpy() == pytest.approx(noise, abs=1e-6)


@pytest.mark.parametrize("graph", [SYNTHESIS, WITHOUT_TAGS], ids=["tags", "z_u"])
def test_equal_seeds_give_equal_images_and_more_are_a_continuation(graph: str):
    model = tiny_model(graph)
    few, more, other = (sample_images(model, *each).images for each in ((3, 5), (6, 5), (3, 6)))
    assert torch.allclose(few, more[:3], atol=1e-5)
    assert not torch.allclose(few, other, atol=1e-2)
    assert few.shape == (3, 3, PX, PX)


def test_a_copied_image_is_its_own_nearest():
    given = torch.randn(6, 12, generator=torch.Generator().manual_seed(0))
    found = nearest(given[[4, 1]] + 0.01, given, torch.arange(6))
    assert found.index.tolist() == [4, 1]
    assert found.distance.tolist() == pytest.approx([0.01, 0.01], abs=1e-5)
    assert found.between_given.min() > 0.1
    same_scene = nearest(given, given, torch.zeros(6, dtype=torch.int64))
    assert same_scene.between_given.isinf().all()


def test_given_images_are_encoded_as_the_model_was_trained(tmp_path: Path):
    """The pose comes from the label, the content from the tag."""
    model, samples = tiny_model(SYNTHESIS), hands(tmp_path)
    given = encode(model, samples)
    assert given.names == tuple(sample.name for sample in samples)
    assert given.pose is not None
    expected = model.vae.encode("pose", {"pose": given.pose})["pose"]
    assert torch.allclose(given.posterior["pose"].mean, expected.mean, atol=1e-5)
    tag = model.latent(samples[0], ["content"], "tag")["tag"]
    assert torch.allclose(given.posterior["tag"].mean[:1], tag, atol=0.05)


def test_a_sheet_has_each_sample_beside_its_nearest_image(tmp_path: Path):
    sampled = sample_images(tiny_model(SYNTHESIS), 5, 0, hands(tmp_path))
    assert [image.dtype for image in sampled.rgb] == [np.uint8] * 5
    assert sampled.about["pose"]["from"] == "fitted"
    assert len(sampled.near["pixels"]) == 5
    assert sheet(sampled).shape[1] > 3 * 2 * 96
    assert "Gaussians fitted to 4 images; the latents of the images are" in describe(sampled.about["pose"])


def test_the_command_writes_all_files_or_none(tmp_path: Path, capsys: pytest.CaptureFixture):
    run, out = str(tiny_run(tmp_path / "run", SYNTHESIS)), tmp_path / "out"
    assert main(["sample", run, str(out), "--count", "3"]) == 0
    assert "pose: 4 numbers, drawn from the prior N(0, I)" in capsys.readouterr().out
    assert read_rgb(out / "images" / "00002.png").shape == (PX, PX, 3)
    assert len(json.loads((out / "samples.json").read_text())["weights"]) == 16
    assert main(["sample", str(tmp_path / "absent"), str(out)]) == 2  # before the run is loaded
    assert "is not empty" in capsys.readouterr().err
    assert main(["sample", run, str(tmp_path / "new"), "--latents", "fitted"]) == 2
    assert "the run holds no mixtures of latents: give a data set" in capsys.readouterr().err


def test_runs_that_cannot_make_images_are_refused():
    with pytest.raises(HandsError, match="no decoder writes rgb"):
        sample_images(tiny_model(ESTIMATION), 2, 0)
    with pytest.raises(HandsError, match="count is 0"):
        sample_images(tiny_model(SYNTHESIS), 0, 0)


def test_fewer_images_than_numbers_of_a_latent_are_announced(caplog):
    z = torch.randn(5, 4)
    LatentMixture.fit({"a": Gaussian(z, torch.zeros(5, 4))})
    assert not caplog.text
    LatentMixture.fit({"a": Gaussian(z[:4], torch.zeros(4, 4))})
    assert "latents of 4 numbers (a) are fitted to 4 images" in caplog.text
