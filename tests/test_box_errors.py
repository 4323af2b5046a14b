"""Files of boxes that mean nothing, or not what they seem to mean, are refused."""

import json
from pathlib import Path

import numpy as np
import pytest
from box_forms import HEIGHT, WIDTH, write_coco, write_photos, write_yolo

from latent_hands.data.formats import box_yolo
from latent_hands.data.formats.boxes import check_box, read_boxes
from latent_hands.errors import HandsError


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return write_photos(tmp_path / "images")


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


def test_boxes_of_two_corners_are_refused(photos, tmp_path):
    """x1,y1,x2,y2 reach far out of their images if they are read as x,y,width,height."""
    corners = [(90, 40, 180, 95), (20, 10, 150, 90), (100, 5, 190, 60)]
    lines = ["file,x,y,width,height", *(",".join(map(str, ("a.jpg", *box))) for box in corners)]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    record = {"file": "a.jpg", "width": WIDTH, "height": HEIGHT, "boxes": corners}
    (tmp_path / "a.json").write_text(json.dumps([record]))
    for name in ("a.csv", "a.json"):
        with pytest.raises(HandsError, match=r"of 3 boxes reach out .* corners x1,y1,x2,y2"):
            read_boxes(tmp_path / name, [photos / "a.jpg"])


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


@pytest.mark.parametrize("shares", ["0.1 0.1 0.5 0.1 0.5 0.6 0.1 0.6", "0.1 0.1 0.2 0.1 0.2 0.2"])
def test_polygons_and_rotated_boxes_are_refused(shares, photos):
    (photos / "a.txt").write_text(f"0 {shares}\n")
    with pytest.raises(HandsError, match="it is a polygon or a rotated box"):
        read_boxes(photos)


def test_classes_without_a_name_among_names_are_refused(photos, tmp_path):
    labels = write_yolo(tmp_path)
    (tmp_path / "data.yaml").write_text("names: [left]")
    with pytest.raises(HandsError, match=r"line 2 has the class 1, which has no name; named are 0 \(left\)"):
        read_boxes(labels)
    (tmp_path / "data.yaml").write_text("names: &all\n  <<: *other\n")
    with pytest.raises(HandsError, match='has no readable "names"'):
        read_boxes(labels)


def test_a_side_that_the_category_contradicts_is_refused(tmp_path):
    path = write_coco(tmp_path)
    content = json.loads(path.read_text())
    content["annotations"][0]["side"] = "right"
    path.write_text(json.dumps(content))
    with pytest.raises(HandsError, match="has the handedness right, but a category of left hands"):
        read_boxes(path)
