"""The reader of COCO keypoints: plain files, the further keys of an export, and errors."""

import numpy as np
import pytest
from coco_files import UV_PX, plain_content, writer

from latent_hands.data import open_data
from latent_hands.data.crops import build_windows
from latent_hands.data.readers.coco_hands import KEYPOINTS
from latent_hands.errors import HandsError
from latent_hands.hand.skeleton import reorder


@pytest.fixture
def content():
    return plain_content()


@pytest.fixture
def write(tmp_path):
    return writer(tmp_path)


def test_a_plain_coco_file_gives_2d_joints(content, write):
    (sample,) = open_data("coco", write(content), "training")
    assert (sample.name, sample.handedness, sample.xyz_mm, sample.K) == ("photo", None, None, None)
    uv_px = reorder(sample.uv_px, "rhd", "mediapipe")
    np.testing.assert_array_equal(np.delete(uv_px, 1, 0), np.delete(UV_PX, 1, 0))
    for mask in (sample.visible, sample.labelled):
        assert reorder(mask[:, None], "rhd", "mediapipe").ravel().tolist() == [True, False, *[True] * 19]
    windows = build_windows([sample], window_px=16)
    known = ~windows.uv_px.isnan().any(dim=-1)
    assert reorder(known[0, :, None].numpy(), "rhd", "mediapipe").ravel().tolist() == [
        True,
        False,
        *[True] * 19,
    ]


XYZ_MM = np.column_stack([UV_PX - 32, np.full(21, 500.0)]).tolist()
K = [[500.0, 0, 32], [0, 500, 32], [0, 0, 1]]


def test_3d_joints_are_read_without_a_camera(content, write):
    content["annotations"][0]["xyz_mm"] = XYZ_MM
    (sample,) = open_data("coco", write(content), "training")
    np.testing.assert_array_equal(reorder(sample.xyz_mm, "rhd", "mediapipe"), np.float32(XYZ_MM))
    assert sample.K is None


def test_without_keypoints_the_3d_joints_are_projected(content, write):
    content["annotations"][0] |= {"xyz_mm": XYZ_MM, "K": K}
    del content["annotations"][0]["keypoints"]
    (sample,) = open_data("coco", write(content), "training")
    np.testing.assert_allclose(reorder(sample.uv_px, "rhd", "mediapipe"), UV_PX, atol=1e-3)
    assert sample.visible.all()


def change(key, value):
    return lambda content: content["annotations"][0].update({key: value})


def unlabel(content, joint):
    content["annotations"][0]["keypoints"][3 * joint : 3 * joint + 3] = [0, 0, 0]


BROKEN = {
    r"has no keypoints of hands; they must be wrist, thumb1": lambda content: content["categories"][0].update(
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
    r"annotation 3 of .*training\.json is of image 8, and not of 1 image with ids such as 7": change(
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
    r"has no keypoints of hands": lambda content: content["annotations"][0].pop("keypoints"),
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
        first | {"id": i, "side": side, "area": i} for i, side in enumerate(("left", "right", "left"))
    ]
    content["annotations"].append({key: value for key, value in first.items() if key != "side"} | {"id": 3})
    samples = open_data("coco", write(content), "training")
    assert [sample.name for sample in samples] == ["photo-left", "photo-right", "photo-left-2", "photo-hand"]
    assert len({sample.image for sample in samples}) == 1
    assert [sample.handedness for sample in samples] == ["left", "right", "left", None]


"""Places outside an image of 64x64 pixels, whose joints have the flag 2."""
