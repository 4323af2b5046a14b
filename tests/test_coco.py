"""The reader of COCO keypoints: plain files, the further keys of an export, and errors."""

import json

import numpy as np
import pytest
from PIL import Image

from latent_hands.data import open_data
from latent_hands.data.crops import build_windows
from latent_hands.data.formats.box_json import read_box_json
from latent_hands.data.readers.coco_hands import KEYPOINTS
from latent_hands.errors import HandsError
from latent_hands.hand.skeleton import reorder

UV_PX = np.random.default_rng(0).uniform(0, 60, (21, 2)).astype(np.float32)


@pytest.fixture
def content():
    keypoints = np.column_stack([UV_PX, [1, 0, *[2] * 19]]).ravel().tolist()
    return {
        "images": [{"id": 7, "file_name": "a/photo.png", "width": 64, "height": 64}],
        "annotations": [{"id": 3, "image_id": 7, "category_id": 1, "keypoints": keypoints}],
        "categories": [{"id": 1, "name": "hand", "keypoints": KEYPOINTS}],
    }


@pytest.fixture
def write(tmp_path):
    (tmp_path / "training/a").mkdir(parents=True)
    (tmp_path / "annotations").mkdir()
    Image.new("RGB", (64, 64)).save(tmp_path / "training/a/photo.png")

    def write(content):
        (tmp_path / "annotations/training.json").write_text(json.dumps(content))
        return tmp_path

    return write


def test_a_plain_coco_file_gives_2d_joints(content, write):
    (sample,) = open_data("coco", write(content), "training")
    assert (sample.name, sample.side, sample.xyz_mm, sample.K) == ("photo", None, None, None)
    uv_px = reorder(sample.uv_px, "rhd", "snap")
    np.testing.assert_array_equal(np.delete(uv_px, 1, 0), np.delete(UV_PX, 1, 0))
    for mask in (sample.visible, sample.labelled):
        assert reorder(mask[:, None], "rhd", "snap").ravel().tolist() == [True, False, *[True] * 19]
    windows = build_windows([sample], window_px=16)
    known = ~windows.uv_px.isnan().any(dim=-1)
    assert reorder(known[0, :, None].numpy(), "rhd", "snap").ravel().tolist() == [True, False, *[True] * 19]


XYZ_MM = np.column_stack([UV_PX - 32, np.full(21, 500.0)]).tolist()
K = [[500.0, 0, 32], [0, 500, 32], [0, 0, 1]]


def test_3d_joints_are_read_without_a_camera(content, write):
    content["annotations"][0]["xyz_mm"] = XYZ_MM
    (sample,) = open_data("coco", write(content), "training")
    np.testing.assert_array_equal(reorder(sample.xyz_mm, "rhd", "snap"), np.float32(XYZ_MM))
    assert sample.K is None


def test_without_keypoints_the_3d_joints_are_projected(content, write):
    content["annotations"][0] |= {"xyz_mm": XYZ_MM, "K": K}
    del content["annotations"][0]["keypoints"]
    (sample,) = open_data("coco", write(content), "training")
    np.testing.assert_allclose(reorder(sample.uv_px, "rhd", "snap"), UV_PX, atol=1e-3)
    assert sample.visible.all()


def change(key, value):
    return lambda content: content["annotations"][0].update({key: value})


def unlabel(content, joint):
    content["annotations"][0]["keypoints"][3 * joint : 3 * joint + 3] = [0, 0, 0]


BROKEN = {
    r"has other keypoints; they must be wrist, thumb1": lambda content: content["categories"][0].update(
        keypoints=KEYPOINTS[::-1]
    ),
    r'file name "\.\./photo\.png" leads out of': lambda content: content["images"][0].update(
        file_name="../photo.png"
    ),
    r"annotation 3 of .*b\.png: the image is missing": lambda content: content["images"][0].update(
        file_name="b.png"
    ),
    r'"keypoints" of annotation 3 of .*photo\.png must be 21 x 3 finite': change("keypoints", [1.0] * 62),
    r"must be 21 x 3 finite": change("keypoints", [float("nan")] * 63),
    r"is not in COCO's layout: ValueError": change("keypoints", ["many"] * 63),
    r"annotation 3 of .*training\.json is of image 8; the 1 images have other ids, such as 7": change(
        "image_id", 8
    ),
    r"photo\.png are at most 1\.2, so they are shares of the image": lambda content: change(
        "keypoints", np.column_stack([1.2 * UV_PX / UV_PX.max(), np.full(21, 2)]).ravel().tolist()
    )(content),
    r'category "hand" of .*training\.json has no list "keypoints"': lambda content: content["categories"][
        0
    ].pop("keypoints"),
    r"has the size \(0, 64\); width and height must be at least 1": lambda content: content["images"][
        0
    ].update(width=0),
    r"has the side 'both'; it must be left or right": change("side", "both"),
    r'"K" of annotation 3': lambda content: content["annotations"][0].update(xyz_mm=[[1.0] * 3] * 21, K=[1]),
    r"annotation 3 of .*photo\.png has 2 labelled joints": lambda content: [
        unlabel(content, joint) for joint in range(19)
    ],
    r"KeyError\('keypoints'\)": lambda content: content["annotations"][0].pop("keypoints"),
    r'"palm_mm" without "xyz_mm" or without "K"': change("palm_mm", [0.0, 0.0, 500.0]),
    r"has no annotation": lambda content: content["annotations"].clear(),
    r"not in COCO's layout: KeyError\('images'\)": lambda content: content.pop("images"),
}


@pytest.mark.parametrize("message", BROKEN)
def test_a_broken_file_is_an_error(content, write, message):
    BROKEN[message](content)
    with pytest.raises(HandsError, match=message):
        open_data("coco", write(content), "training")


def test_a_wrong_folder_split_or_file_is_an_error(content, write, tmp_path):
    with pytest.raises(HandsError, match=r"no label file at .*evaluation\.json"):
        open_data("coco", write(content), "evaluation")
    with pytest.raises(HandsError, match='unknown split "train"'):
        open_data("coco", tmp_path, "train")
    with pytest.raises(HandsError, match="not in COCO's layout"):
        open_data("coco", write([1]), "training")
    (tmp_path / "annotations/training.json").write_text("{")
    with pytest.raises(HandsError, match="is not a JSON"):
        open_data("coco", tmp_path, "training")


def test_a_joint_without_label_does_not_move_the_crop(content, write):
    """COCO gives it the coordinates (0, 0). It moves among the labelled joints."""
    keypoints = content["annotations"][0]["keypoints"]
    keypoints[2::3] = [2] * 21
    keypoints[60:62] = [30.0, 30.0]
    (complete,) = open_data("coco", write(content), "training")
    unlabel(content, 20)
    (sample,) = open_data("coco", write(content), "training")
    assert sample.visible.sum() == complete.visible.sum() - 1
    assert (sample.labelled == sample.visible).all()
    np.testing.assert_allclose(sample.uv_px[~sample.visible][0], UV_PX[:20].mean(axis=0), rtol=1e-5)
    xyz_mm = np.column_stack([UV_PX, np.full(21, 500)])
    content["annotations"][0].update(xyz_mm=xyz_mm.tolist(), K=[[500, 0, 3], [0, 500, 4], [0, 0, 1]])
    (labelled,) = open_data("coco", write(content), "training")
    assert labelled.labelled is None  # the camera projects it
    np.testing.assert_allclose(labelled.uv_px[~labelled.visible][0], UV_PX[20] + [3, 4], rtol=1e-5)


def test_hands_without_error_are_read(content, write):
    content["images"].append({"id": 8, "file_name": "photo.png"})
    content["annotations"].append({**content["annotations"][0], "id": 4, "image_id": 8})
    content["annotations"][1]["keypoints"] = [*content["annotations"][0]["keypoints"]]
    for joint in range(19):
        unlabel(content, joint)
    root, errors = write(content), []
    (root / "training/photo.png").write_bytes((root / "training/a/photo.png").read_bytes())
    samples = open_data("coco", root, "training", on_broken=errors.append)
    assert [sample.image.parent.name for sample in samples] == ["training"]
    assert len(errors) == 1


def test_every_hand_of_an_image_is_a_sample_of_its_own(content, write):
    first = content["annotations"][0]
    content["annotations"] = [
        first | {"id": i, "side": side} for i, side in enumerate(("left", "right", "left"))
    ]
    content["annotations"].append({key: value for key, value in first.items() if key != "side"} | {"id": 3})
    samples = open_data("coco", write(content), "training")
    assert [sample.name for sample in samples] == ["photo-left", "photo-right", "photo-left-2", "photo-hand"]
    assert len({sample.image for sample in samples}) == 1
    assert [sample.side for sample in samples] == ["left", "right", "left", None]


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
    assert open_data("coco", write(content), "training")[0].side == "right"


def test_images_of_one_id_are_refused(content, write):
    """Sets that were joined: annotations of the first would label images of the second."""
    content["images"].append({**content["images"][0]})
    assert len(open_data("coco", write(content), "training")) == 1
    content["images"].append({**content["images"][0], "file_name": "b/photo.png"})
    message = r"training\.json: the images a/photo\.png and b/photo\.png have the same id 7; give each"
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
    second = {**content["annotations"][0], "id": 4}
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
    assert [(sample.name, sample.side) for sample in samples] == [
        ("photo-left", "left"),
        ("photo-right", "right"),
    ]
    np.testing.assert_array_equal(reorder(samples[0].uv_px, "rhd", "snap"), UV_PX)
    assert "left out 2 hands of 2 persons" in caplog.text


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
    assert [sample.side for sample in samples] == ["right", "left"]
    build_windows(samples, window_px=16)


OUTSIDE = ((-3.0, 5.0), (5.0, 64.2), (1e4, -1e4))
"""Places outside an image of 64x64 pixels, whose joints have the flag 2."""


@pytest.mark.parametrize("named", [True, False])
def test_joints_outside_the_image_are_invisible_and_counted(content, write, caplog, named):
    if not named:  # the size is then that of the file
        del content["images"][0]["width"]
    keypoints = np.column_stack([UV_PX, [2] * 21])
    keypoints[[3, 8, 20], :2] = OUTSIDE
    content["annotations"][0]["keypoints"] = keypoints.ravel().tolist()
    (sample,) = open_data("coco", write(content), "training")
    expected = ~np.isin(np.arange(21), [3, 8, 20])
    np.testing.assert_array_equal(reorder(sample.visible[:, None], "rhd", "snap").ravel(), expected)
    assert sample.labelled is None
    assert "3 of 21 visible joints lie outside their images; they count as invisible" in caplog.text


def test_joints_of_other_images_are_left_to_the_check_of_the_set(content, write, caplog):
    keypoints = np.column_stack([UV_PX + 60, [2] * 21])
    content["annotations"][0]["keypoints"] = keypoints.ravel().tolist()
    (sample,) = open_data("coco", write(content), "training")
    assert sample.visible.all()
    assert "outside" not in caplog.text
