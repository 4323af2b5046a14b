"""Boxes from the files of other tools: one meaning in each form, and nonsense is refused."""

import json
from pathlib import Path

import pytest
from box_forms import HANDS, HEIGHT, WIDTH, write_coco, write_csv, write_list, write_photos, write_yolo

from latent_hands.data.formats.box_label import hand_classes
from latent_hands.data.formats.boxes import BoxLabel, check_box, match_boxes, read_boxes
from latent_hands.errors import HandsError


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return write_photos(tmp_path / "images")


@pytest.mark.parametrize("write", [write_csv, write_coco, write_list, write_yolo])
def test_all_forms_mean_the_same(write, photos, tmp_path):
    images = sorted(photos.rglob("*.jpg"))
    found = match_boxes(read_boxes(write(tmp_path)), images)
    assert not found.missing
    assert not found.unused
    for image, hands in found.boxes.items():
        expected = HANDS[image.relative_to(photos).as_posix()]
        assert [side for _, side in hands] == [side for _, side in expected]
        for (box, _), (other, _) in zip(hands, expected, strict=True):
            assert box == pytest.approx(other)


def test_yolo_takes_the_size_from_the_given_images(photos, tmp_path):
    labels = write_yolo(tmp_path).rename(tmp_path / "elsewhere")
    with pytest.raises(HandsError, match=r"elsewhere/a\.txt has no image a\.\*"):
        read_boxes(labels)
    assert set(read_boxes(labels, [photos / "a.jpg", photos / "sub/a.jpg"])) == {"a", "sub/a"}


@pytest.mark.parametrize(
    "names",
    [
        "names:\n  0: left\n  1: right\n  2: hand\n",
        "names:\n- left\n- right\n- hand\n",
        "names: {2: hand, 1: right, 0: left}\n",
        "names: # all\n  # of them\n  - left  # first\n  - 'right'\n  - hand\n",
        "names: [\n  'left, or that side', \"right hand\",\n  hand]\n",
    ],
)
def test_forms_of_class_names(names, photos, tmp_path):
    labels = write_yolo(tmp_path)
    (tmp_path / "data.yaml").write_text(f"path: .\n{names}val: x\n")
    assert [side for _, side in read_boxes(labels)["a"]] == ["left", "right"]


def test_classes_without_names_have_no_side(photos, tmp_path):
    labels = write_yolo(tmp_path)
    (tmp_path / "data.yaml").unlink()
    assert [side for _, side in read_boxes(labels)["a"]] == [None, None]


def test_only_classes_of_hands_count_unless_none_says_hand():
    assert hand_classes(["Left hand", "face", "hand"]) == {0: "left", 2: None}
    assert hand_classes(["fist", "palm"]) == {0: None, 1: None}
    assert hand_classes({3: "hand_right", 4: "lefthand", 5: "Hand"}) == {3: "right", 4: "left", 5: None}


def test_equal_file_names_are_told_apart_by_their_folders():
    box = [BoxLabel((1.0, 2.0, 30.0, 40.0))]
    boxes = {"x/1.jpg": box, "y/1.jpg": [], "z/2.jpg": []}
    images = [Path("/data/y/1.jpg"), Path("/data/x/1.jpg"), Path("/data/w/3.jpg")]
    found = match_boxes(boxes, images)
    assert found.boxes == {images[1]: box, images[0]: []}
    assert (found.missing, found.unused) == ([images[2]], ["z/2.jpg"])
    with pytest.raises(HandsError, match=r"x/1\.jpg and of y/1\.jpg fit /data/v/1\.jpg equally well"):
        match_boxes(boxes, [Path("/data/v/1.jpg")])
    with pytest.raises(HandsError, match=r'"1\.jpg" fit two images, /data/y/1\.jpg and /data/x/1\.jpg'):
        match_boxes({"1.jpg": box}, images)
    assert match_boxes({"x/1.jpg": box}, images).missing == [images[0], images[2]]


def test_boxes_may_reach_beyond_the_image():
    assert check_box([-10, -5, 150, 150], "box", (WIDTH, HEIGHT)) == (-10, -5, 150, 150)


def test_whole_bodies_have_two_hands(tmp_path):
    label = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 90, 90], "lefthand_valid": True}
    label |= {"lefthand_box": [1, 2, 30, 40], "righthand_valid": False, "righthand_box": [0, 0, 0, 0]}
    content = {"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": [label], "categories": []}
    (tmp_path / "a.json").write_text(json.dumps(content))
    assert read_boxes(tmp_path / "a.json") == {"a.jpg": [((1, 2, 30, 40), "left")]}


def test_boxes_that_reach_out_of_some_images_are_read(photos, tmp_path):
    boxes = [(90, 40, 180, 95), (20, 10, 15, 90), (100, 5, 90, 60)]
    lines = ["file,x,y,width,height", *(",".join(map(str, ("a.jpg", *box))) for box in boxes)]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    assert [box for box, _ in read_boxes(tmp_path / "a.csv", [photos / "a.jpg"])["a.jpg"]] == boxes


def test_copies_of_a_box_count_once(tmp_path, caplog):
    header, line = "file,x,y,width,height,handedness\n", "a.jpg,1,2,30,40,left\n"
    (tmp_path / "a.csv").write_text(header + 2 * line)
    assert read_boxes(tmp_path / "a.csv") == {"a.jpg": [((1, 2, 30, 40), "left")]}
    assert "copies of boxes that are left out: 1" in caplog.text
    (tmp_path / "a.csv").write_text(header + line + line.replace("left", "right"))
    with pytest.raises(HandsError, match=r"the box 1,2,30,40 of a\.jpg with two sides"):
        read_boxes(tmp_path / "a.csv")


def test_what_is_no_hand_is_counted(photos, tmp_path, caplog):
    path = write_coco(tmp_path)
    content = json.loads(path.read_text())
    content["annotations"][0]["iscrowd"] = 1
    path.write_text(json.dumps(content))
    assert len(read_boxes(path)["a.jpg"]) == 1
    assert '1 of crowds, 3 of category "face"' in caplog.text
    labels = write_yolo(tmp_path)
    (tmp_path / "data.yaml").write_text("names: [left, face, hand]")
    assert len(read_boxes(labels)["a"]) == 1
    assert 'left out boxes of classes that are not hands: 1 of "face"' in caplog.text


@pytest.mark.parametrize("more", ["", " 0.93", " 0.5" * 42, " 0.5 0.5 2" * 21])
def test_scores_and_keypoints_after_a_box_are_left_out(more, photos):
    (photos / "a.txt").write_text(f"0 0.5 0.5 0.2 0.2{more}\n")
    assert read_boxes(photos)["a"] == [((80, 40, 40, 20), None)]


def test_records_of_one_file_are_joined(tmp_path):
    records = [{"file": "a.jpg", "boxes": [[x, 2, 30, 40]]} for x in (1, 9)]
    (tmp_path / "a.json").write_text(json.dumps(records))
    assert [box for box, _ in read_boxes(tmp_path / "a.json")["a.jpg"]] == [(1, 2, 30, 40), (9, 2, 30, 40)]
    (tmp_path / "a.json").write_text(json.dumps([{"file": "a.jpg", "boxes": {}}]))
    with pytest.raises(HandsError, match='"boxes" and "handedness" must be lists'):
        read_boxes(tmp_path / "a.json")
