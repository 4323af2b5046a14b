"""Graphs, weights, resume states and hands that hold impossible numbers are refused in one line."""

import io
import json
import math
import resource
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from refusals import refuse
from tiny_hands import TINY
from tiny_models import ESTIMATION, noise_image, tiny_model

from latent_hands.build import build_vae
from latent_hands.configuration import load_experiment
from latent_hands.errors import HandsError
from latent_hands.predictions import read_npz
from latent_hands.predictor import Hand
from latent_hands.runs.folder import Place, load_place, load_run, save_run, start_run
from latent_hands.runs.tensors import read_tensors, write_tensors
from latent_hands.training.beginning import continue_run


@pytest.mark.parametrize("keys", [["hidden=4096", "layers=64"], ["width=4096"], ["decoder_width=4096"]])
def test_a_graph_too_large_is_refused_before_it_takes_memory(keys):
    experiment = load_experiment("synthesis", [f"--networks.{key}" for key in keys])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refuse(build_vae, experiment, match="weights; it can have at most 500,000,000: make hidden")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000


@pytest.fixture
def run(tmp_path: Path) -> Path:
    experiment = load_experiment("cross_modal", TINY)
    start_run(tmp_path / "run", experiment)
    save_run(tmp_path / "run", build_vae(experiment), {}, Place(update=7))
    return tmp_path / "run"


@pytest.mark.parametrize(
    "dtype", [torch.float16, torch.bfloat16, torch.float64, torch.float8_e4m3fn, torch.float8_e5m2]
)
def test_weights_of_every_type_become_float32(run: Path, dtype: torch.dtype):
    weights, _ = read_tensors(run / "weights.safetensors")
    stored = {name: t.to(dtype) if t.is_floating_point() else t for name, t in weights.items()}
    write_tensors(run / "weights.safetensors", stored, {})
    for name, tensor in load_run(run)[0].state_dict().items():
        assert tensor.dtype == weights[name].dtype
        assert torch.equal(tensor, stored[name].to(tensor.dtype))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w * math.nan, "has numbers that are not finite in torch.float32"),
        (lambda w: w + math.inf, "has numbers that are not finite in torch.float32"),
        (lambda w: (w + math.inf).half(), "has numbers that are not finite in torch.float32"),
        (lambda w: w.double() + 1e300, "has numbers that are not finite in torch.float32"),
        (lambda w: w.to(torch.int64), "is torch.int64; it must be torch.float32"),
        (lambda w: w.to(torch.complex64), "is torch.complex64; it must be torch.float32"),
        (lambda w: w > 0, "is torch.bool; it must be torch.float32"),
    ],
)
def test_weights_are_finite_floating_point_numbers(run: Path, change, message):
    weights, _ = read_tensors(run / "weights.safetensors")
    name = "encoders.rgb.network.head.bias"
    write_tensors(run / "weights.safetensors", weights | {name: change(weights[name])}, {})
    refuse(load_run, run, match=rf"weight encoders\.rgb\.network\.head\.bias {message}")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_other_precisions_are_read(run: Path, dtype):
    weights, _ = read_tensors(run / "weights.safetensors")
    halved = {n: t.to(dtype) if t.is_floating_point() else t for n, t in weights.items()}
    write_tensors(run / "weights.safetensors", halved, {})
    assert {p.dtype for p in load_run(run)[0].parameters()} == {torch.float32}


@pytest.mark.parametrize(
    "place",
    [
        {"phase": -1},
        {"update": 1.5},
        {"update": "7"},
        {"phase_seconds": math.nan},
        {"phase_seconds": -1},
        {"phase_update": 10**400},
        {"unknown": 1},
        [1],
    ],
)
def test_the_place_of_a_resumed_training_is_checked(run: Path, place):
    state, _ = read_tensors(run / "resume.safetensors")
    text = json.dumps(asdict(Place()) | place if isinstance(place, dict) else place)
    write_tensors(run / "resume.safetensors", state, {"place": text})
    refuse(load_place, run, match=r"resume\.safetensors does not hold the place of the training")


def test_the_phase_of_a_resumed_training_exists(run: Path):
    state, _ = read_tensors(run / "resume.safetensors")
    write_tensors(run / "resume.safetensors", state, {"place": json.dumps(asdict(Place(phase=9)))})
    experiment = load_experiment("cross_modal", TINY)
    refuse(continue_run, run, experiment, build_vae(experiment), 1, match="phase 9, but the experiment has 1")


@pytest.fixture(scope="module")
def hand() -> Hand:
    return tiny_model(ESTIMATION).estimate(
        noise_image(), handedness="left", draws=4, box=(5.0, 5.0, 40.0, 40.0)
    )


@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("pose_bones", lambda a: a * 0),
        ("cpose_bones", lambda a: a * 0),
        ("pose_bones", lambda a: a * 1e9),
        ("viewpoint", lambda a: a * 0),
        ("viewpoint", lambda a: a * 2),
        ("viewpoint", lambda a: -a),
        ("spread_bones", lambda a: -a - 1),
        ("crop_px", lambda a: a * 0),
        ("crop_px", lambda a: a * math.nan),
    ],
)
def test_the_numbers_of_a_hand_describe_a_hand(hand: Hand, key, change):
    fields = json.loads(hand.to_json())
    fields[key] = change(np.array(fields[key])).tolist()
    refuse(Hand.from_json, json.dumps(fields), match=f'"{key.removesuffix("_bones")}" of a hand')


@pytest.mark.parametrize("value", [10**400, [[]] * 3, {}, "x" * 10_000, None, True], ids=range(6))
@pytest.mark.parametrize("key", ["bone_mm", "pose_bones", "crop_px", "frame", "K", "track", "score"])
def test_any_json_value_gives_a_hand_or_one_line(hand: Hand, key, value):
    text = json.dumps(json.loads(hand.to_json()) | {key: value})
    with suppress(HandsError):
        assert np.isfinite(Hand.from_json(text).xyz_mm).all()


def test_arrays_of_hands_are_checked_as_json_is(hand: Hand, tmp_path: Path):
    from latent_hands.predictions import ImageHands, write_npz

    write_npz(tmp_path / "a.npz", [ImageHands("a", (80, 60), (hand,))])
    with np.load(tmp_path / "a.npz") as file:
        arrays = dict(file)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays | {"viewpoint": arrays["viewpoint"] * 0})
    (tmp_path / "a.npz").write_bytes(buffer.getvalue())
    refuse(read_npz, tmp_path / "a.npz", match='"viewpoint" of a hand is .* must be a rotation')
