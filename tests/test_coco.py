"""COCO keypoints by hand: what is no such file is told."""

import json

import numpy as np
import pytest
from PIL import Image

from latent_hands.data import open_data
from latent_hands.data.coco import KEYPOINTS
from latent_hands.data.crops import build_windows
from latent_hands.errors import HandsError
from latent_hands.hand.skeleton import reorder

UV_PX = np.random.default_rng(0).uniform(0, 60, (21, 2)).astype(np.float32)


@pytest.fixture
def content():
    keypoints = np.column_stack([UV_PX, [0, 1, *[2] * 19]]).ravel().tolist()
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


def test_a_plain_coco_file_gives_joints_of_the_plane(content, write):
    (sample,) = open_data("coco", write(content), "training")
    assert (sample.name, sample.side, sample.xyz_mm, sample.K) == ("photo", None, None, None)
    np.testing.assert_array_equal(reorder(sample.uv_px, "rhd", "snap"), UV_PX)
    assert reorder(sample.visible[:, None], "rhd", "snap").ravel().tolist() == [False] * 2 + [True] * 19
    build_windows([sample], window_px=16)


XYZ_MM = np.column_stack([UV_PX - 32, np.full(21, 500.0)]).tolist()
K = [[500.0, 0, 32], [0, 500, 32], [0, 0, 1]]


def test_three_dimensions_are_read_without_a_camera(content, write):
    content["annotations"][0]["xyz_mm"] = XYZ_MM
    (sample,) = open_data("coco", write(content), "training")
    np.testing.assert_array_equal(reorder(sample.xyz_mm, "rhd", "snap"), np.float32(XYZ_MM))
    assert sample.K is None


def test_the_camera_stands_in_for_keypoints(content, write):
    content["annotations"][0] |= {"xyz_mm": XYZ_MM, "K": K}
    del content["annotations"][0]["keypoints"]
    (sample,) = open_data("coco", write(content), "training")
    np.testing.assert_allclose(reorder(sample.uv_px, "rhd", "snap"), UV_PX, atol=1e-3)
    assert sample.visible.all()


def change(key, value):
    return lambda content: content["annotations"][0].update({key: value})


BROKEN = {
    r"has other keypoints; legal: wrist, thumb1": lambda content: content["categories"][0].update(
        keypoints=KEYPOINTS[::-1]
    ),
    r'file name "\.\./photo\.png" leads out of': lambda content: content["images"][0].update(
        file_name="../photo.png"
    ),
    r"annotation 3 of .*b\.png: the picture is missing": lambda content: content["images"][0].update(
        file_name="b.png"
    ),
    r'"keypoints" of annotation 3 of .*photo\.png holds no 21 x 3 finite': change("keypoints", [1.0] * 62),
    r"holds no 21 x 3 finite": change("keypoints", [float("nan")] * 63),
    r"is not in COCO's layout: ValueError": change("keypoints", ["many"] * 63),
    r"is not in COCO's layout: KeyError\(8\)": change("image_id", 8),
    r"has the side 'both'; legal: left, right": change("side", "both"),
    r'"K" of annotation 3': lambda content: content["annotations"][0].update(xyz_mm=[[1.0] * 3] * 21, K=[1]),
    r"KeyError\('keypoints'\)": lambda content: content["annotations"][0].pop("keypoints"),
    r'"palm_mm" without "xyz_mm" or without "K"': change("palm_mm", [0.0, 0.0, 500.0]),
    r"two of one picture": lambda content: content["annotations"].append(content["annotations"][0]),
    r"has no annotation": lambda content: content["annotations"].clear(),
    r"not in COCO's layout: KeyError\('images'\)": lambda content: content.pop("images"),
}


@pytest.mark.parametrize("told", BROKEN)
def test_broken_files_are_told(content, write, told):
    BROKEN[told](content)
    with pytest.raises(HandsError, match=told):
        open_data("coco", write(content), "training")


def test_wrong_places_are_told(content, write, tmp_path):
    with pytest.raises(HandsError, match=r"no label file at .*evaluation\.json"):
        open_data("coco", write(content), "evaluation")
    with pytest.raises(HandsError, match='unknown split "train"'):
        open_data("coco", tmp_path, "train")
    with pytest.raises(HandsError, match="not in COCO's layout"):
        open_data("coco", write([1]), "training")
    (tmp_path / "annotations/training.json").write_text("{")
    with pytest.raises(HandsError, match="is no JSON"):
        open_data("coco", tmp_path, "training")
