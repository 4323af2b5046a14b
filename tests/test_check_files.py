"""The doctor on files: it reads to the end and names every broken file and every copy."""

import json
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from checked_sets import COUNT, write_clean
from packed_hands import name_painted, painted_scenes
from posed_hands import posed_hands, write_rhd, write_rhd_labels

from latent_hands.cli import main
from latent_hands.data import open_data, read_rgb
from latent_hands.doctor import check_set
from latent_hands.doctor.files import Inspected, find_copies
from latent_hands.doctor.places import UNKNOWN
from latent_hands.errors import HandsError


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    return write_clean(tmp_path_factory.mktemp("clean"), ["rhd"])


@pytest.fixture
def copied(clean, tmp_path):
    """A function that returns the samples of a set and a copy of its folder."""

    def copy(name):
        samples, root = clean[name]
        shutil.copytree(root, tmp_path / name)
        return samples, tmp_path / name

    return copy


@pytest.fixture
def broken(copied):
    """The folder of a set with seven problems in seven samples."""
    _, root = copied("rhd")
    folder = root / "evaluation"
    path = folder / "anno_evaluation.pickle"
    labels = pickle.loads(path.read_bytes())
    labels[0]["xyz"] = labels[0]["xyz"] * np.nan
    labels[1]["K"] = np.eye(4)
    labels[6]["xyz"][:] = 0
    path.write_bytes(pickle.dumps(labels))
    (folder / "color/00002.png").unlink()
    data = (folder / "color/00003.png").read_bytes()
    (folder / "color/00003.png").write_bytes(data[: len(data) // 2])
    (folder / "mask/00004.png").write_bytes(b"")
    shutil.copy(folder / "color/00005.png", folder / "color/00007.png")
    return root


def test_everything_broken_is_named(broken):
    report = check_set("rhd", broken)
    messages = "\n".join(f"{problem.where}: {problem.message}" for problem in report.problems)
    for expected in (
        '"xyz" of image 00000',
        '"K" of image 00001',
        "00002.png is missing",
        "color/00003.png (",
        "mask/00004.png (0 bytes)",
        "evaluation/00006: all 3D joints lie at one point",
        "evaluation/00005: the same image as evaluation/00007",
    ):
        assert expected in messages
    assert len(report.problems) == 7
    with pytest.raises(HandsError):
        open_data("rhd", broken, "evaluation")


def test_hands_of_one_file_are_no_copies_unless_their_joints_repeat():
    (sample,) = posed_hands(1, 5)
    moved = replace(sample, name="moved", xyz_mm=sample.xyz_mm + np.float32(1))
    again, elsewhere = replace(sample, name="again"), replace(moved, image=Path("other.png"))

    def copies(*hands, splits=("evaluation",) * 9):
        seen = [
            Inspected(f"{split}/{hand.name}", split, hand, (4, 4), b"pixels", np.zeros(3), UNKNOWN)
            for split, hand in zip(splits, hands, strict=False)
        ]
        return [problem.message for problem in find_copies(seen)[0] if "image" in problem.message]

    assert copies(sample, moved) == []
    assert copies(sample, moved, again) == ["the same image as evaluation/again"]
    assert copies(sample, elsewhere) == ["the same image as evaluation/moved"]
    assert copies(sample, moved, splits=("training", "evaluation")) == ["the same image as evaluation/moved"]


def test_poses_of_one_split_in_another_are_a_problem(copied):
    samples, root = copied("rhd")
    others = [replace(sample, name=f"{int(sample.name) + COUNT:05d}") for sample in posed_hands(COUNT, 5)]
    write_rhd(root, [*others[:-1], replace(samples[3], name=others[-1].name)], "training")
    problems = [problem for problem in check_set("rhd", root).problems if problem.kind == "copy"]
    assert [(p.where, p.message) for p in problems] == [
        ("training/00023", "the same pose as evaluation/00003")
    ]
    write_rhd_labels(root, [*samples[:-1], replace(samples[0], name=samples[-1].name)])
    assert any("2 samples share 1 poses" in note for note in check_set("rhd", root, ["evaluation"]).notes)


def test_images_without_labels_are_only_counted(clean, tmp_path):
    folder = tmp_path / "images"
    shutil.copytree(clean["rhd"][1] / "evaluation/color", folder)
    (folder / "00003.png").write_bytes(b"")
    report = check_set("images", folder)
    assert [problem.kind for problem in report.problems] == ["file"]
    assert list(report.counts) == ["training"]
    assert report.counts["training"]["samples"] == COUNT - 1
    assert report.verdicts == []


def test_where_there_are_no_labels_nothing_is_called_right(clean, capsys):
    assert main(["check", "--data", "images", "--root", str(clean["rhd"][1] / "evaluation" / "color")]) == 0
    printed = capsys.readouterr().out
    assert "the set has no 3D labels to check" in printed
    assert "no problems" not in printed


def test_the_command_prints_all_and_ends_with_what_it_found(clean, broken, tmp_path, capsys):
    assert main(["check", "--data", "rhd", "--root", str(clean["rhd"][1])]) == 0
    printed = capsys.readouterr().out
    assert "no problems" in printed
    assert "absent" in printed
    sheet = tmp_path / "new" / "sheet.png"
    assert main(["check", "--data", "rhd", "--root", str(broken), "--sheet", str(sheet)]) == 1
    printed = capsys.readouterr().out
    assert "7 problems" in printed
    assert "color/00003.png" in printed
    assert read_rgb(sheet).shape[1] > 4 * 192
    assert main(["check", "--data", "rhd", "--root", str(broken), "--json", "--limit", "3"]) == 1
    numbers = json.loads(capsys.readouterr().out)
    assert numbers["healthy"] is False
    assert len(numbers["problems"]) == 3
    assert main(["check", "--data", "rhd", "--root", str(tmp_path / "nowhere")]) == 2
    assert main(["check", "--data", "rdh", "--root", str(tmp_path)]) == 2
    assert main(["check", "--data", "rhd", "--root", str(tmp_path / "new")]) == 2


def test_a_sheet_of_wild_labels_is_drawn(copied, tmp_path):
    samples, root = copied("rhd")
    wild = [replace(samples[0], uv_px=samples[0].uv_px * np.float32(1e6)), *samples[1:]]
    write_rhd_labels(root, wild)
    assert main(["check", "--data", "rhd", "--root", str(root), "--sheet", str(tmp_path / "sheet.png")]) == 1
    assert read_rgb(tmp_path / "sheet.png").ndim == 3


def test_both_splits_are_named_if_neither_has_a_readable_sample(copied):
    _, root = copied("rhd")
    shutil.copytree(root / "evaluation", root / "training")
    (root / "training/anno_evaluation.pickle").rename(root / "training/anno_training.pickle")
    for split in ("training", "evaluation"):
        shutil.rmtree(root / split / "color")
        (root / split / "color").mkdir()
    places = [problem.where for problem in check_set("rhd", root).problems]
    assert (places.count("training"), places.count("evaluation")) == (COUNT, COUNT)


def test_every_kind_of_image_is_read(monkeypatch, tmp_path):
    """Shared images are read once, and samples that lack what others have are named."""
    samples = painted_scenes(tmp_path)
    (tmp_path / "broken.png").write_bytes(b"no image")
    shared, broken = ("identity_tag", "background_tag"), tmp_path / "broken.png"
    samples = [replace(sample, **dict.fromkeys(shared, broken)) for sample in samples]
    lacking = [replace(samples[0], name=f"no {kind}", **{kind: None}) for kind in (*shared, "depth")]
    name_painted([*samples, *lacking], monkeypatch)
    problems = [p for p in check_set("painted", tmp_path, ["training"]).problems if p.kind == "file"]
    assert [problem.where for problem in problems].count(str(broken)) == 2
    for kind in (*shared, "depth"):
        (problem,) = [problem for problem in problems if problem.where == f"training/no {kind}"]
        assert problem.message == f"it has no {kind} image, but others have"
