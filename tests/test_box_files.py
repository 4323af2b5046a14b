"""Boxes from the files of other tools: one meaning in each form, and nonsense is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from latent_hands.data.formats import box_yolo
from latent_hands.data.formats.box_label import hand_classes
from latent_hands.data.formats.boxes import BoxLabel, check_box, match_boxes, read_boxes
from latent_hands.errors import HandsError

WIDTH, HEIGHT = 200, 100
HANDS = {
    "a.jpg": [((20.0, 10.0, 50.0, 40.0), "left"), ((100.0, 30.0, 40.0, 60.0), "right")],
    "sub/b.jpg": [],
    "sub/a.jpg": [((0.0, 0.0, 200.0, 100.0), None)],
}
NAMES = ("left", "right", "hand")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    for name in HANDS:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (WIDTH, HEIGHT)).save(folder / name)
    return folder


def write_csv(folder: Path) -> Path:
    lines = ["handedness;file;x;y;width;height"]
    for name, hands in HANDS.items():
        lines += [";".join(map(str, [side or "", name, *box])) for box, side in hands]
        lines += [] if hands else [f";{name};;;;"]
    path = folder / "boxes.csv"
    path.write_text("\ufeff" + "\r\n".join(lines), encoding="utf-8")
    return path


def write_coco(folder: Path) -> Path:
    images, annotations = [], []
    for number, (name, hands) in enumerate(HANDS.items()):
        images.append({"id": number, "file_name": name, "width": WIDTH, "height": HEIGHT})
        annotations += [
            {"id": 1, "image_id": number, "category_id": NAMES.index(side or "hand"), "bbox": list(box)}
            for box, side in hands
        ]
        annotations.append({"id": 2, "image_id": number, "category_id": 7, "bbox": [1, 1, 9, 9]})
    categories = [{"id": i, "name": name} for i, name in enumerate(NAMES)] + [{"id": 7, "name": "face"}]
    path = folder / "boxes.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return path


def write_list(folder: Path) -> Path:
    records = [
        {"file": name, "boxes": [box for box, _ in hands], "handedness": [side for _, side in hands]}
        for name, hands in HANDS.items()
    ]
    path = folder / "list.json"
    path.write_text(json.dumps([*records, {"file": "unknown.jpg", "boxes": None}]))
    return path


def write_yolo(folder: Path) -> Path:
    labels = folder / "labels"
    for name, hands in HANDS.items():
        path = (labels / name).with_suffix(".txt")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            "".join(
                f"{NAMES.index(side or 'hand')} {(x + w / 2) / 200} {(y + h / 2) / 100} {w / 200} {h / 100}\n"
                for (x, y, w, h), side in hands
            )
        )
    (folder / "data.yaml").write_text("train: images\nnc: 3\nnames: ['left', \"right\", hand]\n")
    return labels


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


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ((0.1, 0.1, 0.8, 0.8), "are shares of the image; .* multiply x and width"),
        ((10, 10, 0.001, 0.001), "width and height must be at least 1 pixel"),
        ((10, 10, 0, 50), "at least 1 pixel"),
        ((10, 10, -50, 50), "at least 1 pixel"),
        ((10, 10, 1e9, 1e9), "too large for the image of 200x100 pixels; .* at most 800 pixels"),
        ((500, 500, 50, 50), "lies outside the image of 200x100"),
        ((-60, 0, 50, 50), "lies outside the image"),
        ((float("nan"), 10, 50, 50), "and finite"),
        ((1, 2, 3), "must be x,y,width,height"),
        ("box", "must be x,y,width,height"),
        (None, "must be x,y,width,height"),
    ],
)
def test_nonsensical_boxes_are_refused(box, message):
    with pytest.raises(HandsError, match=message):
        check_box(box, "box", (WIDTH, HEIGHT))


def test_boxes_may_reach_beyond_the_image():
    assert check_box([-10, -5, 150, 150], "box", (WIDTH, HEIGHT)) == (-10, -5, 150, 150)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "file,x,y,w,h\n", "has no column width, height"),
        ("a.csv", "file,x,y,width,height\na.jpg,1,2,3,none\n", r"a\.csv, line 2: the box is .*none"),
        ("a.csv", "file,x,y,width,height\na.jpg,1,2,1e9,1e9\n", "at most 100,000 pixels"),
        ("a.csv", "file,x,y,width,height,handedness\na.jpg,1,2,30,40,lft\n", "must be left, right, or empty"),
        ("a.json", "{}", "neither COCO's layout nor that of a list"),
        ("a.json", "[3]", "neither COCO's layout nor that of a list"),
        ("a.json", "{", "is not a JSON file"),
        ("a.xml", "", "is not a file of boxes; legal are a .csv file"),
    ],
)
def test_other_files_are_refused(name, content, message, tmp_path):
    (tmp_path / name).write_text(content)
    with pytest.raises(HandsError, match=message):
        read_boxes(tmp_path / name)


def test_missing_and_empty_places_are_refused(photos, tmp_path):
    with pytest.raises(HandsError, match="no file of boxes at"):
        read_boxes(tmp_path / "none.csv")
    with pytest.raises(HandsError, match="has no text file"):
        read_boxes(photos)
    (photos / "a.txt").write_text("0 0.5 0.5 12 9\n")
    with pytest.raises(HandsError, match=r"a\.txt, line 1 .* no shares of the image"):
        read_boxes(photos)


def test_a_folder_of_everything_is_no_folder_of_labels(photos, tmp_path, monkeypatch):
    """Hidden folders are not read. A tree of too many folders is refused before all of it is read."""
    labels = write_yolo(tmp_path)
    before = read_boxes(labels)
    (labels / ".git").mkdir()
    (labels / ".git/a.txt").write_text("no label")
    assert read_boxes(labels) == before
    monkeypatch.setattr(box_yolo, "MOST_FOLDERS", 2)
    for name in "abc":
        (tmp_path / name).mkdir()
    with pytest.raises(HandsError, match="has more than 2 folders; give the one of YOLO's text files alone"):
        read_boxes(tmp_path)


def test_whole_bodies_have_two_hands(tmp_path):
    label = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 90, 90], "lefthand_valid": True}
    label |= {"lefthand_box": [1, 2, 30, 40], "righthand_valid": False, "righthand_box": [0, 0, 0, 0]}
    content = {"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": [label], "categories": []}
    (tmp_path / "a.json").write_text(json.dumps(content))
    assert read_boxes(tmp_path / "a.json") == {"a.jpg": [((1, 2, 30, 40), "left")]}


def test_boxes_of_two_corners_are_refused(photos, tmp_path):
    """x1,y1,x2,y2 reach far out of their images if they are read as x,y,width,height."""
    corners = [(90, 40, 180, 95), (20, 10, 150, 90), (100, 5, 190, 60)]
    lines = ["file,x,y,width,height", *(",".join(map(str, ("a.jpg", *box))) for box in corners)]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    record = {"file": "a.jpg", "width": WIDTH, "height": HEIGHT, "boxes": corners}
    (tmp_path / "a.json").write_text(json.dumps([record]))
    for name in ("a.csv", "a.json"):
        with pytest.raises(HandsError, match=r"of 3 boxes reach far .* corners x1,y1,x2,y2"):
            read_boxes(tmp_path / name, [photos / "a.jpg"])


def test_boxes_that_reach_out_of_some_images_are_read(photos, tmp_path):
    boxes = [(90, 40, 180, 95), (20, 10, 15, 90), (100, 5, 90, 60)]
    lines = ["file,x,y,width,height", *(",".join(map(str, ("a.jpg", *box))) for box in boxes)]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    assert [box for box, _ in read_boxes(tmp_path / "a.csv", [photos / "a.jpg"])["a.jpg"]] == boxes


@pytest.mark.parametrize(
    "change", [lambda x, y, w, h: (x + w / 2, y + h / 2, w, h), lambda x, y, w, h: (y, x, h, w)]
)
def test_boxes_that_do_not_contain_their_keypoints_are_refused(change, tmp_path):
    images = [{"id": i, "file_name": f"{i}.jpg", "width": 900, "height": 900} for i in range(4)]
    labels = []
    for i in range(4):
        uv = np.random.default_rng(i).uniform((100, 400), (200, 460), (21, 2))
        keypoints = np.column_stack([uv, np.full(21, 2)]).ravel().tolist()
        labels.append({"id": i, "image_id": i, "bbox": (100, 400, 100, 60), "keypoints": keypoints})
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"images": images, "annotations": labels}))
    assert len(read_boxes(path)) == 4
    for label in labels:
        label["bbox"] = change(*label["bbox"])
    path.write_text(json.dumps({"images": images, "annotations": labels}))
    with pytest.raises(HandsError, match=r'of the keypoints lie in the boxes .* so "bbox" is not'):
        read_boxes(path)


def test_copies_of_a_box_count_once(tmp_path, caplog):
    header, line = "file,x,y,width,height,handedness\n", "a.jpg,1,2,30,40,left\n"
    (tmp_path / "a.csv").write_text(header + 2 * line)
    assert read_boxes(tmp_path / "a.csv") == {"a.jpg": [((1, 2, 30, 40), "left")]}
    assert "left out 1 boxes that are there twice" in caplog.text
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


@pytest.mark.parametrize("shares", ["0.1 0.1 0.5 0.1 0.5 0.6 0.1 0.6", "0.1 0.1 0.2 0.1 0.2 0.2"])
def test_polygons_and_rotated_boxes_are_refused(shares, photos):
    (photos / "a.txt").write_text(f"0 {shares}\n")
    with pytest.raises(HandsError, match="it is a polygon or a rotated box"):
        read_boxes(photos)


@pytest.mark.parametrize("more", ["", " 0.93", " 0.5" * 42, " 0.5 0.5 2" * 21])
def test_scores_and_keypoints_after_a_box_are_left_out(more, photos):
    (photos / "a.txt").write_text(f"0 0.5 0.5 0.2 0.2{more}\n")
    assert read_boxes(photos)["a"] == [((80, 40, 40, 20), None)]


def test_classes_without_a_name_among_names_are_refused(photos, tmp_path):
    labels = write_yolo(tmp_path)
    (tmp_path / "data.yaml").write_text("names: [left]")
    with pytest.raises(HandsError, match=r"line 2 has the class 1, which has no name; named are 0 \(left\)"):
        read_boxes(labels)
    (tmp_path / "data.yaml").write_text("names: &all\n  <<: *other\n")
    with pytest.raises(HandsError, match='has no readable "names"'):
        read_boxes(labels)


def test_records_of_one_file_are_joined(tmp_path):
    records = [{"file": "a.jpg", "boxes": [[x, 2, 30, 40]]} for x in (1, 9)]
    (tmp_path / "a.json").write_text(json.dumps(records))
    assert [box for box, _ in read_boxes(tmp_path / "a.json")["a.jpg"]] == [(1, 2, 30, 40), (9, 2, 30, 40)]
    (tmp_path / "a.json").write_text(json.dumps([{"file": "a.jpg", "boxes": {}}]))
    with pytest.raises(HandsError, match='"boxes" and "handedness" must be lists'):
        read_boxes(tmp_path / "a.json")


def test_a_side_that_the_category_contradicts_is_refused(tmp_path):
    path = write_coco(tmp_path)
    content = json.loads(path.read_text())
    content["annotations"][0]["side"] = "right"
    path.write_text(json.dumps(content))
    with pytest.raises(HandsError, match="has the handedness right, but a category of left hands"):
        read_boxes(path)
