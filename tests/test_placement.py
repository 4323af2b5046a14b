"""Placement is a factor: it can be added to a finished latent, which stays as it was."""

import pytest
import torch
from tiny_hands import hands

from latent_hands.build.graph import build_vae
from latent_hands.build.phases import build_phases
from latent_hands.configuration import load_experiment
from latent_hands.errors import HandsError
from latent_hands.paper.latent import means
from latent_hands.runs.folder import load_run
from latent_hands.training import train
from latent_hands.training.beginning import output_rows, start_with

TINY = [
    *("--networks.width=4", "--networks.hidden=16", "--networks.layers=2", "--data.crop_px=16"),
    *("--data.frame=camera", "--training.batch_size=8", "--training.warmup=0"),
]
SHORT = [
    f"--phases.{name}.{key}"
    for name in ("disentangle", "embed_pose", "embed_rgb")
    for key in ("epochs=1", "batch_size=8")
]
LEARNT = ("cpose", "viewpoint", "pose")
FROZEN = [f"encoders.{name}" for name in LEARNT] + [f"decoders.{name}" for name in LEARNT]
FROZEN_OPTION = f"--training.frozen={FROZEN}".replace("'", '"')


@pytest.fixture
def finished(tmp_path):
    assert train(load_experiment("estimation", [*TINY, *SHORT]), tmp_path / "finished", hands=hands())
    return tmp_path / "finished"


def test_outputs_of_a_factor_are_its_means_and_its_log_variances():
    assert output_rows({"a": 2, "b": 1}, ["b", "a"]) == [2, 0, 1, 5, 3, 4]


def test_an_encoder_of_one_more_factor_still_infers_the_others_as_before(finished):
    old, _ = load_run(finished)
    experiment = load_experiment("placement", [*TINY, "--training.seed=7"])
    new = build_vae(experiment)
    fresh = new.encode("rgb", batch := {"rgb": torch.rand(3, 3, 16, 16)})["place"].mean.clone()
    start_with(new, finished)
    before, after = old.eval().encode("rgb", batch), new.eval().encode("rgb", batch)
    for factor, expected in before.items():
        torch.testing.assert_close(after[factor].mean, expected.mean)
        torch.testing.assert_close(after[factor].log_var, expected.log_var)
    assert after["place"].mean.shape == fresh.shape
    assert means(after)["place"].std() > 0


def test_an_encoder_that_infers_a_factor_of_another_size_is_refused(finished):
    other = build_vae(load_experiment("placement", [*TINY, "--latent.cpose=5"]))
    with pytest.raises(HandsError, match=r"encoders.\w+ of .* has another size"):
        start_with(other, finished)


def test_a_factor_is_added_to_a_finished_latent_which_stays_bit_identical(finished, tmp_path):
    options = [*TINY, *SHORT, f"--training.start={finished}", FROZEN_OPTION]
    assert train(load_experiment("placement", options), tmp_path / "placed", hands=hands())
    before, after = load_run(finished)[0].state_dict(), load_run(tmp_path / "placed")[0].state_dict()
    same = {name for name, tensor in before.items() if name in after and tensor.equal(after[name])}
    assert {name for name in before if name.startswith(tuple(FROZEN))} <= same
    start = build_vae(load_experiment("placement", options)).state_dict()
    for arrow in ("encoders.place", "decoders.place", "decoders.uv"):
        assert any(not start[name].equal(after[name]) for name in after if name.startswith(arrow))


def test_steps_and_phases_that_train_nothing_are_left_out(finished):
    options = [*TINY, f"--training.start={finished}", FROZEN_OPTION]
    experiment = load_experiment("placement", options)
    phases = build_phases(experiment, build_vae(experiment))
    assert [phase.name for phase in phases] == ["disentangle", "embed_rgb"]
    assert phases[0].steps[0].phi == ("place", "side")
    assert phases[0].steps[0].theta == ("place", "side", "uv")


def test_an_unknown_frozen_arrow_is_refused():
    experiment = load_experiment("placement", [*TINY, '--training.frozen=["decoders.pos"]'])
    with pytest.raises(HandsError, match=r'frozen: unknown arrow "decoders.pos"; did you mean'):
        build_phases(experiment, build_vae(experiment))


def test_an_image_decoder_may_be_narrower():
    small = load_experiment("synthesis", [*TINY, "--networks.decoder_width=4", "--decoders.tag.width=2"])
    decoders = build_vae(small).decoders
    assert decoders["tag"].network.growth[-1].weight.shape[0] == 2
    assert decoders["rgb"].network.growth[-1].weight.shape[0] == 4


def test_an_arrow_may_have_fewer_hidden_units():
    small = load_experiment("placement", [*TINY, "--decoders.place.hidden=4"])
    vae = build_vae(small)
    sizes = {name: vae.decoder(name).state_dict() for name in ("place", "pose")}
    assert [min(max(t.shape) for t in tensors.values()) for tensors in sizes.values()] == [3, 16]
