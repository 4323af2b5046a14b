"""Hands in the layout of YOLO pose: round trips, the forms that tools write, and errors."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from painted_hands import painted_hands
from PIL import Image
from registries import register

from latent_hands.data import READERS, open_data
from latent_hands.data.export import export_data
from latent_hands.data.readers.recognising import layout_of
from latent_hands.errors import AbsentError, HandsError
from latent_hands.hand.skeleton import reorder

WIDTH, HEIGHT = 80, 40
UV_PX = np.stack([np.linspace(8, 60, 21), np.linspace(30, 10, 21)], axis=1)


def line_of(kind: int = 0, flags: list[int] | None = None, uv_px: np.ndarray = UV_PX) -> str:
    """Return a line of a label file. Without `flags`, keypoints have two numbers."""
    shares = uv_px / (WIDTH, HEIGHT)
    low, high = shares.min(axis=0), shares.max(axis=0)
    words = [kind, *(low + high) / 2, *(high - low)]
    for i, (u, v) in enumerate(shares):
        words += [u, v] if flags is None else [u, v, flags[i]]
    return " ".join(map(str, words))


@pytest.fixture
def write(tmp_path: Path):
    """Return a function that writes a set of one image, and returns its folder."""

    def files(text: str, names: str | None = None, labels="labels/train", images="images/train") -> Path:
        for folder in (labels, images):
            (tmp_path / folder).mkdir(parents=True)
        (tmp_path / labels / "a.txt").write_text(text)
        Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / images / "a.png")
        if names is not None:
            (tmp_path / "data.yaml").write_text(f"kpt_shape: [21, 3]\nnames: {names}\n")
        return tmp_path

    return files


@pytest.fixture
def painted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Hands of which two share an image and one joint is hidden, as the data set "painted"."""
    samples = [replace(hand, visible=np.arange(21) != 4) for hand in painted_hands(tmp_path, 4)]
    samples[1] = replace(samples[1], image=samples[0].image)
    register(monkeypatch, READERS, "painted", lambda root, split, limit, **_: samples[:limit])
    return samples


def test_an_exported_set_keeps_2d_joints_sides_and_hidden_joints(painted, tmp_path: Path):
    exported = export_data("painted", tmp_path, tmp_path / "out", "yolo", split="training")
    assert exported.notes == ["training: 3D joints and cameras are lost"]
    read = open_data("yolo", tmp_path / "out", "training")
    assert len(read) == len(painted)
    for ours, theirs in zip(read, painted, strict=True):
        np.testing.assert_allclose(ours.uv_px, theirs.uv_px, atol=1e-5)
        np.testing.assert_array_equal(ours.visible, theirs.visible)
        assert ours.handedness == theirs.handedness
    assert read[0].image == read[1].image != read[2].image
    assert len(list((tmp_path / "out/images/train").iterdir())) == 3
    assert layout_of(tmp_path / "out") == "yolo"
    about = (tmp_path / "out/data.yaml").read_text()
    assert "kpt_shape: [21, 3]" in about
    assert "names: [left, right]" in about


def test_both_splits_are_written(painted, tmp_path: Path):
    export_data("painted", tmp_path, tmp_path / "out", "yolo", split=("training", "evaluation"))
    for split in ("training", "evaluation"):
        assert len(open_data("yolo", tmp_path / "out", split)) == len(painted)


def test_keypoints_are_in_the_order_of_mediapipe_and_in_shares(write):
    (sample,) = open_data("yolo", write(line_of(flags=[2] * 21)), "training")
    np.testing.assert_allclose(reorder(sample.uv_px, "rhd", "mediapipe"), UV_PX, atol=1e-4)
    assert sample.visible.all()
    assert (sample.name, sample.handedness, sample.xyz_mm, sample.labelled) == ("a", None, None, None)


@pytest.mark.parametrize("has_flags", [True, False])
def test_keypoints_without_label_are_unknown(write, has_flags: bool):
    uv_px = UV_PX.copy()
    uv_px[3] = 0
    text = line_of(flags=[2, 1, 2, 0, *[2] * 17] if has_flags else None, uv_px=uv_px)
    (sample,) = open_data("yolo", write(text), "training")
    labelled = reorder(sample.labelled[:, None], "rhd", "mediapipe").ravel()
    assert labelled.tolist() == [i != 3 for i in range(21)]
    np.testing.assert_array_equal(sample.visible, sample.labelled)  # tools do not agree on the flag 1


@pytest.mark.parametrize(
    ("labels", "images", "split"),
    [
        ("train/labels", "train/images", "training"),
        ("valid/labels", "valid/images", "evaluation"),
        ("labels/val", "images/val", "evaluation"),
        ("test/labels", "test/images", "evaluation"),
    ],
)
def test_folders_of_both_tools_are_read(write, labels: str, images: str, split: str):
    root = write(line_of(), labels=labels, images=images)
    assert len(open_data("yolo", root, split)) == 1
    with pytest.raises(AbsentError, match="no label files"):
        open_data("yolo", root, "evaluation" if split == "training" else "training")


def test_names_of_classes_give_sides_and_other_classes_are_counted(write, caplog):
    text = "\n".join(line_of(kind) for kind in (0, 1, 2))
    root = write(text, "[Left Hand, right_hand, pen]")
    with caplog.at_level(logging.WARNING):
        samples = open_data("yolo", root, "training")
    assert [sample.handedness for sample in samples] == ["left", "right"]
    assert 'left out hands of classes that are not hands: 1 of "pen"' in caplog.text


def test_an_empty_file_is_an_image_without_hands(write, caplog):
    root = write(line_of())
    (root / "labels/train/b.txt").write_text("\n")
    Image.new("RGB", (WIDTH, HEIGHT)).save(root / "images/train/b.jpg")
    assert [sample.name for sample in open_data("yolo", root, "training")] == ["a"]
    assert "1 of 2 images have no annotation" in caplog.text


@pytest.mark.parametrize(
    ("text", "names", "message"),
    [
        ("0 0.5 0.5 0.1 0.1", None, "line 1 has 5 numbers; it must be"),
        (line_of() + " 0.5", None, "has 48 numbers"),
        (line_of().replace("0.1 ", "x ", 1), None, "is not made of numbers"),
        (line_of(uv_px=UV_PX * 20), None, "which is no share of the image"),
        (
            line_of(3),
            "[left, right]",
            r"has the class 3, which has no name; named are 0 \(left\), 1 \(right\)",
        ),
    ],
)
def test_lines_of_another_form_are_named(write, text: str, names: str | None, message: str):
    with pytest.raises(HandsError, match=message):
        open_data("yolo", write(text, names), "training")


def test_a_missing_image_and_another_layout_are_named(write):
    root = write(line_of())
    with pytest.raises(HandsError, match=r'has the layout of "yolo" \(--data yolo\)'):
        open_data("coco", root, "training")
    (root / "images/train/a.png").unlink()
    with pytest.raises(HandsError, match=r"has no image a\.\*"):
        open_data("yolo", root, "training")
