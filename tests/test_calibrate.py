"""Calibration finds the width of the distribution that the ground truth was drawn from."""

import pytest
import torch
from command_line import fails
from tiny_hands import windows
from tiny_models import ESTIMATION, PX, tiny_model, tiny_run

from latent_hands import synthesis
from latent_hands.errors import HandsError
from latent_hands.evaluation import calibration
from latent_hands.evaluation.calibration import (
    InferredHands,
    calibrate,
    fit_temperature,
    halves,
    infer_hands,
)
from latent_hands.evaluation.rules import calibrate_rules
from latent_hands.paper.latent import draw
from latent_hands.predictor import Model
from latent_hands.runs.folder import change_run, find_run, load_run
from latent_hands.runs.shrink import shrink


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


def test_a_shipped_run_is_not_changed():
    shipped = find_run("estimation") / "experiment.toml"
    before = shipped.read_bytes()
    with pytest.raises(HandsError, match="estimation is not a folder of your own"):
        calibrate("estimation", [], write=True)
    with pytest.raises(HandsError, match="estimation is not a folder of your own"):
        calibrate_rules("estimation", [], write=True)
    with pytest.raises(HandsError, match="estimation is not a folder of your own"):
        change_run("estimation", confidence=None)
    assert shipped.read_bytes() == before


def test_a_run_without_a_decoder_of_poses_is_named(tmp_path):
    without = shrink(tiny_run(tmp_path / "run", ESTIMATION), tmp_path / "small", ["decoders.pose"])
    with pytest.raises(HandsError, match="no decoder writes pose"):
        infer_hands(Model.load(without), windows(4, PX))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--no-detector"], "--no-detector have no effect without the rules: add --rules"),
        (["--picture", "x.png"], "--no-detector have no effect without the rules: add --rules"),
        (["--rules", "--also", "a=x", "a=y"], "--also names a twice: x and y; leave one of them out"),
        (["--rules", "--also", "rendered=x"], "--also is rendered=x, but --data is rendered, too"),
        (["--rules", "--also", "a="], '--also is "a=", but must be NAME=DIR, such as ge2019=FOLDER'),
    ],
)
def test_options_that_contradict_each_other_are_refused(options, message, capsys):
    assert message in fails(
        capsys, "runs", "calibrate", "estimation", "--data", "rendered", "--root", "x", *options
    )
