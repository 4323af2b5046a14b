"""The doctor names every wrong convention."""

import errno
import json
import logging
import shutil
from dataclasses import replace

import numpy as np
import pytest
from checked_sets import FREIHAND_K, SETS, crops, write_clean
from conftest import SHARED
from painted_hands import painted_hands
from posed_hands import posed_hands, write_rhd_labels

from latent_hands.cli import main
from latent_hands.data import open_data
from latent_hands.data.sample import project
from latent_hands.doctor import check, check_set
from latent_hands.errors import HandsError


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    return write_clean(tmp_path_factory.mktemp("clean"))


@pytest.fixture
def copied(clean, tmp_path):
    """A function that returns the samples of a set and a copy of its folder."""

    def copy(name):
        samples, root = clean[name]
        shutil.copytree(root, tmp_path / name)
        return samples, tmp_path / name

    return copy


def wrong(name, root):
    return {p.where: p.message for p in check_set(name, root).problems if p.kind == "convention"}


def with_palm(sample):
    xyz_mm = sample.xyz_mm.copy()
    xyz_mm[0] = (xyz_mm[0] + xyz_mm[12]) / 2
    return replace(sample, xyz_mm=xyz_mm, uv_px=project(xyz_mm, sample.K))


def backwards(sample):
    """Reverse every finger: RHD's order becomes that of MediaPipe, and back."""
    places = [0, *(tip + 3 - i for tip in range(1, 21, 4) for i in range(4))]
    return replace(sample, xyz_mm=sample.xyz_mm[places], uv_px=sample.uv_px[places])


CHANGES = {
    "unit": lambda sample: replace(sample, xyz_mm=sample.xyz_mm * 1000),
    "order": backwards,
    "root": with_palm,
    "camera": lambda sample: replace(sample, K=(sample.K * [[2], [2], [1]]).astype(np.float32)),
    "axes": lambda sample: replace(sample, xyz_mm=sample.xyz_mm[:, [1, 0, 2]]),
}


@pytest.mark.parametrize("name", SETS)
def test_nothing_is_wrong_with_clean_sets(clean, name):
    report = check_set(name, clean[name][1])
    assert report.problems == []
    assert report.counts["evaluation"]["samples"] == len(clean[name][0])
    topics = {"order", "unit", "axes", "camera", "frame", "root", "side"}
    assert {verdict.topic for verdict in report.verdicts} - {"place"} == topics


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("topic", CHANGES)
def test_each_wrong_convention_is_named_and_no_other(copied, name, topic):
    samples, root = copied(name)
    SETS[name][2](root, [CHANGES[topic](sample) for sample in samples])
    assert set(wrong(name, root)) == {topic}


@pytest.mark.parametrize("name", ["freihand", "ge2019"])
def test_images_distinguish_hands_of_the_other_side_from_mirrored_joints(copied, name):
    samples, root = copied(name)
    mirrored = [replace(sample, xyz_mm=sample.xyz_mm * np.float32([-1, 1, 1])) for sample in samples]
    if name == "freihand":  # Ge's would lie far out of their images
        SETS[name][2](root, mirrored)
        assert "mirrored" in wrong(name, root)["axes"]
    other = {"freihand": ("r", "l"), "ge2019": ("l", "r")}[name][1]
    samples = posed_hands(40, 3, other, FREIHAND_K)
    samples = samples if name == "freihand" else crops(samples)
    shutil.rmtree(root)
    SETS[name][1](root, samples)
    assert set(wrong(name, root)) == {"side"}


def test_exchanged_sides_are_named(copied):
    samples, root = copied("rhd")
    exchanged = {"left": "right", "right": "left"}
    write_rhd_labels(root, [replace(sample, handedness=exchanged[sample.handedness]) for sample in samples])
    assert "hands labelled left are right hands" in wrong("rhd", root)["side"]


def test_freihands_labels_are_judged_one_by_one(copied):
    samples, root = copied("freihand")
    path = root / "evaluation_xyz.json"
    numbers = json.loads(path.read_text())
    numbers[4][3][0] = float("nan")
    path.write_text(json.dumps(numbers))
    report = check_set("freihand", root)
    assert [problem.message.partition(" of ")[0] for problem in report.problems] == ["label 4"]
    assert report.counts["evaluation"]["samples"] == len(samples) - 1


def test_samples_are_checked_as_sets_are(clean):
    samples, root = clean["freihand"]
    read = open_data("freihand", root, "evaluation")
    assert check({"evaluation": read}).to_json() == check_set("freihand", root, ["evaluation"]).to_json()
    report = check([replace(sample, xyz_mm=sample.xyz_mm / 10) for sample in read])
    assert [problem.where for problem in report.problems] == ["unit"]
    assert report.counts["samples"]["samples"] == len(samples)


@pytest.mark.parametrize("name", ["rhd", "stb", "ge2019"])
def test_nothing_is_wrong_with_real_sets(name):
    if not (SHARED / name).is_dir():
        pytest.skip(f"{name} is not at {SHARED}")
    report = check_set(name, SHARED / name)
    assert report.problems == []
    assert any("frames are left out" in note for note in report.notes) == (name == "stb")
    assert logging.getLogger("latent_hands.data").propagate


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_below_one_is_refused(clean, limit):
    with pytest.raises(HandsError, match=f"limit is {limit}; it must be at least 1"):
        check_set("rhd", clean["rhd"][1], limit=limit)


def test_a_joint_convention_that_does_not_exist_is_a_problem(tmp_path):
    names = ("rhd", "rdh", "mano")
    samples = [replace(s, convention=n) for s, n in zip(painted_hands(tmp_path, 3), names, strict=True)]
    messages = [problem.message for problem in check(samples).problems]
    assert [each for each in messages if "joint convention" in each] == [
        '1 hand with the unknown joint convention "rdh"; did you mean "rhd"? Legal: anatomical, ge2019, '
        "mano, mediapipe, rhd, rhd_bones, stb. extend.register_convention adds one"
    ]


def test_a_report_is_printed_before_a_full_disk_takes_no_sheet(tmp_path, monkeypatch, capsys):
    def full(image, path):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr("latent_hands.draw.save_image", full)
    painted_hands(tmp_path, 2)
    sheet = tmp_path / "sheet.png"
    assert main(["check", "--data", "images", "--root", str(tmp_path), "--sheet", str(sheet), "--json"]) == 2
    printed = capsys.readouterr()
    assert json.loads(printed.out)["name"] == "images"
    assert printed.err.endswith(f"latent-hands: {sheet}: No space left on device\n")


def test_hands_without_a_side_among_others_and_mixed_conventions_are_reported(tmp_path):
    samples = painted_hands(tmp_path, 3)
    report = check([replace(samples[0], handedness=None, convention="rhd"), *samples[1:]])
    assert "1 of 3 hands with 3D joints have no side; training and evaluation need it" in [
        problem.message for problem in report.problems
    ]
    text = "hands by joint convention: none stated 2, rhd 1; training and evaluation take them as unknown"
    assert text in report.notes
    unlabelled = check([replace(sample, handedness=None) for sample in samples])
    assert "side" not in [problem.where for problem in unlabelled.problems if problem.kind == "label"]
