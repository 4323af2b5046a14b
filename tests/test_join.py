"""Joined encoders keep their predictions; together they predict the average."""

from dataclasses import replace

import pytest
import torch
from registries import register
from tiny_models import ESTIMATION, tiny_experiment

from latent_hands import synthesis
from latent_hands.build import build_vae
from latent_hands.errors import HandsError
from latent_hands.networks.resnet import ResNet18
from latent_hands.networks.spec import ENCODERS, Request
from latent_hands.predictor import Model
from latent_hands.runs.folder import Place, load_run, save_run, start_run
from latent_hands.runs.join import join

RGB = ("cpose", "viewpoint")


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    """Register a network beside resnet18."""

    def build(request: Request) -> ResNet18:
        return ResNet18(request.size, 2, "unshuffle")

    register(monkeypatch, ENCODERS, "small", build)


def written(folder, backbone, **changed):
    """Write a run with the weights of seed 0, except those of its encoder of rgb."""
    experiment = tiny_experiment(ESTIMATION, crop_px=32, window_px=32)
    data = replace(experiment.data, frame=changed.get("frame", experiment.data.frame))
    experiment = replace(experiment, data=data)
    networks = replace(experiment.networks, image_encoder=backbone)
    vae = build_vae(replace(experiment, networks=networks))
    for name, t in build_vae(experiment).state_dict().items():
        if not name.startswith("encoders.rgb."):
            vae.state_dict()[name].copy_(t + changed.get("shift", 0.0))
    start_run(folder, replace(experiment, networks=networks))
    save_run(folder, vae, {}, Place())
    return str(folder)


def test_joined_encoders_predict_the_mean_of_their_predictions(tmp_path):
    runs = [written(tmp_path / name, name) for name in ("small", "resnet18")]
    join(runs, tmp_path / "both")
    vae, experiment = load_run(tmp_path / "both")
    assert {n: a.network for n, a in experiment.encoders.items() if a.reads == "rgb"} == {
        "rgb": "small",
        "rgb_resnet18": "resnet18",
    }
    batch = {"rgb": torch.rand(3, 3, 32, 32) * 2 - 1}
    with torch.no_grad():
        alone = [synthesis.posterior(load_run(run)[0], RGB, batch) for run in runs]
        named = [synthesis.posterior(vae, RGB, batch, name) for name in ("rgb", "rgb_resnet18")]
        both = synthesis.posterior(vae, RGB, batch)
    for factor in RGB:
        for q, same in zip(alone, named, strict=True):
            assert torch.equal(q[factor].mean, same[factor].mean)
        for part in ("mean", "log_var"):
            middle = sum(getattr(q[factor], part) for q in alone) / 2
            torch.testing.assert_close(getattr(both[factor], part), middle)
    assert Model.load(tmp_path / "both").outputs(batch["rgb"])["pose"].shape == (3, 21, 3)


def test_a_joined_run_is_joined_again_and_each_encoder_has_its_own_name(tmp_path):
    runs = [written(tmp_path / str(i), name) for i, name in enumerate(("small", "resnet18"))]
    join(runs, tmp_path / "both")
    again = written(tmp_path / "again", "small")
    join([again, str(tmp_path / "both")], tmp_path / "three")
    vae, experiment = load_run(tmp_path / "three")
    names = ["rgb", "rgb_small", "rgb_resnet18"]
    assert [name for name, arrow in experiment.encoders.items() if arrow.reads == "rgb"] == names
    batch = {"rgb": torch.rand(3, 3, 32, 32) * 2 - 1}
    with torch.no_grad():
        mean = sum(synthesis.posterior(vae, RGB, batch, name)["cpose"].mean for name in names) / 3
        torch.testing.assert_close(synthesis.posterior(vae, RGB, batch)["cpose"].mean, mean)


def test_encoders_over_different_latents_are_not_joined(tmp_path):
    runs = [written(tmp_path / "a", "resnet18"), written(tmp_path / "b", "resnet18", shift=0.1)]
    with pytest.raises(HandsError, match=r"differs between .*a and .*b: only encoders of rgb may differ"):
        join(runs, tmp_path / "both")
    assert not (tmp_path / "both").exists()


def test_encoders_that_read_other_crops_are_not_joined(tmp_path):
    runs = [written(tmp_path / "a", "resnet18"), written(tmp_path / "b", "resnet18", frame="ray")]
    with pytest.raises(HandsError, match=r"\[data\] frame differs between .*a and .*b: camera and ray"):
        join(runs, tmp_path / "both")
