"""Pseudo-labels: means and scores of several readings, and `latent-hands label`, which writes them."""

import json
from dataclasses import replace
from math import pi
from pathlib import Path

import numpy as np
import pytest
import torch
from folders import contents
from PIL import Image
from tiny_models import ESTIMATION, PLACEMENT, noise_image, tiny_model, tiny_run

from latent_hands.cli import main
from latent_hands.data import open_data
from latent_hands.data.crops import build_windows
from latent_hands.errors import HandsError
from latent_hands.hand import geometry
from latent_hands.predictor import HandCrop, Model, agreement
from latent_hands.predictor.agreement import AGREE_MM, Agreed, agreed_hands
from latent_hands.predictor.hand import Hand
from latent_hands.predictor.reading import read, read_rotated

BOX, MIRRORED = (20.0, 16.0, 24.0, 30.0), (36.0, 16.0, 24.0, 30.0)
WIDTH = 80
RUN = "./run"


@pytest.fixture(scope="module")
def model() -> Model:
    return tiny_model(PLACEMENT, frame="ray")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a run, three images, and a file of their boxes; it is the working directory."""
    monkeypatch.chdir(tmp_path)
    tiny_run(tmp_path / RUN, PLACEMENT)
    (tmp_path / "photos").mkdir()
    lines = ["file,x,y,width,height,handedness"]
    for i in range(3):
        Image.fromarray(noise_image(seed=i)).save(tmp_path / f"photos/{i}.png")
        lines.append(f"{i}.png,20,16,24,30,{'left' if i else 'right'}")
    (tmp_path / "boxes.csv").write_text("\n".join(lines))
    return tmp_path


def label(out: str, *options: str) -> int:
    command = ["label", "photos", out, "--teacher", RUN, "--boxes", "boxes.csv", "--rotations", "4"]
    return main([*command, *(options or ("--threshold", "0"))])


def test_the_mean_of_rotated_readings_is_the_reading_with_rotations(model):
    photo = HandCrop.open(noise_image(), "right", BOX)
    each = [read_rotated(model, [photo], angle)[0] for angle in (0.0, pi / 2, pi, 1.5 * pi)]
    (together,) = read(model, [photo], rotations=4)
    for name in ("pose", "cpose", "uv"):
        mean = torch.stack([reading.outputs[name] for reading in each]).mean(dim=0)
        torch.testing.assert_close(mean, together.outputs[name], rtol=1e-4, atol=1e-4)


def test_readings_that_agree_have_the_score_1_and_joints_that_jump_a_lower_one(model, monkeypatch):
    photo = HandCrop.open(noise_image(), "left", BOX)
    (reading,) = read_rotated(model, [photo], 0.0)
    offset = torch.zeros(21, 3)
    monkeypatch.setattr(agreement, "read_rotated", lambda *rest: [reading])
    (same,) = agreed_hands(model, noise_image(), boxes=[BOX], handedness="left", rotations=2)
    assert same.score == 1
    np.testing.assert_allclose(same.hand.pose, reading.outputs["pose"], rtol=1e-6)
    offset[5, 0] = AGREE_MM / same.hand.bone_mm
    signs = iter([1, -1])
    jumping = lambda *rest: [  # noqa: E731
        replace(reading, outputs=reading.outputs | {"pose": reading.outputs["pose"] + next(signs) * offset})
    ]
    monkeypatch.setattr(agreement, "read_rotated", jumping)
    (one,) = agreed_hands(model, noise_image(), boxes=[BOX], handedness="left", rotations=2)
    np.testing.assert_allclose(one.joint_scores, [0.5 if j == 5 else 1 for j in range(21)], atol=1e-5)
    assert one.score == pytest.approx(1 - 0.5 / 21)


def test_the_mirror_image_of_a_right_hand_has_the_mirrored_label_and_the_same_score(model):
    image = noise_image()
    mirror = np.ascontiguousarray(image[:, ::-1])
    (one,) = agreed_hands(model, image, boxes=[BOX], handedness="right", rotations=4)
    (two,) = agreed_hands(model, mirror, boxes=[MIRRORED], handedness="left", rotations=4)
    assert one.score == pytest.approx(two.score, abs=1e-3)
    np.testing.assert_allclose(geometry.mirror(torch.from_numpy(one.hand.pose)), two.hand.pose, atol=1e-2)
    np.testing.assert_allclose(WIDTH - 1 - one.hand.uv_px[:, 0], two.hand.uv_px[:, 0], atol=0.1)


def test_a_hand_that_the_mirror_image_contradicts_has_the_score_0(model, monkeypatch):
    image = noise_image()
    (hand,) = model.find(image, boxes=[BOX], handedness="left")

    def found(there: list[Hand]):
        monkeypatch.setattr(Model, "find", lambda self, rgb, **rest: [hand] if rgb is image else there)
        (one,) = agreed_hands(model, image, rotations=2)
        return one

    x, y, side, _ = hand.crop_px
    uv_px = np.array([WIDTH - 1, 0], np.float32) + hand.uv_px * np.array([-1, 1], np.float32)
    there = replace(hand, crop_px=(WIDTH - x - side, y, side, side), uv_px=uv_px)
    assert found([]).doubt == "not found in the mirror image"
    assert found([there]).doubt == "of another side in the mirror image"
    agreed = found([replace(there, handedness="right")])
    assert agreed.doubt is None
    assert agreed.score > 0 == found([]).score


def test_a_labelled_set_is_read_and_weighted_by_its_scores(folder, capsys):
    assert label("out") == 0
    assert "hands labelled" in capsys.readouterr().out
    samples = open_data("coco", "out", "training")
    assert [sample.handedness for sample in samples] == ["right", "left", "left"]
    lines = [json.loads(line) for line in (folder / "out/labels.jsonl").read_text().splitlines()]
    assert [sample.weight for sample in samples] == [line["hands"][0]["score"] for line in lines[1:]]
    convention = Model.load(RUN).experiment.data.convention
    assert all(sample.convention == convention and sample.xyz_mm is not None for sample in samples)
    scores = np.array([line["hands"][0]["joint_scores"] for line in lines[1:]])
    np.testing.assert_allclose(scores.mean(axis=1), [s.weight for s in samples], atol=1e-3)
    assert build_windows(samples, window_px=16).labels["weight"].shape == (3,)


def test_a_stopped_labelling_continues_to_the_same_files(folder, monkeypatch):
    assert label("whole") == 0
    calls = []

    def stopping(*rest, **options):
        calls.append(rest)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return agreed_hands(*rest, **options)

    monkeypatch.setattr("latent_hands.cli.label_images.agreed_hands", stopping)
    assert label("part") == 130
    with (folder / "part/labels.jsonl").open("a") as file:
        file.write('{"half a line')
    assert label("part") == 0
    assert len(calls) == 4
    assert contents(folder / "part") == contents(folder / "whole")


def test_another_threshold_reads_no_image_again_and_counts_what_is_left_out(folder, monkeypatch, capsys):
    assert label("out") == 0
    monkeypatch.setattr("latent_hands.cli.label_images.agreed_hands", None)
    weights = sorted(sample.weight for sample in open_data("coco", "out", "training"))
    between = f"{(weights[0] + weights[1]) / 2:.6f}"
    capsys.readouterr()
    assert label("out", "--threshold", between, "--json") == 0
    counts = json.loads(capsys.readouterr().out)
    assert (counts["hands"], counts["labelled"], list(counts["left_out"].values())) == (3, 2, [1])
    assert len(open_data("coco", "out", "training")) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["photos", "photos/out"], "photos/out is in the input folder photos"),
        (["photos", "out", "--threshold", "2"], "--threshold is 2; it must be between 0 and 1"),
        (["photos", "out", "--rotations", "1"], "rotations is 1; it must be between 2 and 64"),
        (["photos", "photos2", "--teacher", "./small"], 'has no decoder of "uv"'),
        (["photos", "run"], "run exists and has no labels.jsonl"),
    ],
)
def test_what_cannot_be_labelled_is_refused(folder, capsys, options, message):
    tiny_run(folder / "small", ESTIMATION)
    with_teacher = options if "--teacher" in options else [*options, "--teacher", RUN]
    assert main(["label", *with_teacher]) == 2
    assert message in capsys.readouterr().err


def test_other_options_are_not_mixed_and_too_high_thresholds_are_named(folder, capsys):
    assert label("out") == 0
    assert label("out", "--bone-mm", "44") == 2
    assert "was labelled with another bone_mm" in capsys.readouterr().err
    assert label("out", "--threshold", "1") == 2
    assert "no hand has a score of 1 or more: 3 hands in 3 images had less" in capsys.readouterr().err


def test_a_broken_image_is_skipped_and_tried_again(folder, capsys):
    good = (folder / "photos/1.png").read_bytes()
    (folder / "photos/1.png").write_bytes(good[:200])
    assert label("out") == 1
    assert "photos/1.png" in capsys.readouterr().err
    (folder / "photos/1.png").write_bytes(good)
    assert label("out") == 0
    assert len(open_data("coco", "out", "training")) == 3


def test_scores_are_one_half_at_the_named_distance(model):
    (hand,) = model.find(noise_image(), boxes=[BOX], handedness="left")
    agreed = Agreed(hand, np.full(21, AGREE_MM, np.float32))
    assert agreed.score == pytest.approx(0.5)
    with pytest.raises(HandsError, match="rotations is 1"):
        agreed_hands(model, noise_image(), boxes=[BOX], rotations=1)


def test_an_image_that_changed_is_not_labelled_anew_in_silence(folder, capsys):
    assert label("out") == 0
    Image.fromarray(noise_image(seed=9)).save(folder / "photos/1.png")
    assert label("out") == 2
    assert "1.png has changed since" in capsys.readouterr().err


def test_an_image_does_not_get_the_labels_of_another_one_with_its_name(folder, capsys):
    assert label("out") == 0
    (folder / "photos").rename(folder / "first")
    (folder / "photos").mkdir()
    for i in range(3):
        Image.fromarray(noise_image(seed=9 + i)).save(folder / f"photos/{i}.png")
    lines = (folder / "out/labels.jsonl").read_text()
    (folder / "out/labels.jsonl").write_text(lines.replace("/photos/", "/first/"))
    assert label("out") == 2
    assert "has an image of the name 0 already" in capsys.readouterr().err


def test_labelled_images_are_in_one_split(folder, capsys):
    assert label("out") == 0
    before = contents(folder / "out")
    assert label("out", "--threshold", "0", "--split", "evaluation") == 2
    assert "out holds these images as the split training" in capsys.readouterr().err
    assert contents(folder / "out") == before


def test_a_reason_why_no_image_can_be_labelled_is_named(folder, capsys):
    assert label("out", "--threshold", "0", "--focal-px", "5") == 2
    error = capsys.readouterr().err
    assert "no image of photos could be labelled: photos/2.png: focal_px is 5" in error
