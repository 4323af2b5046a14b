"""Boxes that say of themselves, or whose images say, that they are something else are refused."""

import json
from pathlib import Path

import pytest
from PIL import Image

from latent_hands.data.formats.box_label import hand_classes, side_of
from latent_hands.data.formats.boxes import read_boxes
from latent_hands.errors import HandsError
from latent_hands.predictor.checks import box_of, camera_of, given_camera

SIZE_PX = (640, 480)
BOX = [100, 80, 120, 110]


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    files = [tmp_path / f"{name}.jpg" for name in "abcd"]
    for file in files:
        Image.new("RGB", SIZE_PX, (90, 80, 70)).save(file)
    return files


def coco(folder: Path, size_px=SIZE_PX, **of_annotation) -> Path:
    width, height = size_px
    images = [
        {"id": i, "file_name": f"{n}.jpg", "width": width, "height": height} for i, n in enumerate("abcd")
    ]
    labels = [{"id": i, "image_id": i, "category_id": 1, "bbox": BOX} | of_annotation for i in range(4)]
    content = {"images": images, "categories": [{"id": 1, "name": "hand"}], "annotations": labels}
    return write(folder, "boxes.json", json.dumps(content))


def write(folder: Path, name: str, text: str) -> Path:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    return folder / name


@pytest.mark.parametrize("size_px", [(1280, 960), (320, 240), (480, 640)])
@pytest.mark.parametrize("listed", [False, True])
def test_boxes_of_images_of_another_size_or_orientation_are_refused(photos, tmp_path, size_px, listed):
    path = coco(tmp_path, size_px)
    if listed:
        width, height = size_px
        records = [{"file": f"{n}.jpg", "width": width, "height": height, "boxes": [BOX]} for n in "abcd"]
        path = write(tmp_path, "boxes.json", json.dumps(records))
    with pytest.raises(
        HandsError, match=f"for an image of {size_px[0]}x{size_px[1]} pixels, but .* has 640x480"
    ):
        read_boxes(path, photos)
    right = coco(tmp_path)
    assert all(hand.box == tuple(BOX) for hands in read_boxes(right, photos).values() for hand in hands)


def test_sizes_are_those_of_images_as_they_are_shown(photos, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    for photo in photos:
        Image.new("RGB", SIZE_PX).save(photo, exif=exif)
    assert len(read_boxes(coco(tmp_path, (480, 640)), photos)) == 4
    with pytest.raises(HandsError, match=r"for an image of 640x480 pixels, but .* has 480x640"):
        read_boxes(coco(tmp_path), photos)


def test_equal_names_in_folders_are_compared_with_their_own_images(tmp_path):
    sizes = {"one": (640, 480), "two": (320, 240)}
    for name, size_px in sizes.items():
        (tmp_path / name).mkdir()
        Image.new("RGB", size_px).save(tmp_path / name / "a.jpg")
    records = [
        {"file": f"{name}/a.jpg", "width": w, "height": h, "boxes": [BOX]} for name, (w, h) in sizes.items()
    ]
    path = write(tmp_path, "boxes.json", json.dumps(records))
    images = sorted(tmp_path.rglob("a.jpg"))
    assert len(read_boxes(path, images)) == len(read_boxes(path, images[::-1])) == 2


@pytest.mark.parametrize("box", ["2000,2000,30,40", "0,0,6000,6000", "-500,20,40,40"])
def test_boxes_of_tables_that_do_not_fit_their_images_are_refused(photos, tmp_path, box):
    path = write(tmp_path, "boxes.csv", f"file,x,y,width,height\na.jpg,{box}\n")
    with pytest.raises(HandsError, match=r"a box of a.jpg .* the image of 640x480 pixels"):
        read_boxes(path, photos)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"attributes": {"rotation": 35.0}}, "is rotated by 35.0 degrees"),
        ({"bbox_mode": 0}, '"bbox_mode": 0; it must be'),
        ({"bbox_format": "xyxy"}, "\"bbox_format\": 'xyxy'; it must be"),
        ({"format": "cxcywh"}, "\"format\": 'cxcywh'; it must be"),
        ({"attributes": {"side": "left"}, "handedness": "right"}, "has two sides"),
    ],
)
def test_boxes_that_say_that_they_are_of_another_form_are_refused(photos, tmp_path, more, message):
    with pytest.raises(HandsError, match=message):
        read_boxes(coco(tmp_path, **more), photos)


@pytest.mark.parametrize(
    "more", [{"attributes": {"rotation": 0.0}}, {"bbox_mode": 1}, {"bbox_format": "xywh"}]
)
def test_boxes_that_say_that_they_are_of_this_form_are_read(photos, tmp_path, more):
    assert read_boxes(coco(tmp_path, **more), photos)["a.jpg"][0].box == tuple(BOX)


@pytest.mark.parametrize("key", ["handedness", "side"])
def test_sides_in_attributes_of_cvat_are_read(photos, tmp_path, key):
    hands = read_boxes(coco(tmp_path, attributes={key: "Left"}), photos)
    assert {hand.handedness for each in hands.values() for hand in each} == {"left"}


@pytest.mark.parametrize("column", ["handedness", "side", "hand"])
def test_sides_of_tables_have_any_of_three_names(photos, tmp_path, column):
    path = write(tmp_path, "boxes.csv", f"file,x,y,width,height,{column}\na.jpg,1,2,30,40,right\n")
    assert read_boxes(path, photos)["a.jpg"][0].handedness == "right"


def test_a_class_below_0_is_refused(photos, tmp_path):
    write(tmp_path, "labels/a.txt", "-1 0.5 0.5 0.2 0.2\n")
    with pytest.raises(HandsError, match="has the class -1; classes are numbers from 0"):
        read_boxes(tmp_path / "labels", photos)


@pytest.mark.parametrize(
    ("names", "classes"),
    [
        (["door handle", "hand"], {1: None}),
        (["handbag", "Hands"], {1: None}),
        (["LeftHand", "rightHand"], {0: "left", 1: "right"}),
        (["L", "R"], {0: "left", 1: "right"}),
        (["hand_l", "hand-r"], {0: "left", 1: "right"}),
        (["L shape", "fist"], {0: None, 1: None}),
        (["handle"], {0: None}),
    ],
)
def test_names_of_hands_are_words(names, classes):
    assert hand_classes(names) == classes


def test_a_side_is_a_word_of_its_own():
    assert [side_of(name) for name in ("leftover", "bright", "right", "left or right")] == [
        None,
        None,
        "right",
        None,
    ]


@pytest.mark.parametrize(
    ("columns", "cells", "ignored"),
    [
        ("x,y,width,height,laterality", "1,2,30,40,Left", "laterality"),
        ("x,y,width,height,is_right", "1,2,30,40,1", "is_right"),
        ("x,y,width,height,class", "1,2,30,40,face", "class"),
        ("x,y,width,height,hand,note,score", "1,2,30,40,left,left out in the first round,0.1", ""),
        ("x,y,width,height,Handedness", "1,2,30,40,left", ""),
        ("X,Y,Width,HEIGHT,side", "1,2,30,40,left", ""),
    ],
)
def test_columns_that_may_say_what_a_box_is_are_read_or_named(
    photos, tmp_path, columns, cells, ignored, caplog
):
    path = write(tmp_path, "boxes.csv", f"File,{columns}\na.jpg,{cells}\n")
    (hand,) = read_boxes(path, photos)["a.jpg"]
    assert hand.handedness == (None if ignored else "left")
    assert (f"ignored columns: {ignored};" in caplog.text) == bool(ignored)


@pytest.mark.parametrize(("sides", "side"), [("left,Left", "left"), ("left,0", "left"), ("left,right", None)])
def test_a_line_has_one_side(photos, tmp_path, sides, side):
    """The tables of this program have the number of a hand in the column "hand"."""
    path = write(tmp_path, "boxes.csv", f"file,x,y,width,height,handedness,hand\na.jpg,1,2,30,40,{sides}\n")
    if side is not None:
        assert read_boxes(path, photos)["a.jpg"][0].handedness == side
        return
    with pytest.raises(HandsError, match="line 2 has the sides left, right; keep one of them"):
        read_boxes(path, photos)


@pytest.mark.parametrize("more", [{"hand_type": "right"}, {"attributes": {"is_left": True}}])
def test_sides_that_are_not_read_are_named(photos, tmp_path, more, caplog):
    read_boxes(coco(tmp_path, **more), photos)
    name = next(iter(more.get("attributes", more)))
    assert f"ignored keys of annotations: {name};" in caplog.text


@pytest.mark.parametrize(("name", "guessed"), [("person", True), ("fist", True), ("hand", False)])
def test_classes_that_do_not_mention_hands_are_announced(photos, tmp_path, name, guessed, caplog):
    path = coco(tmp_path)
    path.write_text(path.read_text().replace('"hand"', f'"{name}"'))
    read_boxes(path, photos)
    write(tmp_path, "labels/classes.txt", f"{name}\n")
    write(tmp_path, "labels/a.txt", "0 0.5 0.5 0.2 0.2\n")
    read_boxes(tmp_path / "labels", photos)
    assert caplog.text.count(f"no class mentions hands, so all boxes are read as hands, those of {name}") == (
        2 * guessed
    )


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ((300, 200, 500, 400), "box 300,200,500,400 reaches out of the image of 640x480 pixels"),
        ((5, 5, 2000, 2000), "box 5,5,2000,2000 lies mostly outside of the image of 640x480 pixels"),
        ((-50, 100, 200, 150), ""),
        ((500, 300, 200, 200), ""),
        ((0, 0, 640, 480), ""),
    ],
)
def test_given_boxes_far_out_of_their_image_are_announced(box, message, caplog):
    assert box_of(box, *SIZE_PX) == box
    assert message in caplog.text
    assert bool(message) == bool(caplog.text)


@pytest.mark.parametrize(
    ("principal", "announced"),
    [
        ((320, 240), False),
        ((300, 260), False),
        ((-180, -60), False),
        ((240, 320), True),
        ((0, 0), True),
        ((0.5, 0.5), True),
        ((160, 120), True),
        ((640, 480), True),
    ],
)
def test_cameras_of_other_images_are_announced(principal, announced, caplog):
    (cx, cy), focal = principal, 601 + principal[0] / 1000  # each camera is announced once
    camera_of([[focal, 0, cx], [0, focal, cy], [0, 0, 1]], *SIZE_PX)
    assert (f"the principal point {cx:g}, {cy:g}" in caplog.text) == announced


@pytest.mark.parametrize("focal_px", [600, 6000])
def test_long_focal_lengths_are_announced(focal_px, caplog):
    given_camera(None, focal_px, (480, 640))
    assert ("has a focal length of 9.38 longer sides" in caplog.text) == (focal_px > 600)


@pytest.mark.parametrize(("orientation", "announced"), [(1, False), (3, True), (6, True)])
@pytest.mark.parametrize("form", ["csv", "yolo", "coco"])
def test_images_that_are_stored_in_another_way_are_announced(form, orientation, announced, tmp_path, caplog):
    """Some tools label the stored image, and a turn by 180 degrees keeps its size."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", SIZE_PX).save(tmp_path / "a.jpg", exif=exif)
    if form == "csv":
        path = write(tmp_path, "boxes.csv", "file,x,y,width,height\na.jpg,100,80,120,110\n")
    elif form == "yolo":
        write(tmp_path, "labels/a.txt", "0 0.5 0.5 0.2 0.2\n")
        path = tmp_path / "labels"
    else:
        shown = SIZE_PX if orientation < 5 else SIZE_PX[::-1]
        path = coco(tmp_path, shown)
        announced = orientation == 3
    read_boxes(path, [tmp_path / "a.jpg"])
    text = "the EXIF orientation turns or mirrors 1 image; boxes must be in images as they are shown"
    assert (text in caplog.text) == announced
