"""The reader of FreiHAND, on random hands in its layout."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image
from posed_hands import posed_hands, write_freihand

from latent_hands.data import open_data
from latent_hands.data.crops import build_windows
from latent_hands.doctor import check_set
from latent_hands.errors import HandsError
from latent_hands.hand.conventions import recorded
from latent_hands.hand.skeleton import reorder

LABELS = 3


@pytest.fixture
def labels():
    rng = np.random.default_rng(0)
    K = np.array([[480.0, 0, 112], [0, 480, 112], [0, 0, 1]])
    cameras = K + np.arange(LABELS)[:, None, None] * (K > 1)
    return {"xyz": rng.normal([0, 0, 0.7], 0.05, (LABELS, 21, 3)), "K": cameras}


@pytest.fixture
def root(tmp_path, labels):
    for split, count in (("training", 4 * LABELS), ("evaluation", LABELS)):
        (tmp_path / split / "rgb").mkdir(parents=True)
        for i in range(count):
            Image.new("RGB", (224, 224)).save(tmp_path / split / f"rgb/{i:08d}.jpg")
        for key, array in labels.items():
            write(tmp_path, f"{split}_{key}", array.tolist())
    return tmp_path


def write(root, name, numbers):
    (root / f"{name}.json").write_text(json.dumps(numbers))


@pytest.mark.parametrize(("split", "versions"), [("training", 4), ("evaluation", 1)])
def test_four_images_share_a_label_in_training(root, labels, split, versions):
    samples = open_data("freihand", root, split)
    assert [s.name for s in samples] == [f"{i:08d}" for i in range(versions * LABELS)]
    for i, sample in enumerate(samples):
        xyz, K = labels["xyz"][i % LABELS], labels["K"][i % LABELS]
        assert (sample.handedness, sample.root, sample.visible.all()) == ("right", "wrist", True)
        np.testing.assert_allclose(reorder(sample.xyz_mm, "rhd", "mediapipe"), 1000 * xyz, rtol=1e-5)
        np.testing.assert_array_equal(sample.K, K.astype(np.float32))
        uvw = sample.xyz_mm @ K.T
        np.testing.assert_allclose(sample.uv_px, uvw[:, :2] / uvw[:, 2:], rtol=1e-4)
    build_windows(samples, window_px=16)


def test_images_may_be_missing(root):
    for i in (0, 1, 2, 4):
        (root / f"training/rgb/{i:08d}.jpg").unlink()
    full = open_data("freihand", root, "evaluation")
    some = open_data("freihand", root, "training", limit=2)
    assert [s.name for s in some] == ["00000003", "00000005"]
    np.testing.assert_array_equal(some[1].xyz_mm, full[2].xyz_mm)


def test_without_labels_only_the_side_is_known(root):
    for file in root.glob("training_*.json"):
        file.unlink()
    samples = open_data("freihand", root, "training")
    assert len(samples) == 4 * LABELS
    assert {s.handedness for s in samples} == {"right"}
    assert samples[0].xyz_mm is samples[0].K is samples[0].visible is None
    assert build_windows(samples[:2], window_px=16).right.all()


def test_the_record_of_an_export_names_the_joint_convention(root):
    def read():
        return open_data("freihand", root, "evaluation")[0].convention

    assert read() == "mano"
    for text, convention in ((recorded("rhd"), "rhd"), ("rhd", "rhd_bones"), (None, None)):
        write(root, "export", {"convention": text})
        assert read() == convention
    write(root, "export", {})
    assert read() == "mano"
    for record, message in (([], "is not a record"), ({"convention": 3}, "has the convention 3")):
        write(root, "export", record)
        with pytest.raises(HandsError, match=rf"export\.json {message}"):
            read()


def test_errors_name_what_the_folder_contains(root):
    shutil.rmtree(root / "evaluation")
    with pytest.raises(HandsError, match="does not exist; use --split training"):
        open_data("freihand", root, "evaluation")
    for file in (root / "training" / "rgb").iterdir():
        file.rename(file.with_suffix(".png"))
    with pytest.raises(HandsError, match=r"JPEG files named 00000000\.jpg, .*; it has 00000000\.png"):
        open_data("freihand", root, "training")


BROKEN = {
    r"training_K\.json has the shape \(3, 4, 4\); it must be n x 3 x 3": ("K", np.zeros((3, 4, 4)).tolist()),
    r"label 1 of .*training_xyz\.json contains values that are not finite": (
        "xyz",
        np.where(np.arange(3)[:, None, None] == 1, np.nan, np.ones((3, 21, 3))).tolist(),
    ),
    r"training_xyz\.json must have 21 x 3 numbers for each label": ("xyz", [[[1, 2, 3]] * 21, [[1, 2]] * 21]),
    r"21 x 3 numbers for each label: float": ("xyz", [{"a": 1}]),
    r"training_K\.json has 2 labels, but training_xyz\.json has 3": ("K", np.ones((2, 3, 3)).tolist()),
    r"00000011\.jpg has no label; with 2 labels, numbers must be between 0 and 7": (
        "xyz",
        np.ones((2, 21, 3)).tolist(),
    ),
}


@pytest.mark.parametrize("message", BROKEN)
def test_broken_labels_are_errors(root, labels, message):
    key, numbers = BROKEN[message]
    write(root, f"training_{key}", numbers)
    if "00000011" in message:
        write(root, "training_K", labels["K"][:2].tolist())
    with pytest.raises(HandsError, match=message):
        open_data("freihand", root, "training")


def test_a_wrong_folder_or_split_is_an_error(root):
    with pytest.raises(HandsError, match='unknown split "train"; did you mean "training"'):
        open_data("freihand", root, "train")
    with pytest.raises(HandsError, match="use the data set images"):
        open_data("freihand", root / "training" / "rgb", "training")
    (root / "training_K.json").unlink()
    with pytest.raises(HandsError, match=r"no label file at .*training_K\.json"):
        open_data("freihand", root, "training")


def renumber(root, split, numbers):
    images = sorted((root / split / "rgb").iterdir(), reverse=True)
    for image, number in zip(images, sorted(numbers, reverse=True), strict=True):
        image.rename(image.with_name(f"{number:08d}.jpg"))


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        (range(1, LABELS + 1), "seem to begin with 1"),
        (range(LABELS + 1), "labels are missing"),
        (range(1, 4 * LABELS + 1), "numbers must be between 0 and 11; they seem to begin with 1"),
    ],
)
def test_numbers_that_do_not_fit_the_labels_are_refused(root, numbers, message):
    """Each image would have the label of another one."""
    for i in range(len(numbers), 4 * LABELS):
        (root / f"training/rgb/{i:08d}.jpg").unlink()
    renumber(root, "training", numbers)
    with pytest.raises(HandsError, match=message):
        open_data("freihand", root, "training")
    assert any(message in each.message for each in check_set("freihand", root, ["training"]).problems)


def test_labels_without_image_are_counted(root, caplog):
    (root / "evaluation/rgb/00000001.jpg").unlink()
    assert len(open_data("freihand", root, "evaluation")) == 2
    assert "1 of the 3 labels have no image" in caplog.text


def test_images_of_another_size_are_refused(root):
    for image in (root / "evaluation/rgb").iterdir():
        Image.new("RGB", (448, 448)).save(image)
    samples = open_data("freihand", root, "evaluation")
    with pytest.raises(HandsError, match=r"for an image of 224x224 pixels, but the image has 448x448"):
        build_windows(samples, window_px=16)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda xyz, K: (xyz * [1, -1, -1], K), "lie behind the camera .* those of OpenGL"),
        (lambda xyz, K: (xyz, K.transpose(0, 2, 1)), r"K is .* must be \[\[fx, s, cx\]"),
        (lambda xyz, K: (xyz, K * [[-1, 1, 1], [1, -1, 1], [1, 1, 1]]), r"K is .* must be"),
        (lambda xyz, K: (xyz, K * [[0.07, 1, 1], [1, 0.07, 1], [1, 1, 1]]), "fx and fy of at least 37.3333"),
        (
            lambda xyz, K: (reorder(reorder(xyz, "mediapipe", "rhd"), "rhd", "mano"), K),
            "mano read as mediapipe",
        ),
    ],
    ids=["OpenGL", "transposed", "negative", "millimetres", "order"],
)
def test_labels_in_another_form_are_refused(tmp_path, change, message):
    K = np.array([[480.0, 0, 112], [0, 480, 112], [0, 0, 1]], np.float32)
    root = write_freihand(tmp_path, posed_hands(16, sides="r", K=K))
    build_windows(open_data("freihand", root, "evaluation"), window_px=16)
    xyz, cameras = (
        np.array(json.loads((root / f"evaluation_{key}.json").read_text())) for key in ("xyz", "K")
    )
    for key, array in zip(("xyz", "K"), change(xyz, cameras), strict=True):
        write(root, f"evaluation_{key}", array.tolist())
    with pytest.raises(HandsError, match=message):
        build_windows(open_data("freihand", root, "evaluation"), window_px=16)


def test_compressed_labels_are_not_taken_for_none(root):
    for key in ("xyz", "K"):
        (root / f"training_{key}.json").rename(root / f"training_{key}.json.gz")
    with pytest.raises(HandsError, match=r"training_K\.json\.gz is not read; .* decompress or rename it"):
        open_data("freihand", root, "training")


def test_labels_that_images_share_are_announced(root, caplog):
    open_data("freihand", root, "training")
    assert "image i has label i modulo 3" in caplog.text


def test_two_images_of_one_number_are_refused(root):
    shutil.copy(root / "evaluation/rgb/00000001.jpg", root / "evaluation/rgb/1.jpg")
    with pytest.raises(HandsError, match="have the same number"):
        open_data("freihand", root, "evaluation")


@pytest.mark.parametrize("name", ["00000001 (1).jpg", "00000001.png", "00000001.JPG", "copy.jpeg"])
def test_images_of_other_names_are_counted(root, name, caplog):
    shutil.copy(root / "evaluation/rgb/00000001.jpg", root / "evaluation/rgb" / name)
    open_data("freihand", root, "evaluation")
    assert "left out 1 image of" in caplog.text
