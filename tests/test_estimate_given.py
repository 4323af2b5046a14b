"""`latent-hands estimate`: boxes, sides and other facts that are given, and nonsense that is refused."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from estimated_images import any_hand, estimate, finding, three_images
from painted_hands import painted_hands
from PIL.PngImagePlugin import PngImageFile
from registries import register
from tiny_models import ESTIMATION, tiny_run

from latent_hands.data import READERS
from latent_hands.predictions import read_json
from latent_hands.predictor import Hand

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


def test_given_facts_reach_the_model(run, found, photos, tmp_path):
    calls = found(2)
    facts = ["--handedness", "right", "--bone-mm", "44", "--focal-px", "90", "--max-hands", "12"]
    facts += ["--rotations", "2", "--draws", "4"]
    boxes = ["--box", BOX, "--box=-3,-2,30,30"]
    assert estimate(run, photos / "0.png", "--out", tmp_path / "out", *facts, *boxes) == 0
    (call,) = calls
    assert call["boxes"] == [(10, 6, 44, 40), (-3, -2, 30, 30)]
    assert (call["handedness"], call["bone_mm"], call["rotations"], call["draws"]) == ("right", 44, 2, 4)
    assert (call["focal_px"], call["max_hands"], call["zoom"]) == (90, 12, 1)


def test_a_zoom_is_that_of_images_without_boxes(run, found, photos, tmp_path, capsys):
    calls = found(1)
    (photos / "1.png").unlink()
    (tmp_path / "boxes.csv").write_text(f"file,x,y,width,height\n0.png,{BOX}\n")
    options = ["--zoom", "4", "--out", tmp_path / "out"]
    assert estimate(run, photos, "--boxes", tmp_path / "boxes.csv", *options) == 0
    assert [call["zoom"] for call in calls] == [1, 4]
    assert estimate(run, photos / "0.png", "--boxes", tmp_path / "boxes.csv", *options) == 2
    assert "--zoom is 4, but --boxes has all images" in capsys.readouterr().err
    assert estimate(run, photos, "--box", BOX, *options) == 2
    assert "--zoom is 4, but nothing is searched with --box" in " ".join(capsys.readouterr().err.split())
    found(0)
    assert estimate(run, photos, *options) == 1
    assert "try --zoom" not in capsys.readouterr().err


def test_a_box_is_read_without_a_detector(run, photos, tmp_path, capsys):
    options = ["--box", BOX, "--handedness", "left", "--bone-mm", "40", "--out", tmp_path / "out"]
    assert estimate(run, photos / "0.png", *options) == 0
    assert "(assumed)" not in capsys.readouterr().out
    (hand,) = read_json(tmp_path / "out/0.json")
    assert (hand.handedness, hand.score, hand.bone_mm_assumed) == ("left", None, False)


def test_an_image_is_decoded_once(run, photos, tmp_path, monkeypatch):
    """Its pixels serve the model and the overlay. Pillow decodes a whole PNG file for its EXIF data, too."""
    decoded, load_end = [], PngImageFile.load_end
    monkeypatch.setattr(PngImageFile, "load_end", lambda self: (decoded.append(self), load_end(self)))
    assert estimate(run, photos / "0.png", "--box", BOX, "--panels", "--out", tmp_path / "out") == 0
    assert len(decoded) == 1


def test_a_file_of_boxes_gives_boxes_and_sides(run, found, photos, tmp_path, capsys):
    calls = found(1)
    (photos / "1.png").write_bytes((photos / "0.png").read_bytes())
    lines = ["file,x,y,width,height,handedness", f"0.png,{BOX},right", "0.png,9,6,44,40,", "2.png,,,,,"]
    (tmp_path / "boxes.csv").write_text("\n".join([*lines, "other.png,1,2,30,40,"]))
    assert estimate(run, photos, "--boxes", tmp_path / "boxes.csv", "--out", tmp_path / "out") == 1
    assert [call["boxes"] for call in calls] == [[(10, 6, 44, 40), (9, 6, 44, 40)], None]
    assert [call["handedness"] for call in calls] == [["right", None], None]
    error = capsys.readouterr().err
    assert "no hand found in 2" in error
    assert re.search(r"has no entry for 1 of 3 images, whose hands are detected: .*1\.png", error)
    assert "names 1 file more than are given: other.png" in error
    found(2)
    assert estimate(run, photos / "0.png", "--boxes", tmp_path / "boxes.csv", "--handedness", "left") == 0
    assert calls[-1]["handedness"] == "left"
    (tmp_path / "none.csv").write_text(lines[0] + "\nother.png,1,2,30,40,\n")
    assert estimate(run, photos, "--boxes", tmp_path / "none.csv") == 2
    assert "has no box of a given image: it names other.png" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--box", "0.1,0.1,0.8,0.8"], "are shares of the image"),
        (["--box", "10,10,1e9,1e9"], "too large for the image of 80x60"),
        (["--box", "10,10,0.001,0.001"], "at least 1 pixel"),
        (["--box", "500,500,50,50"], "lies outside the image of 80x60"),
        (["--box", "1,2,3"], r"box is \"1,2,3\"; it must be x,y,width,height"),
        (["--box", BOX, "--boxes", "boxes.csv"], "--box and --boxes were both given"),
        (["--boxes", "none.csv"], "no file of boxes at none.csv"),
        (["--focal", "0"], r"focal length is 0\.0"),
        (["--focal", "inf"], "focal length is inf"),
        (["--focal", "1e30"], r"focal length is 1e\+30"),
        (["--bone-mm", "0.04"], r"bone_mm is 0\.04, but must be between 15 and 80 mm"),
        (["--handedness", "Left"], 'unknown handedness "Left"; did you mean "left"'),
        (["--rotations", "100000"], "--rotations is 100000; it must be between 1 and 64"),
        (["--rotations", "0"], "--rotations is 0"),
        (["--max-hands", "0"], "--max-hands is 0; it must be at least 1"),
        (["--draws", "1"], "--draws is 1; it must be 0, or between 2 and 1000"),
        (["--draws", "-3"], "--draws is -3"),
        (["--draws", "100000"], "--draws is 100000"),
        (["--limit", "0"], "limit is 0; it must be at least 1"),
        (["--limit", str(2**63)], "limit is 9223372036854775808; it must be at least 1, and at most"),
    ],
)
def test_nonsense_is_refused_in_one_line(run, found, photos, tmp_path, capsys, options, message):
    found(1)
    assert estimate(run, photos / "0.png", "--out", tmp_path / "out", *options) == 2
    error = capsys.readouterr().err
    assert re.search(message, error)
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_negative_numbers_need_no_equals_sign(run, found, photos, tmp_path):
    calls = found(1)
    assert estimate(run, photos / "0.png", "--box", "-10,-5,90,90", "--out", tmp_path / "out") == 0
    assert calls[0]["boxes"] == [(-10, -5, 90, 90)]


@pytest.mark.parametrize(
    "option", [("--handedness", "right"), ("--bone-mm", "44.0"), ("--box", "1,2,3,4"), ("--focal-px", "90.0")]
)
def test_labels_of_a_data_set_cannot_be_given_again(run, tmp_path, monkeypatch, capsys, option):
    samples = painted_hands(tmp_path, 2)
    register(monkeypatch, READERS, "painted", lambda root, split, limit, *, on_broken: samples[:limit])
    data = ["--data", "painted", "--root", tmp_path, "--out", tmp_path / "out"]
    assert estimate(run, *data, *option) == 2
    assert f"{option[0]} is {option[1]}; it cannot be given with --data" in capsys.readouterr().err


def test_labels_of_a_data_set_are_used_for_every_hand_of_an_image(run, tmp_path, monkeypatch, capsys):
    first, second = painted_hands(tmp_path, 2)
    samples = [first, replace(second, image=first.image)]
    register(monkeypatch, READERS, "painted", lambda root, split, limit, *, on_broken: samples[:limit])
    out = tmp_path / "out"
    assert (
        estimate(run, "--data", "painted", "--root", tmp_path, "--out", out, "--panels", "--draws", "0") == 0
    )
    printed = capsys.readouterr().out
    assert "(assumed)" not in printed
    assert "error mm" in printed
    assert [hand.handedness for hand in read_json(out / "0.json")] == ["left", "right"]
