"""The mixtures that a run holds: what is read is what was fitted, and belongs to the weights."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from test_sampling import hands
from tiny_models import ESTIMATION, SYNTHESIS, tiny_model, tiny_run

from latent_hands.cli import main
from latent_hands.errors import HandsError
from latent_hands.paper.latent import Gaussian
from latent_hands.predictor import Model
from latent_hands.runs.folder import LATENTS, WEIGHTS
from latent_hands.runs.publishing import About, write_publication
from latent_hands.runs.tensors import read_tensors, write_tensors
from latent_hands.studies.sampling.mixture import MOST_NUMBERS, LatentMixture
from latent_hands.studies.sampling.own_latents import fit_latents, from_tensors, own_latents, to_tensors
from latent_hands.studies.sampling.sampled import sample_images
from latent_hands.studies.sampling.sources import Random, find_source


@pytest.mark.parametrize(("size", "factors"), [(5, 4), (MOST_NUMBERS + 1, 1)])
def test_a_mixture_is_read_as_it_was_written(size, factors):
    """Up to half precision: 2^-11 of every number. A shared covariance is written once."""
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(200, size, generator=generator) @ torch.randn(size, size, generator=generator)
    fitted = LatentMixture.fit({"a": Gaussian(z, torch.full((200, size), -4.0))})
    assert len(to_tensors(fitted)["factor"]) == factors
    read = from_tensors(to_tensors(fitted), {"a": size}, Path("file"))
    assert len(read.components) == len(fitted.components) == 4
    torch.testing.assert_close(read.weights, fitted.weights, atol=1e-6, rtol=1e-6)
    for one, other in zip(read.components, fitted.components, strict=True):
        scale = other.covariance.abs().max().item()
        torch.testing.assert_close(one.mean, other.mean, rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(one.covariance, other.covariance, rtol=0, atol=2e-3 * scale)


def test_a_run_draws_from_its_own_mixtures_without_images(tmp_path: Path):
    run, samples = tiny_run(tmp_path / "run", SYNTHESIS), hands(tmp_path)
    from_prior = sample_images(Model.load(run), 3, 5)
    assert from_prior.about["pose"]["from"] == "prior"
    fit_latents(run, samples)
    model = Model.load(run)
    own, given = sample_images(model, 3, 5), sample_images(model, 3, 5, samples)
    assert torch.allclose(own.images, given.images, atol=0.02)
    assert own.about["content"] == {"from": "fitted", "numbers": 4, "components": 1, "images": 4}
    assert torch.equal(sample_images(model, 3, 5, fitted=False).images, from_prior.images)


def test_sources_of_sets_use_the_mixtures_of_the_run(tmp_path: Path):
    run = tiny_run(tmp_path / "run", SYNTHESIS)
    with pytest.raises(HandsError, match="the run holds no mixtures"):
        find_source("fitted", "content", Model.load(run), None)
    mixtures = fit_latents(run, hands(tmp_path))
    source = find_source("fitted", "content", Model.load(run), None)
    assert isinstance(source, Random)
    assert torch.allclose(
        source.mixture.components[0].mean, mixtures["content"].components[0].mean, atol=1e-2
    )


def test_mixtures_of_other_weights_are_refused(tmp_path: Path):
    run = tiny_run(tmp_path / "run", SYNTHESIS)
    fit_latents(run, hands(tmp_path))
    weights = load_file(run / WEIGHTS)
    save_file({name: t * 1.01 if t.is_floating_point() else t for name, t in weights.items()}, run / WEIGHTS)
    with pytest.raises(HandsError, match="was fitted to other weights"):
        sample_images(Model.load(run), 3)
    assert own_latents(tiny_model(SYNTHESIS)) == ({}, 0)


def test_a_file_that_states_no_number_of_images_is_refused(tmp_path: Path):
    run = tiny_run(tmp_path / "run", SYNTHESIS)
    fit_latents(run, hands(tmp_path))
    tensors, about = read_tensors(run / LATENTS)
    for images in ("", "9" * 5000):
        write_tensors(run / LATENTS, tensors, about | {"images": images})
        with pytest.raises(HandsError, match="does not state the number of images"):
            own_latents(Model.load(run))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("mean", lambda t: t[:, 1:]),
        ("mean", lambda t: t * float("nan")),
        ("weights", lambda t: -t),
        ("weights", lambda t: t.repeat(50)),
        ("factor", lambda t: 0 * t),
        ("factor", lambda t: t.long()),
    ],
)
def test_damaged_mixtures_are_refused(name, change):
    q = {"a": Gaussian(torch.randn(30, 3, generator=torch.Generator().manual_seed(0)), torch.zeros(30, 3))}
    tensors = to_tensors(LatentMixture.fit(q))
    with pytest.raises(HandsError, match=r"^file: "):
        from_tensors(tensors | {name: change(tensors[name])}, {"a": 3}, Path("file"))


def test_a_publication_has_the_mixtures(tmp_path: Path):
    run = tiny_run(tmp_path / "run", SYNTHESIS)
    fit_latents(run, hands(tmp_path))
    published = write_publication(run, About("owner/name", "mit", {}), tmp_path / "published")
    assert (published / LATENTS).read_bytes() == (run / LATENTS).read_bytes()
    assert own_latents(Model.load(published))[1] == 4


def test_runs_and_images_that_cannot_be_fitted_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture):
    for name in ("synthesis", "hf-hub:owner/name"):
        with pytest.raises(HandsError, match="is not a folder of your own"):
            fit_latents(name, hands(tmp_path))
    with pytest.raises(HandsError, match="no images are given"):
        fit_latents(tiny_run(tmp_path / "synthesis", SYNTHESIS), [])
    run = tiny_run(tmp_path / "estimation", ESTIMATION)
    with pytest.raises(HandsError, match="no decoder writes rgb"):
        fit_latents(run, hands(tmp_path))
    assert main(["runs", "fit-latents", str(run), "--data", "rendered", "--root", str(tmp_path / "no")]) == 2
    assert not (run / LATENTS).exists()
    assert "no" in capsys.readouterr().err
