"""Calibration finds the width of the distribution that the ground truth was drawn from."""

import pytest
import torch
from tiny_hands import windows
from tiny_models import ESTIMATION, PX, tiny_model, tiny_run

from latent_hands import synthesis
from latent_hands.errors import HandsError
from latent_hands.evaluation import calibration
from latent_hands.evaluation.calibration import InferredHands, calibrate, fit_temperature, halves
from latent_hands.paper.latent import draw
from latent_hands.runs.folder import load_run


def hands(temperature: float, count: int = 200) -> InferredHands:
    """Hands whose ground truth is drawn from posteriors that are wider by `temperature` than the model's."""
    model = tiny_model(ESTIMATION)
    with torch.inference_mode():
        factors = model.experiment.decoders["pose"].factors
        images = torch.rand(count, 3, model.crop_px, model.crop_px) * 2 - 1
        q = synthesis.posterior(model.vae, factors, {"rgb": images})
        wide = synthesis.widened(q, temperature)
        truth = synthesis.decode(model.vae, draw(wide, torch.Generator().manual_seed(1)))["pose"]
    bone_mm, visible = torch.full((count,), 40.0), torch.ones(count, 20, dtype=torch.bool)
    block = torch.arange(count) // 2
    return InferredHands(model, [(q, None)], truth[:, 1:] * 40, bone_mm, visible, block, None)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_the_width_that_truth_was_drawn_with_is_found(temperature):
    torch.manual_seed(0)
    found = fit_temperature(hands(temperature))
    assert found.temperature == pytest.approx(temperature, rel=0.1)
    assert found.after == pytest.approx((1, 1), rel=0.2)


def test_a_run_is_calibrated_and_written_only_on_demand(tmp_path, monkeypatch):
    run = tiny_run(tmp_path / "run", ESTIMATION)
    crops = windows(20, PX).with_labels(block=torch.arange(20) // 2)
    monkeypatch.setattr(calibration, "evaluation_windows", lambda *_: crops)
    before = (run / "experiment.toml").read_bytes()
    found = calibrate(run, [])
    assert (run / "experiment.toml").read_bytes() == before
    assert calibrate(run, [], write=True) == found
    assert load_run(run)[1].sampling.temperature == found.temperature


def test_scenes_are_never_halved():
    block = torch.tensor([3, 3, 7, 7, 7, 9, 11])
    one, other = halves(block)
    assert (one ^ other).all()
    assert all(len(one[block == b].unique()) == 1 for b in block.unique())
    with pytest.raises(HandsError, match="hands come from 1 scene"):
        halves(torch.tensor([4, 4, 4]))
