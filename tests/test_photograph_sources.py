"""Photographs as sources of image synthesis: which hand is found in them, and how it is cropped."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from estimated_images import any_hand, finding
from model_hands import K, model_hands
from PIL import Image
from tiny_models import SYNTHESIS, noise_image, tiny_model, tiny_run

from latent_hands.cli import main
from latent_hands.data.formats.image import read_rgb
from latent_hands.hand.camera import palm_box
from latent_hands.hand.conventions import FRAMING
from latent_hands.predictor import HandCrop, Model

A, B = noise_image(60, 80, seed=1), noise_image(60, 80, seed=2)


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    for name, pixels in (("a", A), ("b", B)):
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    tiny_run(tmp_path / "run", SYNTHESIS)
    return [str(tmp_path / "a.png"), str(tmp_path / "b.png")]


def synthesise(files: list[str], *options: str) -> np.ndarray | None:
    """Run the command; return its image, or None after an error."""
    folder = Path(files[0]).parent
    sources = ["--pose", files[0], "--content", files[1], "--out", str(folder / "out.png")]
    failed = main(["synthesise", str(folder / "run"), *sources, *options])
    return None if failed else read_rgb(folder / "out.png")


def model_with(crop: str) -> Model:
    model = tiny_model(SYNTHESIS)
    return Model(model.vae, replace(model.experiment, data=replace(model.experiment.data, crop=crop)))


@pytest.mark.parametrize("handedness", ["left", "right"])
def test_the_crop_of_a_scene_is_that_of_its_labels(handedness):
    model = model_with("scene")
    for hand in model_hands(20, handedness, FRAMING)[0]:
        photo = model.crop_of(noise_image(200, 240), hand)
        xyz_mm = torch.from_numpy(hand.bone_mm * hand.pose + hand.palm_mm)
        centre, side_px = palm_box(xyz_mm, torch.from_numpy(K))
        assert np.allclose(photo.centre_px, centre, atol=0.01)
        assert photo.side_px == pytest.approx(float(side_px), rel=0.15)  # place ignores perspective
        assert (photo.handedness, photo.K is hand.K) == (handedness, True)


def test_another_crop_is_the_one_that_the_hand_was_read_in():
    hand = model_hands(1)[0][0]
    assert model_with("box").crop_of(A, hand).box_px == hand.crop_px


def test_an_image_file_gives_the_hand_that_is_found_in_it(files, monkeypatch):
    hand = any_hand()
    calls, model = finding(monkeypatch, hand)(1), Model.load(Path(files[0]).parent / "run")
    image = synthesise(files)
    assert np.array_equal(image, model.synthesise(hand, model.crop_of(B, hand)))
    assert [(call["image"], call["handedness"]) for call in calls] == [(file, None) for file in files]
    synthesise([files[0], files[0]], "--handedness", "right")
    assert [(call["image"], call["handedness"]) for call in calls[2:]] == [(files[0], "right")]


def test_a_cropped_image_file_is_read_as_it_is(files, monkeypatch):
    calls, model = finding(monkeypatch, any_hand())(1), Model.load(Path(files[0]).parent / "run")
    assert np.array_equal(
        synthesise(files, "--cropped"), model.synthesise(HandCrop.open(A), HandCrop.open(B))
    )
    right = [HandCrop.open(pixels, "right") for pixels in (A, B)]
    assert np.array_equal(synthesise(files, "--cropped", "--handedness", "right"), model.synthesise(*right))
    assert not calls


def test_no_hand_and_several_hands_are_announced(files, monkeypatch, caplog, capsys):
    finding(monkeypatch, any_hand())(0, 2, 1)
    assert synthesise(files) is None
    assert f"no hand was found in {files[0]}" in capsys.readouterr().err
    assert synthesise(files) is not None
    assert f"{files[0]} has 2 hands; the left one at" in caplog.text
    assert f"{files[1]} has" not in caplog.text
