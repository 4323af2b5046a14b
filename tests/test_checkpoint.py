"""Run folders: a saved run loads unchanged, damaged files are refused, and nothing is executed."""

import json
import pickle
import signal
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_hands import TINY

from latent_hands.build import build_phases, build_vae
from latent_hands.build.unfilled import Unfilled
from latent_hands.configuration import load_experiment
from latent_hands.errors import HandsError
from latent_hands.runs import folder as checkpoint
from latent_hands.runs import tensors
from latent_hands.runs.folder import Place, find_run, load_run, save_run, start_run
from latent_hands.runs.metrics import cut_metrics
from latent_hands.runs.shipped import shipped_models, shipped_runs
from latent_hands.runs.shrink import shrink, without_arrows
from latent_hands.training.beginning import begin, start_with


@pytest.fixture
def run(tmp_path):
    experiment = load_experiment("cross_modal", TINY)
    start_run(tmp_path / "run", experiment)
    save_run(tmp_path / "run", build_vae(experiment), {}, Place(update=7))
    return tmp_path / "run"


def test_a_run_loads_as_it_was_saved(run):
    vae, experiment = load_run(run)
    assert experiment == load_experiment("cross_modal", TINY)
    expected = build_vae(experiment).state_dict()
    assert all(torch.equal(expected[name], tensor) for name, tensor in vae.state_dict().items())
    assert not vae.training
    assert not any(p.requires_grad for p in vae.parameters())
    assert not list(run.glob(".*"))


def test_equal_tensors_and_metadata_give_equal_bytes(tmp_path):
    written, about = {"a": torch.arange(3.0), "b": torch.zeros(2, 2)}, {str(i): "\u00e9" for i in range(6)}
    for i in range(5):
        tensors.write_tensors(tmp_path / str(i), written, about)
    assert len({(tmp_path / str(i)).read_bytes() for i in range(5)}) == 1
    read, metadata = tensors.read_tensors(tmp_path / "0")
    assert metadata == about
    assert read.keys() == written.keys()
    assert all(torch.equal(read[name], tensor) for name, tensor in written.items())


def test_networks_that_are_loaded_are_not_filled_with_random_numbers():
    with Unfilled():
        weight = torch.nn.init.normal_(torch.zeros(3))
        meta = torch.nn.init.kaiming_uniform_(torch.empty(3, 2, device="meta"))
    assert torch.equal(weight, torch.zeros(3))
    assert meta.shape == (3, 2)


def test_a_shrunk_run_is_small_and_loads_as_float32(run, tmp_path):
    small = shrink(run, tmp_path / "small")
    sizes = [(folder / "weights.safetensors").stat().st_size for folder in (run, small)]
    assert sizes[1] < 0.6 * sizes[0]
    whole = load_run(run)[0].state_dict()
    for name, tensor in load_run(small)[0].state_dict().items():
        torch.testing.assert_close(tensor, whole[name], rtol=1e-2, atol=1e-3)
    with pytest.raises(HandsError, match="is not empty"):
        shrink(run, run)


def test_a_copy_without_an_arrow_keeps_all_others(run, tmp_path):
    full = load_run(shrink(run, tmp_path / "full"))[0].state_dict()
    less = load_run(shrink(run, tmp_path / "less", ["decoders.rgb"]))[0].state_dict()
    assert set(less) == {name for name in full if not name.startswith("decoders.rgb.")} < set(full)
    assert all(torch.equal(tensor, full[name]) for name, tensor in less.items())
    with pytest.raises(HandsError, match=r'no arrow "decoders.tags"; its arrows are encoders.rgb, dec'):
        shrink(run, tmp_path / "other", ["decoders.tags"])


def test_an_arrow_that_another_one_needs_is_not_left_out(tmp_path):
    with pytest.raises(HandsError, match=r'decoder "rgb".*"pose"'):
        shrink("synthesis", tmp_path / "less", ["decoders.pose"])
    assert not (tmp_path / "less").exists()


def test_an_algorithm_does_not_name_arrows_that_are_left_out():
    whole = load_experiment("portraits")
    experiment = without_arrows(whole, ["encoders.tag", "decoders.pose"])
    assert "tag" not in (*experiment.encoders, *experiment.algorithm.encode, *experiment.algorithm.embed)
    assert whole.algorithm.lam.keys() - experiment.algorithm.lam.keys() == {"pose"}
    assert experiment.decoders.keys() == whole.decoders.keys() - {"pose"}


def test_a_stopped_copy_is_no_run_and_the_same_call_writes_it(run, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "write_text", lambda *_: signal.raise_signal(signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):
            shrink(run, tmp_path / "small")
    with pytest.raises(HandsError, match=r"not a run folder: it has no experiment\.toml"):
        find_run(tmp_path / "small")
    load_run(shrink(run, tmp_path / "small"))


def test_other_folders_are_refused(tmp_path):
    with pytest.raises(HandsError, match=r"no run folder at .*nowhere; .*: estimation, synthesis"):
        load_run(tmp_path / "nowhere")
    with pytest.raises(HandsError, match=r"is not a run folder: it has no experiment.toml"):
        load_run(tmp_path)


def test_a_folder_never_hides_a_shipped_model(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run.rename("estimation")
    shipped = shipped_runs()["estimation"]
    assert find_run("estimation") == shipped != Path("estimation")
    assert find_run("./estimation") == find_run(Path("estimation")) == Path("estimation")
    for name in ("estimaton", "estimation2"):
        Path(name).mkdir()
        with pytest.raises(HandsError, match=rf'"{name}"; did you mean "estimation".*write "\./{name}"'):
            find_run(name)


def test_every_shipped_model_has_a_description():
    assert (
        shipped_models()["estimation"]
        == "3D pose of a hand and its 21 joints in the image, from a crop of an RGB image."
    )
    assert shipped_models().keys() == shipped_runs().keys() == {"estimation", "synthesis", "synthesis_u"}


def test_missing_weights_are_refused(run):
    (run / "weights.safetensors").unlink()
    with pytest.raises(HandsError, match=r"weights.safetensors is missing"):
        load_run(run)


@pytest.mark.parametrize("broken", [b"", b"\x00" * 100, pickle.dumps({"a": 1}), b"\xff" * 8 + b"{}"])
def test_broken_weights_are_refused(run, broken):
    (run / "weights.safetensors").write_bytes(broken)
    with pytest.raises(HandsError, match=r"is not a readable safetensors file"):
        load_run(run)


def test_huge_weights_are_not_read(run, monkeypatch):
    monkeypatch.setattr(tensors, "MAX_BYTES", 100)
    with pytest.raises(HandsError, match=r"at most 100 are read"):
        load_run(run)


def test_the_weights_of_another_graph_are_refused(run):
    weights = load_file(run / "weights.safetensors")
    name = "encoders.rgb.network.head.bias"
    save_file(
        {n: t for n, t in weights.items() if n != name} | {"other": weights[name]},
        run / "weights.safetensors",
    )
    with pytest.raises(HandsError, match=r"another graph"):
        load_run(run)
    save_file(weights | {name: weights[name].reshape(2, -1)}, run / "weights.safetensors")
    with pytest.raises(
        HandsError, match=r"weight encoders.rgb.network.head.bias has shape .2, 64., not .128"
    ):
        load_run(run)


def test_a_graph_larger_than_its_weights_allocates_nothing(run):
    path = run / "experiment.toml"
    path.write_text(
        path.read_text().replace("hidden = 16", "hidden = 2048").replace("width = 4\n", "width = 128\n")
    )
    with pytest.raises(HandsError, match=r"a graph with .* weights, weights.safetensors holds"):
        load_run(run)


def test_weights_that_are_not_finite_are_not_saved(run):
    vae = build_vae(load_experiment("cross_modal", TINY))
    before = (run / "weights.safetensors").read_bytes()
    with torch.no_grad():
        vae.encoder("rgb").network.head.bias[3] = torch.nan
    with pytest.raises(HandsError, match=r"head.bias is not finite at update 9"):
        save_run(run, vae, {}, Place(update=9))
    assert (run / "weights.safetensors").read_bytes() == before


def test_metrics_after_the_checkpoint_are_removed(run):
    lines = [{"update": update, "x": 1.0} for update in (5, 10, 15)]
    damaged = 'not JSON\n[1]\n{"x": 1}\n'
    text = damaged + "".join(json.dumps(line) + "\n" for line in lines) + '{"update": 2'
    (run / "metrics.jsonl").write_text(text)
    cut_metrics(run, 10)
    assert [json.loads(x)["update"] for x in (run / "metrics.jsonl").read_text().splitlines()] == [5, 10]


def test_a_state_without_a_place_is_refused(run):
    save_file({"x": torch.zeros(1)}, run / "resume.safetensors")
    with pytest.raises(HandsError, match=r"does not hold the place of the training"):
        checkpoint.load_place(run)


def test_a_graph_starts_with_the_arrows_that_another_run_shares(run):
    other = build_vae(load_experiment("synthesis", [*TINY, "--training.seed=5", "--latent.content=2"]))
    before = {name: tensor.clone() for name, tensor in other.state_dict().items()}
    source = load_run(run)[0].state_dict()
    with pytest.raises(HandsError, match=r"encoders.rgb of .* has another size"):
        start_with(other, run)
    same = build_vae(load_experiment("cross_modal", [*TINY, "--training.seed=5"]))
    fresh = {name: tensor.clone() for name, tensor in same.state_dict().items()}
    assert start_with(same, run, ["decoders.pose"]) == ("decoders.pose",)
    moved = {name for name, tensor in same.state_dict().items() if not torch.equal(tensor, fresh[name])}
    assert {".".join(name.split(".")[:2]) for name in moved} == {"decoders.pose"}
    with pytest.raises(HandsError, match=r'start_with: "decoders.hand" is not an arrow'):
        start_with(same, run, ["decoders.hand"])
    assert start_with(same, run) == ("encoders.rgb", "decoders.rgb", "decoders.pose")
    assert all(torch.equal(source[name], tensor) for name, tensor in same.state_dict().items())
    del other.encoders["rgb"], other.decoders["rgb"], other.decoders["pose"]
    with pytest.raises(
        HandsError, match=r"has no arrow of this graph to start with; it needs at least one of pose, tag"
    ):
        start_with(other, run)
    assert all(torch.equal(before[name], tensor) for name, tensor in other.state_dict().items())


def test_a_run_does_not_start_with_another_network():
    vae = build_vae(load_experiment("joints_2d", ["--networks.image_encoder=efficientnet_lite0"]))
    with pytest.raises(HandsError, match=r"encoders.rgb of estimation is another network: .* start_with"):
        start_with(vae, "estimation")


def test_poses_do_not_stay_in_another_joint_convention(run):
    def start(*more):
        experiment = load_experiment("cross_modal", [*TINY, f"--training.start={run}", *more])
        vae = build_vae(experiment)
        begin(vae, experiment, build_phases(experiment, vae))

    frozen = '--training.frozen=["decoders.pose"]'
    start("--data.convention=mediapipe")
    start(frozen)
    with pytest.raises(HandsError, match=r'convention is "mediapipe", but .* with "rhd", and decoders.pose'):
        start("--data.convention=mediapipe", frozen)


def test_a_save_cut_short_leaves_no_state_ahead_of_the_weights(run, monkeypatch):
    """Otherwise the state would name a finished training, and resuming would not train the weights."""
    written, write = [], checkpoint.write_tensors

    def write_one(path, *content):
        if written:
            raise KeyboardInterrupt
        written.append(path)
        write(path, *content)

    monkeypatch.setattr(checkpoint, "write_tensors", write_one)
    with pytest.raises(KeyboardInterrupt):
        save_run(run, build_vae(load_experiment("cross_modal", TINY)), {}, Place(phase=1, update=9))
    _, metadata = checkpoint.read_tensors(run / "weights.safetensors")
    assert (metadata["update"], checkpoint.load_place(run)[1].update) == ("9", 7)


def test_tensors_that_cannot_be_written_are_an_error(tmp_path):
    with pytest.raises(HandsError, match=r"none/x\.safetensors cannot be written: "):
        checkpoint.write_tensors(tmp_path / "none/x.safetensors", {"x": torch.zeros(1)}, {})
    (tmp_path / "x.safetensors").mkdir()
    with pytest.raises(HandsError, match=r"x\.safetensors cannot be written: "):
        checkpoint.write_tensors(tmp_path / "x.safetensors", {"x": torch.zeros(1)}, {})
    assert [path.name for path in tmp_path.iterdir()] == ["x.safetensors"]
