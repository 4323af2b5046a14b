"""Training: one loop for every algorithm, exact resumption, errors before the first batch."""

import json
import shutil
from dataclasses import replace

import pytest
import torch
from interruption import ctrl_c_after
from tiny_hands import TINY, hands, windows

from latent_hands.build import Hands, build_batches, build_phases, build_vae, build_validation
from latent_hands.build.unused import announce_enlarged, announce_unused
from latent_hands.configuration import load_experiment
from latent_hands.data import batches
from latent_hands.errors import HandsError
from latent_hands.networks.efficientnet import EfficientNetLite0
from latent_hands.paper.algorithms import keys
from latent_hands.runs import folder
from latent_hands.runs.folder import WEIGHTS, Place, load_run, start_run
from latent_hands.runs.shrink import shrink
from latent_hands.runs.tensors import write_tensors
from latent_hands.training import train
from latent_hands.training.beginning import start_with
from latent_hands.training.learning import try_step
from latent_hands.training.progress import Reporter
from latent_hands.training.schedule import check_warmup, learning_rate
from latent_hands.training.validation import validate

TINY = [*TINY, "--training.batch_size=8", "--training.warmup=2"]


def tiny(name="estimation", *more):
    plans = {
        "estimation": ("disentangle", "embed_pose", "embed_rgb"),
        "synthesis": ("disentangle", "embed_rgb"),
        "cross_modal": ("cross_modal",),
        "algorithm_2": ("disentangle", "embed_rgb"),
    }.get(name, (name,))
    budget = [f"--phases.{p}.{k}" for p in plans for k in ("epochs=2", "batch_size=8", "learning_rate=1e-3")]
    return load_experiment(name, [*TINY, *budget, *more])


def metrics(out):
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(
    "name",
    ["estimation", "synthesis", "cross_modal", "algorithm_2", "simultaneous", "alternating", "regression"],
)
def test_every_experiment_runs_through_the_one_loop(name, tmp_path):
    assert train(tiny(name), tmp_path / "run", hands=hands())
    lines = metrics(tmp_path / "run")
    last = lines[-1]
    assert {"phase", "update", "epe_mm"} <= last.keys()
    assert any(key.startswith("active_") for key in last)
    terms = next(line for line in lines if "bound" in line)
    assert {"log_p_pose", "learning_rate", "samples_per_s"} <= terms.keys()
    assert any(key.startswith("kl_") for key in terms)
    load_run(tmp_path / "run")


def test_a_run_starts_with_the_weights_of_another_and_resumes_without_it(tmp_path):
    first, second, unsaved = (tmp_path / name for name in ("first", "second", "unsaved"))
    train(tiny("cross_modal"), first, hands=hands())
    slow = "--phases.cross_modal.learning_rate=1e-8"
    experiment = tiny("cross_modal", f"--training.start={first}", "--training.seed=9", slow)
    with ctrl_c_after(2):
        assert not train(experiment, second, hands=hands())
    start_run(unsaved, experiment)
    assert train(experiment, unsaved, resume=True, hands=hands())
    expected = dict(load_run(first)[0].named_parameters())
    for run in (second, unsaved):
        for name, weight in load_run(run)[0].named_parameters():
            torch.testing.assert_close(weight, expected[name], rtol=0, atol=1e-6)
    shutil.rmtree(first)
    assert train(experiment, second, resume=True, hands=hands())


def test_an_encoder_without_weights_of_another_run_starts_pretrained(tmp_path, monkeypatch):
    backbone = "--networks.image_encoder=efficientnet_lite0"
    with pytest.raises(HandsError, match="crop_px is 16; efficientnet_lite0 needs a multiple of 32"):
        train(tiny("regression", backbone), tmp_path / "first", hands=hands())
    larger = (backbone, "--data.crop_px=32", "--data.window_px=32")
    assert train(tiny("regression", *larger), tmp_path / "first", hands=hands(px=32))
    learnt = load_run(tmp_path / "first")[0].state_dict()
    fixed = {n: t for n, t in learnt.items() if ".network.fixed." in n and t.dim() == 4}
    own = EfficientNetLite0(2).pretrained().state_dict()
    assert fixed
    assert all(torch.equal(t, own[n.partition(".network.")[2]]) for n, t in fixed.items())
    monkeypatch.setattr("latent_hands.networks.efficientnet.PACKAGE", "no_such_package")
    start = f"--training.start={tmp_path / 'first'}"
    assert train(tiny("regression", *larger, start), tmp_path / "second", hands=hands(px=32))
    with pytest.raises(HandsError, match="the package no_such_package, which is not installed"):
        train(tiny("regression", *larger), tmp_path / "third", hands=hands(px=32))
    assert not (tmp_path / "third").exists()


SEMI_AND_WEAK = (
    "--supervision.labelled=0.5",
    "--supervision.semi=true",
    "--supervision.weak={viewpoint=1.0}",
)


@pytest.mark.parametrize(
    ("steps", "name", "more"),
    [
        (3, "estimation", ()),
        (5, "estimation", ()),
        (13, "estimation", ()),
        (24, "estimation", ()),
        (24, "estimation", SEMI_AND_WEAK),
        (4, "alternating", ()),
        (28, "synthesis", ("--objectives.rereading={rgb=1.0}", "--phases.refine_rgb.epochs=2")),
    ],
)
def test_a_stopped_and_resumed_run_equals_an_undisturbed_run(steps, name, more, tmp_path):
    experiment = tiny(name, *more)
    assert train(experiment, tmp_path / "whole", hands=hands())
    with ctrl_c_after(steps):
        assert not train(experiment, tmp_path / "parts", hands=hands())
    assert train(experiment, tmp_path / "parts", resume=True, hands=hands())
    whole, parts = (load_run(tmp_path / name)[0].state_dict() for name in ("whole", "parts"))
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    lines = [metrics(tmp_path / n) for n in ("whole", "parts")]
    for line in (*lines[0], *lines[1]):
        line.pop("samples_per_s", None)
    assert lines[0] == lines[1]


def test_weights_without_a_state_are_not_trained_over(tmp_path):
    experiment = tiny("cross_modal")
    train(experiment, tmp_path / "run", hands=hands())
    small = shrink(tmp_path / "run", tmp_path / "small")
    kept = {file.name: file.read_bytes() for file in small.iterdir()}
    own = load_experiment(small / "experiment.toml")
    with pytest.raises(HandsError, match=r"has weights but no resume.safetensors, so it cannot be resumed"):
        train(own, small, resume=True, hands=hands())
    assert {file.name: file.read_bytes() for file in small.iterdir()} == kept


def test_a_first_save_that_ends_between_its_files_resumes_from_the_beginning(tmp_path, monkeypatch):
    experiment, written = tiny("cross_modal"), []
    train(experiment, tmp_path / "whole", hands=hands())

    def killed(path, *rest):
        written.append(path.name)
        if written.count("resume.safetensors") == 2:
            raise KeyboardInterrupt
        write_tensors(path, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(folder, "write_tensors", killed)
        with pytest.raises(KeyboardInterrupt):
            train(experiment, tmp_path / "killed", hands=hands())
    assert written == ["resume.safetensors", "weights.safetensors", "resume.safetensors"]
    assert train(experiment, tmp_path / "killed", resume=True, hands=hands())
    whole, resumed = (load_run(tmp_path / name)[0].state_dict() for name in ("whole", "killed"))
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_a_run_that_never_saved_resumes_from_its_beginning(tmp_path):
    experiment = tiny("cross_modal")
    train(experiment, tmp_path / "whole", hands=hands())
    start_run(tmp_path / "killed", experiment)
    assert train(experiment, tmp_path / "killed", resume=True, hands=hands())
    whole, killed = (load_run(tmp_path / name)[0].state_dict() for name in ("whole", "killed"))
    assert all(torch.equal(whole[name], killed[name]) for name in whole)


def test_resuming_a_finished_run_changes_nothing_and_says_so(tmp_path, capsys):
    train(tiny("cross_modal"), tmp_path / "run", hands=hands())
    before = (tmp_path / "run" / "weights.safetensors").read_bytes()
    assert "is finished" not in capsys.readouterr().out
    assert train(tiny("cross_modal"), tmp_path / "run", resume=True, hands=hands())
    assert (tmp_path / "run" / "weights.safetensors").read_bytes() == before
    assert "is finished, at update 10: nothing is left to train" in " ".join(capsys.readouterr().out.split())


def test_a_phase_without_images_reads_none(tmp_path, monkeypatch):
    monkeypatch.setattr(batches, "draw_images", None)
    experiment = tiny()
    experiment = replace(experiment, algorithm=replace(experiment.algorithm, embed=("pose",)), phases={})
    assert train(experiment, tmp_path / "run", hands=hands())


def test_a_minute_budget_ends_a_phase(tmp_path):
    experiment = tiny(
        "cross_modal", "--phases.cross_modal.epochs=100000", "--phases.cross_modal.minutes=0.01"
    )
    assert train(experiment, tmp_path / "run", hands=hands())
    assert metrics(tmp_path / "run")[-1]["update"] < 5000


def test_the_cosine_schedule_ends_at_zero():
    training, place = tiny().training, Place()
    phase = build_phases(tiny(), build_vae(tiny()))[0]
    rates = []
    for place.phase_update in range(phase.epochs * 10 + 1):
        rates.append(learning_rate(training, phase, place, 10))
    assert rates[0] < rates[2]
    assert max(rates) <= phase.learning_rate
    assert rates[-1] == pytest.approx(0, abs=1e-12)


def test_a_warm_up_longer_than_a_phase_is_announced(caplog):
    phase = build_phases(tiny(), build_vae(tiny()))[0]
    check_warmup(tiny().training, phase, 10)
    assert not caplog.text
    check_warmup(tiny("estimation", "--training.warmup=20").training, phase, 10)
    assert "phase disentangle has 20 updates, all in the warm-up of 20" in caplog.text


def test_infinite_terms_are_reported_with_their_place_and_nothing_is_saved(tmp_path):
    broken = start_run(tmp_path / "broken", tiny())
    vae = build_vae(tiny())
    torch.nn.init.constant_(vae.decoder("pose").network.layers[-1].bias, 1e30)
    write_tensors(broken / WEIGHTS, vae.state_dict(), {})
    with pytest.raises(HandsError, match='"disentangle", update 0: term log_p_pose is -inf'):
        train(tiny("estimation", f"--training.start={broken}"), tmp_path / "run", hands=hands())
    assert not (tmp_path / "run" / "weights.safetensors").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda hands: hands.with_images(["rgb"]),
            'phase "disentangle": the samples have no "tag"',
        ),
        (lambda hands: hands.with_labels(pose=None), 'phase "disentangle": the samples have no "pose"'),
    ],
)
def test_data_without_a_modality_are_refused_before_the_first_batch(change, message, tmp_path):
    data = Hands(change(windows()), None)
    with pytest.raises(HandsError, match=message):
        train(tiny("synthesis"), tmp_path / "run", hands=data)
    assert not (tmp_path / "run").exists()


def test_too_few_samples_for_a_batch_are_refused(tmp_path):
    with pytest.raises(HandsError, match=r'phase "disentangle": batch_size is 8; .* between 1 and 5'):
        train(tiny(), tmp_path / "run", hands=Hands(windows(5), None))


def test_a_single_value_for_batchnorm_is_refused_before_the_first_phase_and_nothing_moves(tmp_path):
    with pytest.raises(HandsError, match='phase "embed_rgb": BatchNorm has a single value of each channel'):
        train(tiny("estimation", "--phases.embed_rgb.batch_size=1"), tmp_path / "run", hands=hands())
    assert not (tmp_path / "run").exists()
    experiment = tiny("estimation")
    vae = build_vae(experiment)
    before = {name: tensor.clone() for name, tensor in vae.state_dict().items()}
    state, phases = torch.get_rng_state(), build_phases(experiment, vae)
    batch = build_batches(experiment, windows(), phases[-1], 0).batch(0, 0, keys(vae, phases[-1].parts))
    try_step(vae, phases[-1].steps[0], {"all": batch, "labelled": batch})
    assert all(torch.equal(before[name], tensor) for name, tensor in vae.state_dict().items())
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--augmentation.jpeg_quality=[10, 20]"], "jpeg_quality has no effect, because jpeg is 0"),
        (["--augmentation.occluder_size=[0.1, 0.2]"], "occluder_size has no effect, because occluders is 0"),
        (
            ["--data.validation_share=0.2", "--data.validation_split=training"],
            "validation_split is training, which is not used: validation_share is 0.2",
        ),
        (['--algorithm.embed=["cpose", "rgb"]'], "encode and embed both name cpose"),
        (["--augmentation.jpeg_quality=[10, 20]", "--augmentation.jpeg=0.5"], ""),
        (["--data.validation_share=0.2"], ""),
    ],
)
def test_settings_without_an_effect_are_announced(options, message, caplog):
    announce_unused(load_experiment("estimation", [*TINY, *options]))
    assert message in caplog.text
    assert bool(message) == bool(caplog.text)


def test_crops_of_few_pixels_are_announced(caplog):
    data = tiny().data
    few = windows().with_labels(crop_side_px=torch.full((40,), data.crop_px / 3.1))
    announce_enlarged(data, windows().with_labels(crop_side_px=torch.full((40,), data.crop_px / 2.9)))
    assert not caplog.text
    announce_enlarged(data, few)
    assert "crop_px is 16, but the crops have a median of 5 pixels in their images" in caplog.text


def test_a_run_folder_in_the_data_set_is_refused(tmp_path):
    (tmp_path / "hands").mkdir()
    experiment = tiny("estimation", f"--data.root={tmp_path / 'hands'}")
    with pytest.raises(HandsError, match="run is in the input folder"):
        train(experiment, tmp_path / "hands" / "deep" / "run")
    assert list((tmp_path / "hands").iterdir()) == []


def test_data_without_a_root_are_refused(tmp_path):
    with pytest.raises(HandsError, match='root is empty: give the folder of "rendered"'):
        train(tiny("estimation", "--data.root="), tmp_path / "run")


def test_a_second_training_into_the_same_folder_is_refused(tmp_path):
    train(tiny("cross_modal"), tmp_path / "run", hands=hands())
    with pytest.raises(HandsError, match="already holds a run"):
        train(tiny("cross_modal"), tmp_path / "run", hands=hands())
    with pytest.raises(HandsError, match=r"a run with another \[latent\]"):
        train(tiny("synthesis"), tmp_path / "run", resume=True, hands=hands())
    changed = tiny("cross_modal", "--training.seed=77")
    with pytest.raises(HandsError, match=r"another \[training\]: seed was \d+, and is now 77\."):
        train(changed, tmp_path / "run", resume=True, hands=hands())


def test_a_dead_factor_is_reported_once(tmp_path, capsys):
    reporter = Reporter(tmp_path)
    reporter.begin("cross_modal", 8)
    for ended in (False, True, True):
        reporter.validated(Place(), {"active_z": 0.0}, ended)
    assert capsys.readouterr().out.count("DEAD") == 1


def test_a_single_validation_hand_has_no_active_units():
    experiment = tiny("cross_modal")
    vae = build_vae(experiment)
    (phase,) = build_phases(experiment, vae)
    for count in (1, 2):
        held_out = build_validation(experiment, windows(count))
        found = validate(vae, phase, held_out, torch.device("cpu"))
        assert "epe_mm" in found
        assert any(name.startswith("active_") for name in found) == (count > 1)


def test_batchnorm_of_a_single_value_is_one_line(tmp_path):
    one = tiny("cross_modal", "--phases.cross_modal.batch_size=1", "--data.crop_px=32")
    with pytest.raises(HandsError, match=r"BatchNorm has a single value.*set batch_size to 2"):
        train(one, tmp_path / "run", hands=hands())


def test_an_arrow_that_reads_something_else_in_the_first_run_is_announced(tmp_path, caplog):
    first = tiny("cross_modal")
    start_run(tmp_path / "first", first)
    write_tensors(tmp_path / "first" / WEIGHTS, dict(build_vae(first).state_dict()), {})
    tagged = replace(first, encoders={"rgb": replace(first.encoders["rgb"], reads="tag")})
    assert start_with(build_vae(tagged), str(tmp_path / "first"))
    assert "encoders.rgb: reads is tag, but rgb in" in caplog.text
