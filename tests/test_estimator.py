"""The estimator of assessment: its requirements, and crops that contain the whole hand."""

from dataclasses import replace

import pytest
import torch
from painted_swaps import world
from tiny_models import ESTIMATION, PX, SYNTHESIS, tiny_model

from latent_hands.cli.assess import find_estimator
from latent_hands.errors import HandsError
from latent_hands.hand.translation import translate
from latent_hands.predictor import Model
from latent_hands.studies.assess import Estimator

BENCHMARK, _ = world()


@pytest.mark.parametrize(
    ("its", "runs", "error"),
    [
        ({"right_hands": "condition"}, {}, """estimator's side is "condition"; .* needs "mirror\""""),
        ({"crop": "scene"}, {}, """estimator's crop is "scene"; .* needs "box\""""),
        ({}, {"right_hands": "condition"}, """run's side is "condition"; .* needs "mirror\""""),
    ],
)
def test_an_estimator_must_read_boxes_of_left_hands(its, runs, error, capsys, monkeypatch):
    data = tiny_model(SYNTHESIS, **runs).experiment.data
    monkeypatch.setattr(Model, "load", lambda _: tiny_model(ESTIMATION, **its))
    with pytest.raises(HandsError, match=error):
        find_estimator(data, "runs/mine")
    assert find_estimator(data, None) is None
    assert "No estimator reads poses: the" in capsys.readouterr().err


def test_the_estimator_reads_joints_in_the_convention_of_the_benchmark(monkeypatch):
    model = tiny_model(ESTIMATION, convention="ge2019", frame="camera")
    index, count = torch.arange(32), len(BENCHMARK.rgb)
    pose = 0.1 * torch.randn(32, 21, 3) + BENCHMARK.camera_pose[index]
    monkeypatch.setattr(model, "outputs", lambda crops: {"pose": pose})
    labels = {"uv_px": 16 + 8 * torch.rand(count, 21, 2), "K": 40 * torch.eye(3).expand(count, 3, 3)}
    benchmark = replace(BENCHMARK, **labels)
    images = benchmark.rgb[index]
    own = Estimator(model).read(images, replace(benchmark, convention="ge2019"), index)
    read = Estimator(model).read(images, benchmark, index)
    torch.testing.assert_close(own, pose)
    torch.testing.assert_close(read, translate(pose, "ge2019", benchmark.convention))
    assert (read - own).norm(dim=-1).mean() > 0.05


@pytest.mark.parametrize("px", [32, 128])
def test_the_crop_of_an_estimator_contains_the_whole_hand_at_any_size(px, monkeypatch):
    model, crops = tiny_model(ESTIMATION), []
    monkeypatch.setattr(
        model, "outputs", lambda batch: crops.append(batch) or {"pose": torch.zeros(1, 21, 3)}
    )
    joints = torch.linspace(0.1, 0.9, 21)[:, None].expand(21, 2) * px
    image = torch.full((1, 3, px, px), -1.0)
    for u, v in joints.round().long().tolist():
        image[0, :, v, u] = 1.0
    K, count = torch.tensor([[px, 0, px / 2], [0, px, px / 2], [0, 0, 1.0]]), len(BENCHMARK.rgb)
    labels = {"uv_px": joints.round().expand(count, 21, 2), "K": K.expand(count, 3, 3)}
    Estimator(model).read(image, replace(BENCHMARK, **labels), torch.zeros(1, dtype=torch.int64))
    lit = (crops[0][0].mean(dim=0) > -0.99).nonzero().float()
    assert lit.amin() < 8
    assert lit.amax() > 0.7 * PX


def test_an_estimator_needs_2d_joints_and_cameras():
    with pytest.raises(HandsError, match="needs a benchmark with 2D joints"):
        Estimator(tiny_model(ESTIMATION)).read(BENCHMARK.rgb, BENCHMARK, torch.arange(len(BENCHMARK.rgb)))
