"""COCO keypoints of other programs: flags, sides, categories, whole bodies, CVAT, joints outside."""

import json

import numpy as np
import pytest
from coco_files import UV_PX, plain_content, writer

from latent_hands.data import open_data
from latent_hands.data.crops import build_windows
from latent_hands.data.formats.box_json import read_box_json
from latent_hands.data.readers.coco_hands import KEYPOINTS
from latent_hands.errors import HandsError
from latent_hands.hand.skeleton import reorder


@pytest.fixture
def content():
    return plain_content()


@pytest.fixture
def write(tmp_path):
    return writer(tmp_path)


def set_flags(content, flags):
    content["annotations"][0]["keypoints"][2::3] = np.broadcast_to(flags, 21).tolist()


@pytest.mark.parametrize(("flags", "span"), [(1, "1"), ([True] * 21, "1"), ([0.5, 1, *[2] * 19], "0.5 to 1")])
def test_flags_whose_meaning_is_guessed_are_named(content, write, flags, span, caplog):
    set_flags(content, flags)
    open_data("coco", write(content), "training")
    assert f"flags are neither 0 nor 2, but {span}; flags above 0" in caplog.text


@pytest.mark.parametrize("place", ["annotation", "attributes"])
@pytest.mark.parametrize("key", ["side", "handedness"])
def test_the_side_has_either_name(content, write, key, place):
    """Files of boxes may have either, too."""
    label = content["annotations"][0]
    (label if place == "annotation" else label.setdefault("attributes", {}))[key] = "right"
    assert open_data("coco", write(content), "training")[0].handedness == "right"


def test_images_of_one_id_are_refused(content, write):
    """Sets that were joined: annotations of the first would label images of the second."""
    content["images"].append({**content["images"][0]})
    assert len(open_data("coco", write(content), "training")) == 1
    content["images"].append({**content["images"][0], "file_name": "b/photo.png"})
    message = r"training\.json: the images a/photo\.png \(64x64\) and b/photo\.png"
    with pytest.raises(HandsError, match=message):
        open_data("coco", write(content), "training")
    with pytest.raises(HandsError, match=message):
        read_box_json(write(content) / "annotations/training.json")


@pytest.mark.parametrize("flags", [1, 2, 0.05, [1, 2, *[0.3] * 19], [True] * 21])
def test_every_flag_above_0_counts_as_visible(content, write, flags, caplog):
    set_flags(content, flags)
    (sample,) = open_data("coco", write(content), "training")
    assert sample.visible.all()
    assert ("flags above 0 count as visible" in caplog.text) == (flags != 2)


def test_only_an_exported_set_distinguishes_hidden_joints(content, write):
    set_flags(content, [2, 1, *[2] * 19])
    root = write(content)
    assert open_data("coco", root, "training")[0].visible.sum() == 21
    (root / "export.json").write_text(json.dumps({"layout": "coco"}))
    assert open_data("coco", root, "training")[0].visible.sum() == 20
    set_flags(content, 1)
    assert open_data("coco", write(content), "training")[0].visible.sum() == 21


@pytest.mark.parametrize("nothing", [float("nan"), None])
def test_a_joint_without_label_needs_no_coordinates(content, write, nothing):
    content["annotations"][0]["keypoints"][60:63] = [nothing, nothing, 0]
    (sample,) = open_data("coco", write(content), "training")
    assert np.isfinite(sample.uv_px).all()
    assert sample.visible.sum() == 19


def test_annotations_of_other_categories_are_counted_and_left_out(content, write, caplog):
    content["categories"] += [{"id": 2, "name": "face"}, {"id": 3, "name": "body", "keypoints": ["nose"]}]
    content["annotations"] += [
        {"id": 4, "image_id": 7, "category_id": 2},
        {"id": 5, "image_id": 7, "category_id": 3, "keypoints": [1, 1, 2]},
    ]
    content["images"].append({"id": 8, "file_name": "empty.png"})
    assert len(open_data("coco", write(content), "training")) == 1
    assert 'not those of hands: 1 of category "face", 1 of category "body"' in caplog.text
    assert "1 of 2 images have no annotation" in caplog.text


def test_equal_file_names_in_folders_give_names_of_their_own(content, write):
    root = write(content)
    (root / "training/b").mkdir()
    (root / "training/b/photo.png").write_bytes((root / "training/a/photo.png").read_bytes())
    content["images"].append({"id": 8, "file_name": "b/photo.png"})
    content["annotations"].append(content["annotations"][0] | {"id": 4, "image_id": 8})
    assert [s.name for s in open_data("coco", write(content), "training")] == ["a-photo", "b-photo"]


def test_weights_are_read_and_1_where_only_others_have_one(content, write):
    second = {**content["annotations"][0], "id": 4, "area": 9}
    content["annotations"] = [{**content["annotations"][0], "weight": 0.25}, second]
    assert [each.weight for each in open_data("coco", write(content), "training")] == [0.25, 1.0]
    del content["annotations"][0]["weight"]
    assert [each.weight for each in open_data("coco", write(content), "training")] == [None, None]
    second["weight"] = -1
    with pytest.raises(HandsError, match=r'has the "weight" -1\.0; it must be finite and 0 or more'):
        open_data("coco", write(content), "training")


def test_the_hands_of_whole_bodies_are_read(content, write, caplog):
    """COCO-WholeBody: one annotation a person, hands that are not valid or not labelled are left out."""
    keypoints = np.column_stack([UV_PX, np.full(21, 2)]).ravel().tolist()
    person = {"id": 1, "image_id": 7, "category_id": 1, "keypoints": [0] * 51}
    person |= {"lefthand_kpts": keypoints, "righthand_kpts": keypoints, "righthand_valid": True}
    other = {**person, "id": 2, "lefthand_valid": False, "righthand_kpts": [0] * 63}
    content |= {"annotations": [person, other], "categories": [{"id": 1, "name": "person"}]}
    samples = open_data("coco", write(content), "training")
    assert [(sample.name, sample.handedness) for sample in samples] == [
        ("photo-left", "left"),
        ("photo-right", "right"),
    ]
    np.testing.assert_array_equal(reorder(samples[0].uv_px, "rhd", "mediapipe"), UV_PX)
    assert "left out 2 hands of 2 persons, without labels" in caplog.text


def test_the_layout_of_cvat_is_read(content, write):
    """Other file names, names of joints with capitals, and the side as an attribute or in the category."""
    root = write(content)
    content["categories"][0]["keypoints"] = [name.title().replace("_", "-") for name in KEYPOINTS]
    content["annotations"][0]["attributes"] = {"side": "right", "occluded": False}
    content["annotations"].append({**content["annotations"][0], "id": 4, "category_id": 2, "attributes": {}})
    content["categories"].append({**content["categories"][0], "id": 2, "name": "Left hand"})
    (root / "annotations/training.json").unlink()
    (root / "annotations/person_keypoints_training.json").write_text(json.dumps(content))
    (root / "images").mkdir()
    (root / "training").rename(root / "images/training")
    samples = open_data("coco", root, "training")
    assert [sample.handedness for sample in samples] == ["right", "left"]
    build_windows(samples, window_px=16)


OUTSIDE = ((-3.0, 5.0), (5.0, 64.2), (1e4, -1e4))


@pytest.mark.parametrize("named", [True, False])
def test_joints_outside_the_image_are_invisible_and_counted(content, write, caplog, named):
    if not named:  # the size is then that of the file
        del content["images"][0]["width"], content["images"][0]["height"]
    keypoints = np.column_stack([UV_PX, [2] * 21])
    keypoints[[3, 8, 20], :2] = OUTSIDE
    content["annotations"][0]["keypoints"] = keypoints.ravel().tolist()
    (sample,) = open_data("coco", write(content), "training")
    expected = ~np.isin(np.arange(21), [3, 8, 20])
    np.testing.assert_array_equal(reorder(sample.visible[:, None], "rhd", "mediapipe").ravel(), expected)
    assert sample.labelled is None
    assert "3 of 21 visible joints lie outside their images; they count as invisible" in caplog.text


def test_joints_of_other_images_are_left_to_the_check_of_the_set(content, write, caplog):
    keypoints = np.column_stack([UV_PX + 60, [2] * 21])
    content["annotations"][0]["keypoints"] = keypoints.ravel().tolist()
    (sample,) = open_data("coco", write(content), "training")
    assert sample.visible.all()
    assert "outside" not in caplog.text


def test_an_id_is_one_thing(content, write):
    """Sets that were joined: it would not be known what annotations label."""
    image, category = content["images"][0], content["categories"][0]
    for more, message in (
        (
            {"images": [image, {**image, "width": 32, "height": 32}]},
            r"photo\.png \(32x32\) have the same id 7",
        ),
        ({"images": [{**image, "id": True}]}, "an image has the id True"),
        (
            {"categories": [category, {**category, "name": "foot"}]},
            'categories "hand" and "foot" have the same',
        ),
    ):
        for read in (
            lambda root: open_data("coco", root, "training"),
            lambda root: read_box_json(root / PATH),
        ):
            with pytest.raises(HandsError, match=message):
                read(write({**content, **more}))


PATH = "annotations/training.json"


def test_crowds_copies_and_boxes_without_keypoints_are_counted(content, write, caplog):
    first = content["annotations"][0]
    bare = {key: value for key, value in first.items() if key != "keypoints"}
    content["annotations"] += [{**first, "id": 4}, {**first, "iscrowd": 1}, bare | {"bbox": [1, 1, 9, 9]}]
    assert len(open_data("coco", write(content), "training")) == 1
    assert 'left out annotations: 1 of crowds ("iscrowd"), 1 copies' in caplog.text
    assert 'not those of hands: 1 of category "hand" without keypoints' in caplog.text


def test_a_side_that_the_category_contradicts_is_refused(content, write):
    content["categories"][0]["name"] = "left hand"
    content["annotations"][0]["side"] = "Left"
    assert open_data("coco", write(content), "training")[0].handedness == "left"
    content["annotations"][0]["side"] = "right"
    with pytest.raises(HandsError, match='category "left hand" is labelled as right and left'):
        open_data("coco", write(content), "training")


@pytest.mark.parametrize(
    ("name", "side"), [("Hand-L", "left"), ("R", "right"), ("RightHand", "right"), ("hand", None)]
)
def test_names_of_categories_give_sides_as_those_of_boxes(content, write, name, side):
    content["categories"][0]["name"] = name
    content["annotations"][0].pop("side", None)
    assert open_data("coco", write(content), "training")[0].handedness == side


def test_another_number_of_keypoints_than_stated_is_named(content, write, caplog):
    content["annotations"][0]["num_keypoints"] = 5
    open_data("coco", write(content), "training")
    assert '1 of 1 hands have another number of flags above 0 than "num_keypoints" states' in caplog.text


@pytest.mark.parametrize("value", ["1_0", True, "５"])
def test_numbers_that_only_python_reads_are_refused(content, write, value):
    content["annotations"][0]["keypoints"][3] = value
    with pytest.raises(HandsError, match="not in COCO's layout"):
        open_data("coco", write(content), "training")


def test_a_key_that_is_there_twice_is_refused(content, write):
    root = write(content)
    text = (root / PATH).read_text()
    (root / PATH).write_text(text[:-1] + ', "annotations": []}')
    with pytest.raises(HandsError, match='it has the key "annotations" 2 times in one table'):
        open_data("coco", root, "training")


@pytest.mark.parametrize(
    ("key", "value", "kind"),
    [
        ("joints_3d", [[0.1, 0.2, 0.3]] * 21, "3D joints"),
        ("cam", [[9, 0, 1], [0, 9, 1], [0, 0, 1]], "a camera"),
    ],
)
def test_labels_in_keys_that_are_not_read_are_announced(content, write, key, value, kind, caplog):
    content["annotations"][0][key] = value
    open_data("coco", write(content), "training")
    assert f'not read: "{key}" ({kind}?)' in caplog.text


@pytest.mark.parametrize("key", ["width", "height"])
def test_half_of_a_size_is_refused(content, write, key):
    del content["images"][0][key]
    with pytest.raises(HandsError, match="give both, or neither"):
        open_data("coco", write(content), "training")


def test_a_hand_of_an_image_that_is_listed_twice_counts_once(content, write, caplog):
    """Sets that were joined, and tools that list an image once for each hand."""
    image, label = content["images"][0], content["annotations"][0]
    content["images"].append({**image, "id": 8})
    content["annotations"].append({**label, "id": 4, "image_id": 8})
    (sample,) = open_data("coco", write(content), "training")
    assert "image files that are listed again under another id: 1" in caplog.text
    assert 'left out annotations: 0 of crowds ("iscrowd"), 1 copies of others' in caplog.text
    moved = [number + 12 * (i % 3 < 2) for i, number in enumerate(label["keypoints"])]
    content["annotations"][1]["keypoints"] = moved
    assert [each.image for each in open_data("coco", write(content), "training")] == [sample.image] * 2


def test_a_person_of_whole_bodies_that_is_labelled_twice_counts_once(content, write, caplog):
    label = content["annotations"][0]
    person = {"image_id": 7, "category_id": 1, "lefthand_kpts": label["keypoints"], "lefthand_valid": True}
    content["annotations"] = [{**person, "id": 3}, {**person, "id": 4}]
    assert len(open_data("coco", write(content), "training")) == 1
    assert "1 copies of others" in caplog.text
