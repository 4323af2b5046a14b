"""`latent-hands estimate`: image after image, what it assumed, cameras, draws from the posterior."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from painted_hands import painted_hands
from PIL import Image
from registries import register
from tiny_models import ESTIMATION, noise_image, tiny_model, tiny_run

from latent_hands.cli import main
from latent_hands.configuration import Sampling
from latent_hands.data import READERS
from latent_hands.errors import HandsError
from latent_hands.hand.camera import centred_camera
from latent_hands.hand.geometry import ray_rotation
from latent_hands.predictor import Hand, Model, Photo


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_run(tmp_path_factory.mktemp("runs") / "estimation", ESTIMATION)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of three images, the second broken."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(3):
        Image.fromarray(noise_image(seed=i)).save(folder / f"{i}.png")
    (folder / "1.png").write_bytes((folder / "1.png").read_bytes()[:200])
    return folder


def estimate(*arguments: object) -> int:
    return main(["estimate", *map(str, arguments)])


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "140")


def test_a_broken_image_is_skipped_and_named(run, photos, tmp_path, capsys):
    assert estimate(run, photos, "--out", tmp_path / "out", "--json") == 1
    told = capsys.readouterr()
    assert [hand["image"] for hand in json.loads(told.out)] == ["0", "2"]
    assert re.search(r"skipped: .*photos/1\.png .*not a readable image", told.err)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"0.json", "0.png", "2.json", "2.png"}


def test_images_are_written_one_by_one(run, photos, tmp_path, monkeypatch):
    """What comes later is not opened before what came first is written."""
    opened = Photo.open

    def watching(image: Path, *rest: object) -> Photo:
        assert len(list((tmp_path / "out").glob("*.json"))) == {"0": 0, "1": 1, "2": 1}[image.stem]
        return opened(image, *rest)

    monkeypatch.setattr(Photo, "open", watching)
    assert estimate(run, photos, "--out", tmp_path / "out", "--no-overlays") == 1
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"0.json", "2.json"}


def test_an_error_names_its_image(run, photos, tmp_path, capsys):
    assert estimate(run, photos / "0.png", "--box", "900,2,3,4", "--out", tmp_path) == 2
    assert re.search(r"photos/0\.png: box .* lies outside the image", capsys.readouterr().err)


def test_what_is_assumed_is_told(run, photos, tmp_path, capsys):
    image, out = photos / "0.png", tmp_path / "out"
    assert estimate(run, image, "--out", out) == 0
    assumed = capsys.readouterr().out
    for told in ("left (assumed)", "40.0 (assumed)", "whole image (no --box)"):
        assert told in assumed
    numbers = json.loads((out / "0.json").read_text())
    assert (numbers["image"], numbers["handedness_assumed"], numbers["box_assumed"]) == ("0", True, True)
    options = ["--handedness", "left", "--bone-mm", "40", "--box", "10,6,44,40"]
    assert estimate(run, image, "--out", out, *options) == 0
    told = capsys.readouterr().out
    assert "(assumed)" not in told
    assert "10,4,44,44" in told


@pytest.mark.parametrize(
    "option", [("--handedness", "right"), ("--bone-mm", "44.0"), ("--box", "1,2,3,4"), ("--focal", "90.0")]
)
def test_what_labels_tell_cannot_be_told_otherwise(run, tmp_path, monkeypatch, capsys, option):
    samples = painted_hands(tmp_path, 2)
    register(monkeypatch, READERS, "painted", lambda root, split, limit, *, on_broken: samples[:limit])
    data = ["--data", "painted", "--root", tmp_path, "--out", tmp_path / "out"]
    assert estimate(run, *data) == 0
    assert "(assumed)" not in capsys.readouterr().out
    assert estimate(run, *data, *option) == 2
    assert f"{option[0]} is {option[1]}; it cannot be given with --data" in capsys.readouterr().err


def test_frames_of_a_video_say_their_time(run, tmp_path, capsys):
    av = pytest.importorskip("av", reason="PyAV is not installed: pip install 'latent-hands[video]'")
    clip = tmp_path / "clip.mp4"
    with av.open(str(clip), "w") as video:
        stream = video.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 80, 64, "yuv420p"
        for seed in range(3):
            video.mux(stream.encode(av.VideoFrame.from_ndarray(noise_image(64, 80, seed), "rgb24")))
        video.mux(stream.encode())
    assert estimate(run, clip, "--out", tmp_path / "out", "--json", "--no-overlays") == 0
    hands = json.loads(capsys.readouterr().out)
    assert [hand["image"] for hand in hands] == [f"clip-{i:05d}" for i in range(3)]
    assert [hand["seconds"] for hand in hands] == [0.0, 0.2, 0.4]
    clip.write_bytes(clip.read_bytes()[:200])
    Image.fromarray(noise_image()).save(tmp_path / "a.png")
    assert estimate(run, clip, tmp_path / "a.png", "--out", tmp_path / "out") == 1
    assert "clip.mp4 is not a readable video" in capsys.readouterr().err


def test_numbers_have_the_digits_that_they_are_rounded_to():
    text = tiny_model(ESTIMATION).estimate(Photo.open(noise_image()), draws=4).to_json()
    assert max(len(digits) for digits in re.findall(r"\d\.(\d+)", text)) <= 6
    for digits in re.findall(r"\d\.(\d+)", json.dumps(json.loads(text)["xyz_mm"])):
        assert len(digits) <= 3


def test_a_focal_length_makes_the_answer_one_of_the_camera(tmp_path, capsys):
    run = tiny_run(tmp_path / "ray", ESTIMATION)
    text = (run / "experiment.toml").read_text()
    (run / "experiment.toml").write_text(text.replace('frame = "camera"', 'frame = "ray"'))
    image, out, hands = tmp_path / "a.png", tmp_path / "out", []
    Image.fromarray(noise_image()).save(image)
    for more in ([], ["--focal", "90"]):
        assert estimate(run, image, "--box", "10,6,44,40", "--out", out, "--json", *more) == 0
        (numbers,) = json.loads(capsys.readouterr().out)
        hands.append(Hand.from_json(json.dumps(numbers)))
    ray, camera = hands
    assert (ray.frame, camera.frame) == ("ray", "camera")
    K = centred_camera(90.0, (60, 80))
    R = ray_rotation(K, torch.tensor(Photo.open(noise_image(), "left", ray.crop_px).centre_px)).numpy()
    np.testing.assert_allclose(camera.pose @ R, ray.pose, atol=1e-4)
    assert K.tolist() == [[90, 0, 39.5], [0, 90, 29.5], [0, 0, 1]]
    assert estimate(run, image, "--out", out, "--focal", "0") == 2


@pytest.fixture(scope="module")
def model() -> Model:
    return tiny_model(ESTIMATION)


def test_draws_tell_how_far_joints_spread_and_change_nothing_else(model):
    image = Photo.open(noise_image(), bone_mm=50.0)
    plain, drawn = (model.estimate(image, draws=n) for n in (0, 16))
    assert plain.spread_mm is plain.spread is None
    assert drawn.spread_mm.shape == (21,)
    assert (drawn.spread_mm > 0).all()
    np.testing.assert_allclose(drawn.spread_mm, 50 * drawn.spread)
    np.testing.assert_array_equal(plain.pose, drawn.pose)
    np.testing.assert_array_equal(model.estimate(image, draws=16).spread, drawn.spread)
    np.testing.assert_allclose(Hand.from_json(drawn.to_json()).spread, drawn.spread, atol=1e-5)
    assert Hand.from_json(plain.to_json()).spread is None


def test_the_spread_is_that_of_the_posterior(model, monkeypatch):
    """A certain posterior has none; and many draws agree about it."""
    image = Photo.open(noise_image())
    few, many = (model.estimate(image, draws=n).spread for n in (400, 1600))
    np.testing.assert_allclose(few, many, rtol=0.25)
    from latent_hands.paper.latent import Gaussian

    experiment = replace(model.experiment, sampling=Sampling(temperature=3.0))
    wide = Model(model.vae, experiment).estimate(image, draws=400).spread
    assert (wide > 1.5 * few).all()
    monkeypatch.setattr(Gaussian, "draw", lambda self, generator=None: self.mean)
    np.testing.assert_allclose(model.estimate(image, draws=4).spread, 0, atol=1e-5)


@pytest.mark.parametrize("side", ["mirror", "condition"])
def test_the_spread_of_a_right_hand(side):
    model, image = tiny_model(ESTIMATION, right_hands=side), noise_image()
    right = model.estimate(Photo.open(image[:, ::-1].copy(), "right"), draws=4)
    left = model.estimate(Photo.open(image), draws=4)
    assert np.allclose(right.spread, left.spread) == (side == "mirror")


def test_one_draw_has_no_spread(model):
    with pytest.raises(HandsError, match="draws is 1, but must be 2 or more"):
        model.estimate(Photo.open(noise_image()), draws=1)


def test_samples_are_told(run, photos, tmp_path, capsys):
    assert estimate(run, photos / "0.png", "--out", tmp_path, "--draws", "4") == 0
    assert "spread mm" in capsys.readouterr().out
    assert len(json.loads((tmp_path / "0.json").read_text())["spread_mm"]) == 21
