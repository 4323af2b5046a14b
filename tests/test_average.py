"""The mean of one run is the run itself; the mean of two is half-way between; other graphs are refused."""

import pytest
import torch
from tiny_models import ESTIMATION, SYNTHESIS, tiny_experiment, tiny_model

from latent_hands.errors import HandsError
from latent_hands.runs.average import average
from latent_hands.runs.folder import Place, load_run, save_run, start_run
from latent_hands.runs.join import join


def written(folder, graph, shift=0.0, **data):
    model = tiny_model(graph)
    with torch.no_grad():
        for weight in model.vae.parameters():
            weight.add_(shift)
    start_run(folder, tiny_experiment(graph, **data))
    save_run(folder, model.vae, {}, Place())
    return str(folder)


def test_the_mean_of_two_runs_is_half_way_between(tmp_path):
    runs = [written(tmp_path / str(shift), ESTIMATION, shift) for shift in (0.0, 0.5)]
    average(runs, tmp_path / "mean")
    average(runs[:1], tmp_path / "same")
    low, high, mean, same = (
        dict(load_run(run)[0].named_parameters()) for run in (*runs, tmp_path / "mean", tmp_path / "same")
    )
    for name in low:
        torch.testing.assert_close(mean[name], (low[name] + high[name]) / 2)
        assert torch.equal(same[name], low[name])


def test_runs_of_different_graphs_have_no_mean(tmp_path):
    runs = [written(tmp_path / "a", ESTIMATION), written(tmp_path / "b", SYNTHESIS)]
    with pytest.raises(HandsError, match="another graph"):
        average(runs, tmp_path / "mean")
    assert not (tmp_path / "mean").exists()


def test_runs_with_different_inputs_have_no_mean(tmp_path):
    runs = [written(tmp_path / "a", ESTIMATION), written(tmp_path / "b", ESTIMATION, frame="ray")]
    with pytest.raises(HandsError, match=r"\[data\] frame differs between .*b and .*a: ray and camera"):
        average(runs, tmp_path / "mean")
    assert not (tmp_path / "mean").exists()


@pytest.mark.parametrize("combine", [average, join])
def test_a_run_that_is_given_twice_is_announced(combine, tmp_path, caplog):
    run = written(tmp_path / "a", ESTIMATION)
    combine([run, str(run)], tmp_path / "both")
    assert "a is given twice, so it counts twice" in caplog.text


def test_no_run_has_no_mean(tmp_path):
    with pytest.raises(HandsError, match="no run is given"):
        average([], tmp_path / "mean")


def test_runs_of_other_beginnings_are_announced(tmp_path, caplog):
    first = written(tmp_path / "a", ESTIMATION)
    vae, _ = load_run(first)
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in vae.parameters():
            weight.normal_()
    start_run(tmp_path / "b", tiny_experiment(ESTIMATION))
    save_run(tmp_path / "b", vae, {}, Place())
    average([first], tmp_path / "same")
    assert not caplog.text
    average([first, tmp_path / "b"], tmp_path / "mean")
    assert "did not begin with the same weights" in caplog.text


@pytest.mark.parametrize(
    ("key", "value"), [("frame", "ray"), ("right_hands", "condition"), ("crop", "scene")]
)
def test_weights_of_another_experiment_are_refused(key, value, tmp_path):
    written(tmp_path / "a", ESTIMATION)
    start_run(tmp_path / "b", tiny_experiment(ESTIMATION, **{key: value}))
    (tmp_path / "a/weights.safetensors").rename(tmp_path / "b/weights.safetensors")
    with pytest.raises(HandsError, match=rf"\[data\] {key} = .*, but experiment.toml has {value}"):
        load_run(tmp_path / "b")


@pytest.mark.parametrize("combine", [average, join])
def test_a_decoder_that_reads_its_factors_in_another_order_is_refused(combine, tmp_path):
    order = '"pose", factors = ["{}", "{}"] }}\n[alg'
    other = ESTIMATION.replace(order.format("cpose", "viewpoint"), order.format("viewpoint", "cpose"))
    assert other != ESTIMATION
    runs = [written(tmp_path / "a", ESTIMATION), written(tmp_path / "b", other)]
    with pytest.raises(HandsError, match=r"decoders.pose differs between .*: factors is "):
        combine(runs, tmp_path / "both")
    assert not (tmp_path / "both").exists()


def test_an_encoder_of_tags_is_not_averaged_with_one_of_images(tmp_path):
    tagged = ESTIMATION.replace('rgb = { reads = "rgb"', 'rgb = { reads = "tag"')
    runs = [written(tmp_path / "a", ESTIMATION), written(tmp_path / "b", tagged)]
    with pytest.raises(
        HandsError, match=r"encoders.rgb differs between .*b and .*a: reads is tag, and is rgb"
    ):
        average(runs, tmp_path / "mean")
