"""`latent-hands estimate`: any number of hands an image, images of every kind, and their outputs."""

import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from estimated_images import any_hand, estimate, finding, three_images
from PIL import Image
from tiny_models import ESTIMATION, noise_image, tiny_model, tiny_run

import latent_hands
from latent_hands.cli.estimate_images import Estimated
from latent_hands.cli.estimate_tables import print_hands
from latent_hands.data import open_data
from latent_hands.detection import Detector
from latent_hands.predictions import ImageHands, read_json, read_npz
from latent_hands.predictor import Hand, Model

BOX = "10,6,44,40"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_run(tmp_path_factory.mktemp("runs") / "estimation", ESTIMATION)


@pytest.fixture(scope="module")
def hand() -> Hand:
    return any_hand()


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return three_images(tmp_path / "photos")


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch, hand: Hand) -> Callable[..., list[dict]]:
    return finding(monkeypatch, hand)


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")


def test_only_the_image_is_needed(found, photos, tmp_path, monkeypatch, capsys):
    calls = found(1)
    loaded: list[str] = []
    model = tiny_model(ESTIMATION)
    monkeypatch.setattr(Model, "load", lambda run: loaded.append(run) or model)
    monkeypatch.chdir(tmp_path)
    assert estimate(photos / "0.png") == 0
    assert loaded == ["estimation"]
    assert len(calls) == 1
    assert calls[0]["boxes"] is calls[0]["handedness"] is calls[0]["bone_mm"] is calls[0]["focal_px"] is None
    assert (tmp_path / "runs/estimates/0.json").is_file()
    assert "left" in capsys.readouterr().out


def test_the_run_is_an_option_or_the_first_argument(run, found, photos, tmp_path):
    found(1)
    for arguments in (
        [run, photos / "0.png"],
        [photos / "0.png", "--run", run],
        ["--run", run, photos / "0.png"],
    ):
        assert estimate(*arguments, "--out", tmp_path / "out") == 0


def test_a_detector_of_ones_own_finds_the_hands(run, photos, tmp_path, monkeypatch, capsys):
    detectors = []
    monkeypatch.setattr(Model, "find", lambda self, image, **options: detectors.append(self.detector) or [])
    own = Path(latent_hands.__file__).parent / "weights/detection"
    estimate(photos / "0.png", "--run", run, "--detector", own, "--out", tmp_path / "out")
    assert isinstance(detectors[0], Detector)
    assert estimate(photos / "0.png", "--run", run, "--detector", tmp_path, "--out", tmp_path / "out") == 2
    assert "train one with `latent-hands detector train`" in capsys.readouterr().err


def test_a_folder_of_images_may_have_the_name_of_a_model(run, found, photos, tmp_path, monkeypatch):
    calls = found(1)
    (photos / "1.png").unlink()
    photos.rename(tmp_path / "estimation")
    monkeypatch.chdir(tmp_path)
    assert estimate("estimation", "--run", run, "--out", "out") == 0
    assert len(calls) == 2


def test_several_hands_are_in_every_output(run, found, photos, tmp_path, capsys):
    found(2)
    out = tmp_path / "out"
    formats = ["--formats", "json", "csv", "npz", "coco"]
    (photos / "1.png").unlink()
    assert estimate(run, photos, "--out", out, "--json", *formats) == 0
    printed = json.loads(capsys.readouterr().out)
    assert [(hand["image"], hand["hand"], hand["handedness"]) for hand in printed] == [
        ("0", 0, "left"),
        ("0", 1, "right"),
        ("2", 0, "left"),
        ("2", 1, "right"),
    ]
    assert [hand.handedness for hand in read_json(out / "2.json")] == ["left", "right"]
    assert [len(image.hands) for image in read_npz(out / "hands.npz")] == [2, 2]
    assert len(open_data("coco", out / "coco", "evaluation")) == 4
    assert len((out / "hands.csv").read_text().splitlines()) == 5
    assert {path.name for path in out.iterdir()} == {
        *("0.json", "0.png", "2.json", "2.png", "hands.csv", "hands.npz", "coco")
    }


def test_no_hand_is_an_answer(run, found, photos, tmp_path, capsys):
    found(1, 0)
    (photos / "1.png").unlink()
    assert estimate(run, photos, "--out", tmp_path / "out") == 1
    printed = capsys.readouterr()
    assert printed.err.endswith("latent-hands: no hand found in 2\nFor small hands, try --zoom 2.\n")
    assert "no hand found" in printed.out
    assert json.loads((tmp_path / "out/2.json").read_text()) == []
    assert (tmp_path / "out/2.png").is_file()
    found(0)
    assert estimate(run, photos / "0.png", "--out", tmp_path / "out", "--json") == 1
    assert json.loads(capsys.readouterr().out) == []


def test_a_broken_image_is_skipped_and_named(run, found, photos, tmp_path, capsys):
    found(1)
    assert estimate(run, photos, "--out", tmp_path / "out", "--json") == 1
    printed = capsys.readouterr()
    assert [hand["image"] for hand in json.loads(printed.out)] == ["0", "2"]
    assert re.search(r"skipped: .*photos/1\.png .*not a readable image", printed.err)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"0.json", "0.png", "2.json", "2.png"}


def test_what_was_done_until_ctrl_c_is_written(run, photos, tmp_path, monkeypatch, hand):
    opened = []

    def find(self: Model, image: object, **options: object) -> list[Hand]:
        opened.append(image)
        if len(opened) == 2:
            raise KeyboardInterrupt
        return [hand]

    monkeypatch.setattr(Model, "find", find)
    out = tmp_path / "out"
    assert estimate(run, photos, "--out", out, "--no-overlays", "--formats", "json", "csv") == 130
    assert {path.name for path in out.iterdir()} == {"0.json", "hands.csv"}


def save_kinds(folder: Path) -> list[Path]:
    """Write one image of every unusual kind."""
    rgb = noise_image(48, 64)
    image = Image.fromarray(rgb)
    images = {
        "tiny.png": Image.new("RGB", (1, 1)),
        "panorama.png": Image.new("RGB", (900, 40)),
        "grey.jpg": image.convert("L"),
        "grey-alpha.png": image.convert("LA"),
        "alpha.png": image.convert("RGBA"),
        "palette.gif": image.convert("P"),
        "cmyk.jpg": image.convert("CMYK"),
        "deep.png": Image.fromarray(rgb[..., 0].astype(np.uint16) * 257),
    }
    for name, each in images.items():
        each.save(folder / name)
    image.save(folder / "pages.tif", save_all=True, append_images=[image, image])
    return [*(folder / name for name in images), folder / "pages.tif"]


def test_images_of_every_kind_get_an_answer(run, tmp_path, caplog):
    """A box is given, so the network reads each of them."""
    files = save_kinds(tmp_path)
    out = tmp_path / "out"
    assert estimate(run, *files, "--out", out, "--box", "0,0,1,1", "--no-overlays") == 2
    options = ["--box", "0,0,2,2", "--handedness", "left", "--draws", "0", "--out", out]
    assert estimate(run, *files, *options) == 0
    assert f"{tmp_path}/pages.tif has 3 pages or frames; the first is read" in caplog.text
    for file in files:
        assert np.isfinite(read_json(out / f"{file.stem}.json")[0].uv_px).all()
        assert (out / f"{file.stem}.png").is_file()


def test_files_of_one_name_in_a_data_set_have_outputs_of_their_own(run, found, photos, tmp_path):
    found(1)
    (photos / "1.png").unlink()
    Image.fromarray(noise_image()).save(photos / "0.jpg")
    out = tmp_path / "out"
    assert estimate(run, "--data", "images", "--root", photos, "--out", out, "--no-overlays") == 0
    assert {path.name for path in out.iterdir()} == {*("photos-0.png.json", "photos-0.jpg.json", "2.json")}


def test_names_that_are_too_long_or_not_utf_8_do_not_end_the_batch(run, found, photos, tmp_path, capsys):
    found(1)
    name = os.fsdecode(b"latin1\xe9.png")
    (photos / "0.png").rename(photos / ("x" * 251 + ".png"))
    (photos / "1.png").write_bytes((photos / "2.png").read_bytes())
    try:
        (photos / "2.png").rename(photos / name)
    except OSError:
        pytest.skip("the file system stores UTF-8 names only")
    out = tmp_path / "out"
    assert estimate(run, photos, "--out", out, "--formats", "json", "csv", "npz", "coco") == 1
    assert "its name is too long" in capsys.readouterr().err
    assert {path.name for path in out.glob("*.json")} == {"1.json", name.replace(".png", ".json")}
    assert len(read_npz(out / "hands.npz")) == 2
    assert os.fsencode(name) in (out / "hands.csv").read_bytes()


def test_the_table_states_the_error_of_the_distance(capsys):
    palm_mm, spread_mm = np.array([0, 0, 400], np.float32), np.array([20, 20, 65], np.float32)
    hand = replace(any_hand(), palm_mm=palm_mm, palm_spread_mm=spread_mm)
    print_hands([Estimated(ImageHands("a", (80, 60), (hand,)), (None,))])
    assert "400 ± 65" in capsys.readouterr().out
