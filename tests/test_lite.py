"""Models without torch: the same hands as the torch predictor, from the same rules, without torch."""

import functools
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_models import PLACEMENT, PX, SYNTHESIS, VIEWPOINT, noise_image, tiny_model, tiny_run

pytest.importorskip("onnx", reason="exporting needs the extra: pip install '.[onnx]'")
pytest.importorskip("onnxruntime", reason="exported models need the extra: pip install '.[lite]'")

from latent_hands import lite
from latent_hands.detection import Detector
from latent_hands.detection.detector import Settings
from latent_hands.detection.network import DetectionNetwork, Maps
from latent_hands.detection.peaks import candidates, distinct
from latent_hands.errors import HandsError
from latent_hands.hand import arrays, geometry
from latent_hands.lite import detector as lite_detector
from latent_hands.lite.__main__ import main
from latent_hands.lite.checksums import sealed
from latent_hands.lite.folder import FORMAT, Networks
from latent_hands.lite.reading import LiteCrop, LiteReader
from latent_hands.portable import export_model
from latent_hands.portable.description import _detector
from latent_hands.predictor import Hand, Model, intended_use
from latent_hands.predictor.hand_crop import HandCrop
from latent_hands.predictor.reading import _windows

BOXES = [(20.0, 16.0, 24.0, 30.0), (44.0, 10.0, 26.0, 20.0)]
RULES = """
[presence]
bias = 1.0
score = 0.5
spread = 0.7
disagreement = -0.4
overlap = 0.8
least_score = 0.01
[confidence]
bias = 8.0
spread = -3.0
disagreement = -0.3
score = 0.2
side_px = 0.6
"""


def exported(folder: Path, graph: str, **data: object) -> tuple[Model, lite.LiteModel]:
    """Return a tiny model and its exported copy. The detector of the copy is not exported."""
    model = tiny_model(graph, **data)
    model.save(folder / "run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("latent_hands.portable.export._detector", lambda *arguments: b"")
        return model, lite.load(export_model(folder / "run", folder / "out"))


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Model, lite.LiteModel]:
    return exported(tmp_path_factory.mktemp("pair"), PLACEMENT + RULES, frame="ray")


def assert_same(ours: Hand, torchs: Hand) -> None:
    a, b = (json.loads(hand.to_json()) for hand in (ours, torchs))
    assert list(a) == list(b)
    for key, value in b.items():
        if isinstance(value, list) and not isinstance(value[0], str):
            assert np.allclose(a[key], value, atol=1e-2, rtol=1e-3), key
        elif isinstance(value, float):
            assert a[key] == pytest.approx(value, rel=1e-3), key
        else:
            assert a[key] == value, key
    assert np.abs(ours.xyz_mm - torchs.xyz_mm).max() < 0.01


@pytest.mark.parametrize("handedness", ["left", "right", None])
@pytest.mark.parametrize("focal_px", [None, 90.0])
def test_hands_in_boxes_are_those_of_torch(pair, handedness: str | None, focal_px: float | None):
    model, light = pair
    K = None if focal_px is None else arrays.centred_camera(focal_px, (60, 80))
    for bone_mm in (None, 33.0):
        given = {"boxes": BOXES, "handedness": handedness, "K": K, "bone_mm": bone_mm}
        found, expected = light.find(noise_image(), **given), model.find(noise_image(), **given)
        assert len(found) == len(expected) == 2
        for ours, torchs in zip(found, expected, strict=True):
            assert_same(ours, torchs)


def test_a_zoom_searches_the_parts_of_torch(pair, monkeypatch):
    seen: dict[str, list[bytes]] = {"torch": [], "lite": []}
    pair[0].detector = SimpleNamespace(detect=lambda rgb: seen["torch"].append(rgb.tobytes()) or [])
    monkeypatch.setattr(
        "latent_hands.lite.model.detect", lambda _, rgb, least: seen["lite"].append(rgb.tobytes()) or []
    )
    for each in pair:
        assert each.find(noise_image(), zoom=2) == []
        with pytest.raises(HandsError, match="nothing is searched"):
            each.find(noise_image(), boxes=BOXES, zoom=2)
    assert len(seen["torch"]) == 7
    assert seen["torch"] == seen["lite"]


def test_hands_do_not_depend_on_memory_that_is_kept(pair):
    light = pair[1]
    once = lite.load(light.networks.folder, keep_memory=False)
    for a, b in zip(*(model.find(noise_image(), boxes=BOXES) for model in (light, once)), strict=True):
        np.testing.assert_allclose(a.xyz_mm, b.xyz_mm, atol=0.01)


@pytest.mark.parametrize("kept", [True, False])
def test_the_detector_is_freed_unless_memory_is_kept(pair, kept: bool):
    networks = lite.load(pair[1].networks.folder, keep_memory=kept).networks
    maps = [np.zeros((1, 2, 8, 8), np.float32)]
    networks._sessions[networks.about["detector"]["file"]] = SimpleNamespace(run=lambda *_: maps)
    assert networks.detect(np.zeros((1, 3, 64, 64), np.float32)) is maps
    assert bool(networks._sessions) == kept


def test_a_model_that_is_given_the_side_is_the_same(tmp_path: Path):
    model, light = exported(tmp_path, PLACEMENT, right_hands="condition")
    for side in ("left", "right"):
        given = {"boxes": BOXES, "handedness": side}
        for ours, torchs in zip(
            light.find(noise_image(), **given), model.find(noise_image(), **given), strict=True
        ):
            assert_same(ours, torchs)


class Recorder(Networks):
    """Networks that record the images of the detector. They find nothing."""

    def __init__(self, detector: Detector):
        self.about = {"detector": _detector(detector)}
        self.read: list[np.ndarray] = []

    def detect(self, images: np.ndarray) -> list[np.ndarray]:
        self.read.append(images)
        return list(np.full((3, len(images), 2, images.shape[2] // 8, images.shape[3] // 8), -9, np.float32))


@pytest.mark.parametrize("size", [(60, 80), (30, 100), (700, 40), (900, 1200)])
def test_the_detector_reads_the_same_pixels_as_in_torch(size: tuple[int, int], monkeypatch):
    monkeypatch.setattr("torch.cpu.get_capabilities", dict)  # torch computes in float32, too
    detector, torchs = Detector(DetectionNetwork().eval(), Settings(size_px=64)), list[np.ndarray]()
    detector._network.register_forward_pre_hook(lambda _, given: torchs.append(given[0].numpy()))
    detector.detect(noise_image(*size))
    recorder = Recorder(detector)
    lite_detector.detect(recorder, noise_image(*size), 0.0)
    assert len(recorder.read) == len(torchs) > 0
    assert all((a == b).all() for a, b in zip(recorder.read, torchs, strict=True))


def test_networks_read_the_same_crops_as_in_torch(pair):
    model, light = pair
    rgb, boxes = noise_image(), [*BOXES, (-9.3, 30.7, 41.2, 17.9), (1.5, 2.25, 77.0, 55.5)]
    for side in ("left", "right"):
        ours = LiteReader(light.networks)._windows([LiteCrop(rgb, side, box) for box in boxes])
        torchs = _windows(model, [HandCrop(rgb, side, box) for box in boxes], PX)
        assert (ours.transpose(0, 3, 1, 2) == torchs.numpy()).all()


def test_candidates_are_those_of_torch():
    about = _detector(Detector.load())
    generator = torch.Generator().manual_seed(0)
    sides, place, size = (torch.randn(1, 2, 12, 16, generator=generator) for _ in range(3))
    (expected,) = candidates(Maps(sides - 1, place, size))
    found = lite_detector.candidates((sides - 1)[0].numpy(), place[0].numpy(), size[0].numpy(), about)
    assert np.allclose(found, expected, atol=1e-4)
    detector = Detector.load()
    scores = (expected[:, 5:] @ torch.tensor(detector.settings.weights) + detector.settings.shift).sigmoid()
    kept = distinct(expected[:, :4], scores)
    chosen = lite_detector.choose(found, about, 0.0, (1000, 1000))
    inside = [row for row in expected[kept].tolist() if row[0] + row[2] > 0 and row[1] + row[3] > 0]
    assert np.allclose([each.box_px for each in chosen], [row[:4] for row in inside], atol=1e-3)


def test_the_geometry_of_arrays_is_that_of_tensors():
    rng = np.random.default_rng(0)
    pose = rng.normal(size=(21, 3)).astype(np.float32)
    pose[0] = 0
    for right in (False, True):
        expected = geometry.canonicalise(torch.from_numpy(pose), torch.tensor(right))
        for ours, torchs in zip(arrays.canonicalise(pose, right), expected, strict=True):
            assert np.allclose(ours, torchs, atol=1e-5)
    matrix = rng.normal(size=(3, 3)).astype(np.float32)
    assert np.allclose(
        arrays.nearest_rotation(matrix), geometry.nearest_rotation(torch.from_numpy(matrix)), atol=1e-5
    )
    K = arrays.centred_camera(70.0, (60, 80))
    ray = geometry.ray_rotation(torch.from_numpy(K), torch.tensor([5.0, 50.0]))
    assert np.allclose(arrays.ray_rotation(K, (5.0, 50.0)), ray, atol=1e-6)
    assert np.allclose(arrays.wrist_form(pose), geometry.to_wrist(torch.from_numpy(pose)))
    assert np.allclose(arrays.normalise(pose), geometry.normalise(torch.from_numpy(pose))[0], atol=1e-6)


def test_images_are_synthesised_as_with_torch(tmp_path: Path):
    model, light = exported(tmp_path, SYNTHESIS)
    joints = np.random.default_rng(1).normal(size=(21, 3)).astype(np.float32)
    square, tag = noise_image(PX, PX), noise_image(PX, PX, seed=1)
    for pose in (joints, square):
        expected = model.synthesise(pose, tag, "tag")
        image = light.synthesise(pose, tag, "tag")
        assert image.shape == (PX, PX, 3)
        assert np.abs(image.astype(int) - expected).max() <= 1
    latent = light.latent(square, "pose") | light.latent(tag, "content", "tag")
    assert set(light.decode(latent)) == {"rgb", "pose", "tag"}
    with pytest.raises(HandsError, match="64x64 pixels is not a crop"):
        light.latent(noise_image(64, 64), "pose")
    with pytest.raises(HandsError, match="does not infer the content from pose"):
        light.latent(joints, "content")
    hand = replace(model.estimate(HandCrop.open(square, "left")), convention="mediapipe")
    with pytest.raises(HandsError, match='the convention "mediapipe", but those of this model have "rhd'):
        light.latent(hand, "pose")


def test_a_pose_of_several_encoders_is_inferred_from_a_hand_as_with_torch(tmp_path: Path):
    model, light = exported(tmp_path, VIEWPOINT, frame="ray")
    joints = np.random.default_rng(1).normal(size=(21, 3)).astype(np.float32)
    K = arrays.centred_camera(90.0, (60, 80))
    seen = model.estimate(HandCrop.open(noise_image(), "right", (44.0, 10.0, 26.0, 26.0), K))
    along = replace(seen, frame="ray")
    for pose, error in ((joints, 1e-5), (along, 1e-5), (seen, 0.02)):  # the palm in two conventions
        latent, expected = light.latent(pose, "pose"), model.latent(pose, "pose")
        assert latent.keys() == expected.keys() == {"cpose", "viewpoint"}
        for factor, z in expected.items():
            assert np.linalg.norm(latent[factor] - z.numpy()) < error * np.linalg.norm(z)
    expected = model.latent(seen, "pose")["viewpoint"].numpy()
    turned, unturned = (light.latent(each, "pose")["viewpoint"] for each in (seen, along))
    assert np.linalg.norm(turned - expected) < 0.3 * np.linalg.norm(unturned - expected)


def test_a_model_that_generates_images_announces_that_its_hands_are_less_reliable(pair, tmp_path, caplog):
    light = exported(tmp_path, SYNTHESIS)[1]
    for each, announced in ((pair[1], 0), (light, 1)):
        intended_use._announce.cache_clear()
        for _ in range(2):
            each.find(noise_image(), boxes=BOXES)
        assert caplog.text.count("hands and their sides less reliably") == announced


def test_a_folder_that_is_no_model_is_named(tmp_path: Path):
    with pytest.raises(HandsError, match=r"no exported model at .*; write one with"):
        lite.load(tmp_path)
    (tmp_path / "model.json").write_text('{"format": 99}')
    with pytest.raises(HandsError, match="has format 99; this version reads"):
        lite.load(tmp_path)
    (tmp_path / "model.json").write_text(json.dumps(sealed({"format": FORMAT}, {})))
    with pytest.raises(HandsError, match="is incomplete"):
        lite.load(tmp_path)


def leaves(tree: dict, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, value in tree.items():
        yield from leaves(value, (*path, key)) if isinstance(value, dict) and value else [(*path, key)]


def test_a_description_with_any_other_value_is_refused(pair, tmp_path: Path):
    text = (pair[1].networks.folder / "model.json").read_text()
    about = json.loads(text)
    factors = about["encoders"]["rgb"]["factors"]
    about["encoders"]["rgb"]["factors"] = dict(reversed(factors.items()))
    (tmp_path / "model.json").write_text(json.dumps(about))
    with pytest.raises(HandsError, match=r"model\.json was changed after the export"):
        lite.load(tmp_path)
    for *path, key in leaves(json.loads(text)):
        about = json.loads(text)
        inner = functools.reduce(dict.__getitem__, path, about)
        for value in (0.25, None):
            inner[key] = value
            (tmp_path / "model.json").write_text(json.dumps(about))
            with pytest.raises(HandsError, match=r"model\.json (was changed after the export|has format)"):
                lite.load(tmp_path)


@pytest.mark.parametrize("file", ["encoder_rgb.onnx", "decoder_pose.onnx"])
def test_a_network_of_another_model_is_refused(pair, file: str, tmp_path: Path):
    """It has the same shapes, so it would predict other hands."""
    folder = shutil.copytree(pair[1].networks.folder, tmp_path / "mixed")
    assert len(lite.load(folder).find(noise_image(), boxes=BOXES)) == 2
    _, other = exported(tmp_path, PLACEMENT)
    content = bytearray((other.networks.folder / file).read_bytes())
    content[len(content) // 2] ^= 64  # a weight
    (folder / file).write_bytes(content)
    with pytest.raises(HandsError, match=rf"{file} is damaged, or belongs to another model"):
        lite.load(folder).find(noise_image(), boxes=BOXES)


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole exported folder of a tiny run, with the shipped detector."""
    folder = tmp_path_factory.mktemp("shipped")
    return export_model(tiny_run(folder / "run", PLACEMENT), folder / "out")


def test_the_command_prints_json_without_torch(shipped: Path, tmp_path: Path):
    Image.fromarray(noise_image()).save(tmp_path / "a.png")
    code = f"""
import sys
from latent_hands.lite.__main__ import main
unneeded = {{"torch", "scipy", "matplotlib", "accelerate", "jaxtyping"}}
unneeded |= {{"numpy.ma", "multiprocessing"}}
code = main([{str(tmp_path / "a.png")!r}, "--model", {str(shipped)!r}, "--box=20,16,24,30", "--focal-px=90"])
print(unneeded & sys.modules.keys(), code)
main([{str(tmp_path / "a.png")!r}, "--model", {str(shipped)!r}])  # with the detector
print(unneeded & sys.modules.keys())
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    printed, _, _ = done.stdout.partition("]\nset() 0\n")
    (hand,) = json.loads(printed + "]")
    assert list(hand)[:3] == ["image", "hand", "handedness"]
    assert hand["camera"] == "given"
    assert done.stdout.splitlines()[-1] == "set()"


def test_wrong_input_is_one_line(shipped: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    assert main([str(tmp_path / "none.jpg"), "--model", str(shipped)]) == 2
    assert capsys.readouterr().err == f"latent_hands.lite: no image file at {tmp_path / 'none.jpg'}\n"
    (shipped / "encoder_rgb.onnx").write_bytes(b"broken")
    Image.fromarray(noise_image()).save(tmp_path / "a.png")
    assert main([str(tmp_path / "a.png"), "--model", str(shipped), "--box", "20,16,24,30"]) == 2
    assert "encoder_rgb.onnx is damaged, or belongs to another model" in capsys.readouterr().err
