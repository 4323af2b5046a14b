"""The estimator that reads transfers: what it may read, and that it sees whole hands."""

from dataclasses import replace

import pytest
import torch
from painted_swaps import world
from tiny_models import ESTIMATION, PX, SYNTHESIS, tiny_model

from latent_hands.cli.assess import find_estimator
from latent_hands.errors import HandsError
from latent_hands.predictor import Model
from latent_hands.studies.assess import Estimator

BENCHMARK, _ = world()


@pytest.mark.parametrize(
    ("its", "runs", "told"),
    [
        ({"convention": "ge2019"}, {}, """estimator's convention is "ge2019"; .*: "rhd\""""),
        ({"side": "condition"}, {}, """estimator's side is "condition"; .*: "mirror\""""),
        ({"crop": "scene"}, {}, """estimator's crop is "scene"; .*: "box\""""),
        ({}, {"side": "condition"}, """run's side is "condition"; .*: "mirror\""""),
    ],
)
def test_an_estimator_must_read_the_same_joints_from_boxes_of_left_hands(
    its, runs, told, capsys, monkeypatch
):
    data = tiny_model(SYNTHESIS, **runs).experiment.data
    monkeypatch.setattr(Model, "load", lambda _: tiny_model(ESTIMATION, **its))
    with pytest.raises(HandsError, match=told):
        find_estimator(data, "runs/mine")
    assert find_estimator(data, None) is None
    assert "No estimator reads poses: the" in capsys.readouterr().err


@pytest.mark.parametrize("px", [32, 128])
def test_an_estimator_sees_the_whole_hand_at_any_size(px, monkeypatch):
    model, seen = tiny_model(ESTIMATION), []
    monkeypatch.setattr(model, "outputs", lambda crops: seen.append(crops) or {"pose": torch.zeros(1, 21, 3)})
    joints = torch.linspace(0.1, 0.9, 21)[:, None].expand(21, 2) * px
    image = torch.full((1, 3, px, px), -1.0)
    for u, v in joints.round().long().tolist():
        image[0, :, v, u] = 1.0
    K, count = torch.tensor([[px, 0, px / 2], [0, px, px / 2], [0, 0, 1.0]]), len(BENCHMARK.rgb)
    labels = {"uv_px": joints.round().expand(count, 21, 2), "K": K.expand(count, 3, 3)}
    Estimator(model).read(image, replace(BENCHMARK, **labels), torch.zeros(1, dtype=torch.int64))
    lit = (seen[0][0].mean(dim=0) > -0.99).nonzero().float()
    assert lit.amin() < 8
    assert lit.amax() > 0.7 * PX


def test_an_estimator_must_know_where_hands_are():
    with pytest.raises(HandsError, match="needs to know where hands are"):
        Estimator(tiny_model(ESTIMATION)).read(BENCHMARK.rgb, BENCHMARK, torch.arange(len(BENCHMARK.rgb)))
