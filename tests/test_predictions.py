"""Files of predicted hands: each format keeps the hands, and images without hands stay in it."""

import csv
import json
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_models import ESTIMATION, noise_image, tiny_model

from latent_hands import doctor
from latent_hands.data import open_data, read_rgb
from latent_hands.data.formats.boxes import read_boxes
from latent_hands.errors import HandsError
from latent_hands.hand.conventions import recorded
from latent_hands.hand.rig.articulation import ANGLES
from latent_hands.predictions import (
    ImageHands,
    draw_hands,
    draw_readable,
    frame_line,
    read_hands,
    read_images,
    read_json,
    read_npz,
    write_coco,
    write_csv,
    write_hands,
    write_json,
    write_npz,
)
from latent_hands.predictor import Hand


@pytest.fixture(scope="module")
def hands() -> list[Hand]:
    """Three hands: everything known, a little known, and in a video."""
    model = tiny_model(ESTIMATION)
    left = model.estimate(noise_image(), handedness="left", draws=4, box=(5.0, 5.0, 40.0, 40.0))
    right = model.estimate(
        noise_image(seed=1), handedness="right", bone_mm=44.0, box=(30.0, 12.0, 30.0, 40.0)
    )
    K = np.array([[90, 0, 39.5], [0, 90, 29.5], [0, 0, 1]], np.float32)
    known = {"score": 0.75, "confidence": 0.5, "K": K, "camera": "given"}
    palm = {"palm_mm": np.array([10, 20, 400], np.float32), "palm_spread_mm": np.ones(3, np.float32)}
    return [replace(left, **known, **palm), right, replace(right, track=3, seconds=0.5)]


@pytest.fixture
def images(hands: list[Hand], tmp_path: Path) -> list[ImageHands]:
    """Two hands, no hand, one hand; the second image is of another format."""
    for name in ("a.png", "b.webp", "c.jpg"):
        Image.fromarray(noise_image()).save(tmp_path / name)
    return [
        ImageHands("a", (80, 60), tuple(hands[:2]), tmp_path / "a.png"),
        ImageHands("b", (80, 60), (), tmp_path / "b.webp"),
        ImageHands("c", (80, 60), (hands[1],), tmp_path / "c.jpg"),
    ]


def same(first: Hand, second: Hand, tolerance: float = 1e-5) -> bool:
    for field in fields(Hand):
        a, b = getattr(first, field.name), getattr(second, field.name)
        if isinstance(a, np.ndarray | tuple):
            if not np.allclose(a, b, atol=tolerance):
                return False
        elif isinstance(a, float):
            if abs(a - b) > tolerance:
                return False
        elif a != b:
            return False
    return True


def test_json_keeps_the_hands_and_an_image_without_hands_is_an_empty_list(images, tmp_path):
    for image in images:
        read = read_json(write_json(tmp_path / f"{image.name}.json", image))
        assert len(read) == len(image.hands)
        assert all(map(same, image.hands, read))
    assert json.loads((tmp_path / "b.json").read_text()) == []
    first, second = json.loads((tmp_path / "a.json").read_text())
    assert (first["image"], first["hand"], second["hand"]) == ("a", 0, 1)
    (tmp_path / "one.json").write_text(images[0].hands[0].to_json())
    assert same(read_json(tmp_path / "one.json")[0], images[0].hands[0])
    with pytest.raises(HandsError, match=r"none\.json; give the JSON of hands"):
        read_json(tmp_path / "none.json")


def test_lines_of_json_have_the_frame_and_its_time(hands):
    line = frame_line(ImageHands("clip-00007", (80, 60), (hands[2],), None, 7, 0.28))
    assert "\n" not in line
    content = json.loads(line)
    assert (content["frame"], content["seconds"], content["hands"][0]["track"]) == (7, 0.28, 3)


def test_npz_keeps_everything(images, hands, tmp_path):
    video = ImageHands("clip-00007", (80, 60), (hands[2],), tmp_path / "clip.mp4", 7, 0.5)
    read = read_npz(write_npz(tmp_path / "hands.npz", [*images, video]))
    for before, after in zip([*images, video], read, strict=True):
        known = ("name", "size_px", "file", "frame", "seconds")
        assert [getattr(after, key) for key in known] == [getattr(before, key) for key in known]
        assert all(map(same, before.hands, after.hands))
    with np.load(tmp_path / "hands.npz") as arrays:
        assert arrays["image"].tolist() == [0, 0, 2, 3]
        assert set(arrays["convention"]) == {recorded("rhd")}
        assert arrays["xyz_mm"].shape == (4, 21, 3)
        np.testing.assert_allclose(arrays["xyz_mm"][1], hands[1].xyz_mm, atol=1e-4)


def test_npz_of_earlier_versions_states_no_convention_and_has_the_earlier_one(images, tmp_path):
    with np.load(write_npz(tmp_path / "hands.npz", images)) as arrays:
        np.savez(tmp_path / "earlier.npz", **{key: arrays[key] for key in arrays if key != "convention"})
    earlier = [hand for image in read_npz(tmp_path / "earlier.npz") for hand in image.hands]
    assert [hand.convention for hand in earlier] == ["rhd_bones"] * 3


def test_npz_without_any_hand(images, tmp_path):
    (after,) = read_npz(write_npz(tmp_path / "hands.npz", images[1:2]))
    assert (after.name, after.hands) == ("b", ())
    (tmp_path / "text.npz").write_text("hello")
    for name in ("text.npz", "none.npz"):
        with pytest.raises(HandsError, match=name):
            read_npz(tmp_path / name)


def test_csv_has_one_line_a_hand_and_is_a_file_of_boxes(images, hands, tmp_path):
    path = write_csv(tmp_path / "hands.csv", images)
    lines = list(csv.DictReader(path.read_text().splitlines()))
    assert [(line["file"], line["hand"], line["handedness"]) for line in lines] == [
        (str(tmp_path / "a.png"), "0", "left"),
        (str(tmp_path / "a.png"), "1", "right"),
        (str(tmp_path / "b.webp"), "", ""),
        (str(tmp_path / "c.jpg"), "0", "right"),
    ]
    assert float(lines[0]["index_tip_u_px"]) == pytest.approx(hands[0].uv_px[5, 0], abs=1e-3)
    assert float(lines[0]["index_tip_z_mm"]) == pytest.approx(hands[0].xyz_mm[5, 2], abs=1e-3)
    assert (lines[0]["score"], lines[0]["camera_z_mm"], lines[1]["score"]) == ("0.75", "400.0", "")
    boxes = read_boxes(path)
    assert [len(boxes[str(image.file)]) for image in images] == [2, 0, 1]
    box, side = boxes[str(images[2].file)][0]
    assert side == "right"
    np.testing.assert_allclose(box, hands[1].box_px, atol=1e-3)


def test_coco_is_a_data_set_that_the_reader_and_the_doctor_accept(images, hands, tmp_path):
    write_coco(tmp_path / "coco", images, "rhd")
    samples = open_data("coco", tmp_path / "coco", "evaluation")
    assert [sample.handedness for sample in samples] == ["left", "right", "right"]
    assert len({sample.name for sample in samples}) == 3
    for sample, hand in zip(samples, (hands[0], hands[1], hands[1]), strict=True):
        np.testing.assert_allclose(sample.uv_px, hand.in_order("rhd").uv_px, atol=1e-3)
        assert sample.convention == "rhd"
    np.testing.assert_allclose(samples[0].K, hands[0].K)
    assert samples[0].xyz_mm[0] == pytest.approx(hands[0].wrist_mm + hands[0].palm_mm, abs=1e-3)
    assert samples[1].xyz_mm is None
    np.testing.assert_array_equal(read_rgb(samples[2].image), read_rgb(images[2].file))
    content = json.loads((tmp_path / "coco/annotations/evaluation.json").read_text())
    assert [image["file_name"] for image in content["images"]] == ["a.png", "b.png", "c.jpg"]
    assert [label["category_id"] for label in content["annotations"]] == [1, 2, 2]
    assert content["annotations"][0]["score"] == 0.75
    report = doctor.check_set("coco", tmp_path / "coco", ["evaluation"])
    assert not [problem for problem in report.problems if problem.kind in ("file", "label")]
    with pytest.raises(HandsError, match="needs image files"):
        write_coco(tmp_path / "video", [ImageHands("clip-0", (80, 60), (), None, 0)])


def test_drawings_show_every_hand(images):
    rgb = noise_image()
    drawn = draw_hands(rgb, images[0].hands)
    assert np.array_equal(draw_hands(rgb, []), rgb)
    assert drawn.shape == rgb.shape
    assert (drawn != rgb).any()
    assert draw_hands(rgb, images[0].hands, panels=True).shape[1] > 160
    assert draw_readable(rgb, images[0].hands).shape == (480, 640, 3)


def test_the_hands_of_each_frame_are_written_as_a_video(hands, tmp_path):
    timed = [replace(hand, seconds=1.5, track=2) for hand in hands[:2]]
    path = write_hands(tmp_path / "clip.jsonl", iter([timed, [], timed[:1]]))
    read = read_images(path)
    assert [(image.frame, image.seconds, len(image.hands)) for image in read] == [
        (0, 1.5, 2),
        (1, None, 0),
        (2, 1.5, 1),
    ]
    assert [hand.track for hand in read_hands(write_hands(tmp_path / "clip.npz", [timed]))] == [2, 2]
    assert read_hands(write_hands(tmp_path / "none.npz", [])) == []


@pytest.mark.usefixtures("as_users_run")
def test_hands_without_their_image_are_refused(hands):
    for wrong in (hands, hands[0], "clip.mp4", [[1]]):
        with pytest.raises(HandsError, match=r'give \{"photo.jpg": hands\}; for a video'):
            write_hands("wrong.jsonl", wrong)
    for wrong in ("a.png", [1]):
        with pytest.raises(HandsError, match=r"draw_hands\(image, hands\) needs an image"):
            draw_hands(noise_image(), wrong)


def test_hands_are_written_and_drawn_by_their_image_files(images, hands, tmp_path):
    (tmp_path / "more").mkdir()
    again = tmp_path / "more/a.png"
    again.write_bytes((tmp_path / "a.png").read_bytes())
    by_file = {image.file: image.hands for image in images} | {again: hands[:1]}
    read = read_npz(write_hands(tmp_path / "all.npz", by_file))
    assert [(image.path, image.size_px, len(image.hands)) for image in read] == [
        (file, (80, 60), len(found)) for file, found in by_file.items()
    ]
    assert len({image.name for image in read}) == 4
    assert np.array_equal(draw_hands(again, hands[:1]), draw_hands(noise_image(), hands[:1]))
    (one,) = read_hands(write_hands(tmp_path / "one.json", {again: hands[0]}))
    assert same(one, hands[0])
    with pytest.raises(HandsError, match=r"none\.png"):
        write_hands(tmp_path / "none.json", {tmp_path / "none.png": hands})


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (
            {"image": np.array([-1, 0, 1])},
            r'"image" has \[-1, 0, 1\], but must have numbers of images, 0 to 2',
        ),
        ({"image": np.array([0, 0, 3])}, "must have numbers of images, 0 to 2"),
        ({"image": np.array([0.5, 0, 1])}, "must have numbers of images"),
        ({"image": np.array([0, 1])}, r'" has 3 rows, but must have 2'),
        ({"names": np.array([], np.str_)}, r'" has 3 rows, but must have 0'),
        ({"angle_names": np.array(ANGLES[::-1])}, '"angle_names" differ from those of this version: index_'),
    ],
)
def test_arrays_that_would_lose_hands_are_refused(changed, words, images, tmp_path):
    with np.load(write_npz(tmp_path / "all.npz", images)) as arrays:
        np.savez(tmp_path / "changed.npz", **(dict(arrays) | changed))
    with pytest.raises(HandsError, match=words):
        read_hands(tmp_path / "changed.npz")


def test_json_of_other_programs_is_named(tmp_path):
    for name, text, words in (
        ("a.json", "[[1, 2]]", "hand 0 is a list, not an object"),
        ("a.json", "null", "hand 0 is a NoneType, not an object"),
        ("a.json", '{"frame": 0, "hands": []}', r"has the hands of a frame: name it \.jsonl"),
        (
            "a.jsonl",
            '{"a": 1}',
            'line 1, has no hands of a frame: it must be an object with the list "hands"',
        ),
        ("a.jsonl", '{"hands": "abc"}', 'it must be an object with the list "hands"'),
    ):
        (tmp_path / name).write_text(text)
        with pytest.raises(HandsError, match=words):
            read_hands(tmp_path / name)


def test_joints_in_the_camera_frame_are_placed_by_the_palm(hands):
    known, unknown, _ = hands
    assert np.allclose(known.camera_xyz_mm - known.xyz_mm, known.palm_mm)
    assert unknown.camera_xyz_mm is None
    assert replace(known, frame="ray").camera_xyz_mm is None


def test_the_ending_names_the_format(images, hands, tmp_path):
    assert len(read_hands(write_hands(tmp_path / "new" / "a.json", images[:1]))) == 2
    frames = [replace(image, frame=number) for number, image in enumerate(images)]
    for ending in ("jsonl", "npz"):
        read = read_hands(write_hands(tmp_path / f"a.{ending}", frames))
        assert all(map(same, read, (hands[0], hands[1], hands[1])))
        assert len(read) == 3
    assert write_hands(tmp_path / "a.csv", images).is_file()
    assert len(open_data("coco", write_hands(tmp_path / "coco", images), "evaluation")) == 3
    for path, message in (("a.txt", "does not end in"), ("b.json", "the hands of one image, not of 3")):
        with pytest.raises(HandsError, match=message):
            write_hands(tmp_path / path, images)
    for path in ("a.csv", "none.jsonl"):
        with pytest.raises(HandsError, match=path):
            read_hands(tmp_path / path)
