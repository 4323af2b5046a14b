"""The command animate: predictions in, files for other programs out."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from command_line import fails
from glb_reader import Glb
from model_hands import model_hands

from latent_hands.cli import main
from latent_hands.predictions import ImageHands, read_images, write_hands


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three frames with a left and a right hand; the right one is missing in the last frame."""
    (a, b), _ = model_hands(2, "left")
    (c,), _ = model_hands(1, "right")
    a, b, c = replace(a, track=1), replace(b, track=1), replace(c, track=2)
    images = [
        ImageHands(f"{i}", (240, 200), hands, frame=i, seconds=i / 25)
        for i, hands in enumerate([[a, c], [b, c], [a]])
    ]
    path = tmp_path_factory.mktemp("clip") / "clip.jsonl"
    write_hands(path, images)
    return path


def test_glb_has_a_skin_for_each_hand_and_the_camera(clip: Path, tmp_path: Path, capsys):
    out = tmp_path / "new" / "hands.glb"
    assert main(["animate", str(clip), str(out)]) == 0
    assert "left_1" in capsys.readouterr().out
    document = Glb(out).json
    assert [skin["name"] for skin in document["skins"]] == ["left_1", "right_2"]
    assert len(document["cameras"]) == len(document["animations"]) == 1


def test_bvh_has_a_file_for_each_hand(clip: Path, tmp_path: Path, capsys):
    assert main(["animate", str(clip), str(tmp_path / "hands.bvh"), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    files = [tmp_path / "hands_left_1.bvh", tmp_path / "hands_right_2.bvh"]
    assert report["out"] == [str(file) for file in files]
    assert [hand["frames"] for hand in report["hands"]] == [3, 2]
    assert all(hand["fit_error_mm"] < 1 for hand in report["hands"])
    assert all("Frames: 3\nFrame Time: 0.04000000\n" in file.read_text() for file in files)
    one = tmp_path / "one.bvh"
    assert main(["animate", str(clip), str(one), "--min-frames", "3"]) == 0
    assert one.read_text().startswith("HIERARCHY\nROOT left_hand\n")


def test_npz_has_the_joints_of_all_frames(clip: Path, tmp_path: Path):
    out = tmp_path / "hands.npz"
    assert main(["animate", str(clip), str(out), "--limit", "2", "--fps", "10"]) == 0
    file = np.load(out)
    assert file["joints_m"].shape == (2, 2, 21, 3)
    assert file["seconds"].tolist() == [0, 0.1]


def test_unknown_endings_and_options_of_an_estimation_beside_predictions_are_refused(
    clip: Path, tmp_path: Path, capsys
):
    assert "does not end in .glb, .bvh, .npz" in fails(capsys, "animate", str(clip), "hands.fbx")
    out = str(tmp_path / "hands.glb")
    assert "--bone-mm is 35.0, but" in fails(capsys, "animate", str(clip), out, "--bone-mm", "35")
    assert "no file" in fails(capsys, "animate", str(tmp_path / "none.jsonl"), out)
    assert "limit is -1; it must be at least 1" in fails(capsys, "animate", str(clip), out, "--limit", "-1")
    arrays = str(write_hands(tmp_path / "clip.npz", read_images(clip)))
    assert "clip.npz is the input and would be overwritten" in fails(capsys, "animate", arrays, arrays)
    assert read_images(arrays)
    assert "nothing" in fails(capsys, "animate", str(tmp_path / "nothing.mp4"), out)
