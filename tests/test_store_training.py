"""Training, scoring and commands give the same results from a packed store as from its images."""

import inspect
import json
from dataclasses import replace

import pytest
import torch
from packed_hands import COUNT, CUT, WINDOW_PX, damage, name_painted, painted_scenes, same
from tiny_hands import TINY
from tiny_models import ESTIMATION, PX, tiny_model

from latent_hands.build import build_hands, build_phases, build_vae
from latent_hands.cli import main
from latent_hands.cli.prepare import prepare as command
from latent_hands.configuration import Data, load_experiment
from latent_hands.data.prepare import prepare
from latent_hands.data.shard_files import open_windows
from latent_hands.errors import HandsError
from latent_hands.evaluation.scoring import score_run, stored_windows
from latent_hands.runs.folder import load_run
from latent_hands.training import train


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    return painted_scenes(tmp_path_factory.mktemp("images"))


@pytest.fixture(autouse=True)
def painted(samples, monkeypatch):
    name_painted(samples, monkeypatch)


@pytest.fixture
def store(tmp_path):
    prepare("images", tmp_path / "store", {"training": CUT})
    return tmp_path / "store"


def tiny(name, root, *more):
    sizes = [
        "--data.name=painted",
        f"--data.crop_px={PX}",
        f"--data.window_px={WINDOW_PX}",
        "--data.margin=1.75",
    ]
    return load_experiment(
        name, [*TINY, *sizes, f"--data.root={json.dumps(str(root))}", "--training.batch_size=4", *more]
    )


def hands_of(experiment):
    vae = build_vae(experiment)
    return build_hands(experiment, vae, build_phases(experiment, vae))


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_an_experiment_reads_the_same_hands_from_a_store(store, share):
    prepare("images", store, {"evaluation": replace(CUT, margin=1.0, window_px=PX, images=())})
    options = [f"--data.validation_share={share}", "--data.limit=9", "--data.validation_limit=7"]
    stored, built = (hands_of(tiny("estimation", root, *options)) for root in (store, "images"))
    assert same(stored.training, built.training)
    assert same(stored.validation, built.validation)


def test_a_run_from_a_store_equals_the_run_from_images(store, tmp_path):
    budget = [
        f"--phases.{phase}.{each}"
        for phase in ("disentangle", "embed_pose", "embed_rgb")
        for each in ("epochs=1", "batch_size=4")
    ]
    for name, root in (("stored", store), ("built", "images")):
        experiment = tiny("estimation", root, "--data.validation_share=0.2", *budget)
        train(experiment, tmp_path / name, hands=hands_of(experiment))
    stored, built = (load_run(tmp_path / name)[0].state_dict() for name in ("stored", "built"))
    assert all(torch.equal(stored[name], built[name]) for name in stored)


@pytest.mark.parametrize("side", ["mirror", "condition"])
def test_scores_from_a_store_equal_those_from_images(samples, tmp_path, side):
    model = tiny_model(ESTIMATION, right_hands=side)
    prepare(
        "images", tmp_path / "store", {"evaluation": replace(CUT, right_hands=side, margin=1.0, window_px=PX)}
    )
    windows = stored_windows(model, "painted", tmp_path / "store", "evaluation")
    assert score_run(model, windows, "evaluation") == score_run(model, samples, "evaluation")
    with pytest.raises(HandsError, match=r"margin = 1\.0, .* = 32; requested is margin = 1\.5"):
        stored_windows(model, "painted", tmp_path / "store", "evaluation", rotations=2)


def test_a_store_with_another_cut_is_an_error_that_names_both(store):
    with pytest.raises(HandsError) as error:
        hands_of(tiny("synthesis", store, "--data.right_hands=condition", "--data.margin=1.0"))
    assert str(error.value) == (
        f"training of {store} was prepared with crop = box, right_hands = mirror, margin = 1.75; "
        "requested is crop = scene, right_hands = condition, margin = 1.0: prepare it in another folder"
    )
    without = replace(CUT, images=())
    with pytest.raises(HandsError, match="name = painted; requested is name = rhd"):
        open_windows(store, "training", replace(without, name="rhd"))
    prepare("images", store, {"evaluation": without})
    with pytest.raises(HandsError, match=r"images = \(\); requested is images = \(.tag., .depth.\)"):
        open_windows(store, "evaluation", CUT)


def test_the_command_packs_checks_and_reports(tmp_path, capsys):
    out, data = str(tmp_path / "store"), ["--data", "painted", "--root", "images"]
    options = ["--crop-px", "32", "--window-px", "32", "--images", "tag", "--json"]
    assert main(["prepare", out, *data, *options]) == 0
    splits = json.loads(capsys.readouterr().out)["splits"]
    assert splits["training"]["samples"] == splits["evaluation"]["samples"] == COUNT
    assert splits["training"]["bytes"] == sum(
        p.stat().st_size for p in (tmp_path / "store/training").iterdir()
    )
    assert splits["training"]["source_bytes"] > 0
    assert main(["prepare", out, *data, "--verify"]) == 0
    assert "all checksums are correct" in capsys.readouterr().out
    damage(tmp_path / "store/evaluation/00002.safetensors")
    assert main(["prepare", out, *data, "--verify"]) == 2
    assert "evaluation/00002.safetensors" in capsys.readouterr().err
    assert main(["prepare", out, *data, "--right-hands", "condition"]) == 2
    assert "right_hands = mirror" in capsys.readouterr().err


def test_the_command_has_the_settings_of_an_experiment():
    defaults = {name: p.default for name, p in inspect.signature(command).parameters.items()}
    for name in ("crop", "crop_px", "margin", "window_px"):
        assert defaults[name] == getattr(Data(), name)
    assert defaults["right_hands"] == Data().right_hands
