"""Round trips: a data set that is exported and read again is the same data set."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from conftest import SHARED
from painted_hands import find_dots, painted_hands
from PIL import Image
from registries import register

from latent_hands.data import READERS, open_data, read_rgb
from latent_hands.data.crops import cut_square
from latent_hands.data.export import LAYOUTS, export_data
from latent_hands.data.export.freihand import IMAGE_PX
from latent_hands.data.readers.coco_hands import KEYPOINTS
from latent_hands.data.sample import project
from latent_hands.hand.conventions import recorded
from latent_hands.hand.geometry import to_palm
from latent_hands.hand.skeleton import JOINTS, MIDDLE_MCP, MIDDLE_PIP, PARENTS, reorder
from latent_hands.rendering.sets.dataset import render_dataset

LABELS = ("xyz_mm", "uv_px", "visible", "K")
MIRROR = np.float32([-1, 1, 1])


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    root = tmp_path_factory.mktemp("render") / "hands"
    render_dataset(root, 4, 64, seed=3, workers=1, poses_per_scene=1, evaluation_count=2, progress=False)
    samples = open_data("rendered", root, "training")
    assert {sample.handedness for sample in samples} == {"left", "right"}
    return root


@pytest.fixture
def painted(tmp_path, monkeypatch):
    """Hands with a bright dot at the middle MCP, as the data set "painted"."""
    samples = [hand for hand in painted_hands(tmp_path, 10) if hand.xyz_mm[:, 2].min() > 0]
    register(monkeypatch, READERS, "painted", lambda root, split, limit, **_: samples[:limit])
    return samples


def same_labels(a, b):
    assert (a.handedness, a.root) == (b.handedness, b.root)
    for key in LABELS:
        np.testing.assert_allclose(getattr(a, key), getattr(b, key), rtol=2e-7, atol=1e-7, err_msg=key)


@pytest.mark.parametrize("layout", ["rhd", "coco"])
def test_rendered_hands_keep_every_label_and_every_byte(rendered, tmp_path, layout):
    exported = export_data("rendered", rendered, tmp_path / "out", layout)
    assert exported.notes == []
    for split in ("training", "evaluation"):
        before, after = open_data("rendered", rendered, split), open_data(layout, tmp_path / "out", split)
        assert exported.names[split] == [sample.name for sample in before]
        for a, b in zip(before, after, strict=True):
            same_labels(a, b)
            assert a.image.read_bytes() == b.image.read_bytes()
            assert a.convention == b.convention
            if layout == "rhd":
                assert a.mask.read_bytes() == b.mask.read_bytes()
                assert a.depth.read_bytes() == b.depth.read_bytes()
    stated = dataclasses.asdict(exported) | {"convention": recorded("rhd")}
    assert json.loads((tmp_path / "out/export.json").read_text()) == stated


def test_rendered_hands_become_right_hands_in_freihand(rendered, tmp_path):
    exported = export_data("rendered", rendered, tmp_path / "out", "freihand", ["training"])
    before, after = (
        open_data(name, root, "training")
        for name, root in (("rendered", rendered), ("freihand", tmp_path / "out"))
    )
    left = sum(sample.handedness == "left" for sample in before)
    assert exported.notes == [f"training: {left} of 4 hands are left hands and were mirrored"]
    scales = json.loads((tmp_path / "out/training_scale.json").read_text())
    for a, b, scale_m in zip(before, after, scales, strict=True):
        mirrored = a.xyz_mm * MIRROR if a.handedness == "left" else a.xyz_mm
        assert (b.handedness, b.convention) == ("right", a.convention)
        np.testing.assert_allclose(b.xyz_mm, mirrored, rtol=1e-6, atol=1e-6)
        bone_mm = np.linalg.norm(a.xyz_mm[MIDDLE_MCP] - a.xyz_mm[MIDDLE_PIP])
        np.testing.assert_allclose(1000 * scale_m, bone_mm, rtol=1e-6)
        assert read_rgb(b.image).shape == (IMAGE_PX, IMAGE_PX, 3)
        zoom = b.K[0, 0] / a.K[0, 0]
        moved = (a.uv_px - a.uv_px[0]) * zoom * (MIRROR[:2] if a.handedness == "left" else 1)
        np.testing.assert_allclose(b.uv_px - b.uv_px[0], moved, atol=0.02)


@pytest.mark.parametrize("convention", ["ge2019", "mano", None])
@pytest.mark.parametrize("reader", ["rhd", "rhd-hands", "freihand", "coco"])
def test_every_layout_keeps_the_joint_convention(reader, convention, painted, tmp_path):
    painted[:] = [dataclasses.replace(sample, convention=convention) for sample in painted]
    export_data("painted", tmp_path, tmp_path / "out", reader.removesuffix("-hands"), ["evaluation"])
    assert {sample.convention for sample in open_data(reader, tmp_path / "out", "evaluation")} == {convention}


def test_images_and_joints_move_together_in_freihand(painted, tmp_path):
    export_data("painted", tmp_path, tmp_path / "out", "freihand", ["evaluation"])
    after = open_data("freihand", tmp_path / "out", "evaluation")
    images = torch.from_numpy(np.stack([read_rgb(s.image) for s in after])).permute(0, 3, 1, 2)
    dots = find_dots(images).numpy()
    joints = np.stack([sample.uv_px[MIDDLE_MCP] for sample in after])
    np.testing.assert_allclose(dots, joints, atol=0.3)
    for a, b in zip(painted, after, strict=True):
        zoom, left = float(b.K[0, 0] / a.K[0, 0]), a.handedness == "left"
        offset = (b.uv_px[MIDDLE_MCP] - (IMAGE_PX - 1) / 2) / zoom * (MIRROR[:2] if left else 1)
        centre = tuple((a.uv_px[MIDDLE_MCP] - offset).tolist())
        cut = cut_square(read_rgb(a.image), centre, IMAGE_PX / zoom, IMAGE_PX, left)
        difference = cut.permute(1, 2, 0).numpy().astype(int) - read_rgb(b.image)
        assert np.abs(difference).max() <= 4


def test_an_image_of_freihands_size_is_kept(painted, tmp_path, monkeypatch):
    noise = np.random.default_rng(0).integers(0, 256, (IMAGE_PX, IMAGE_PX, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.jpg")
    hands = [dataclasses.replace(hand, image=tmp_path / "noise.jpg") for hand in painted[:2]]
    register(monkeypatch, READERS, "painted", lambda root, split, limit, **_: hands)
    export_data("painted", tmp_path, tmp_path / "out", "freihand", ["training"])
    left, right = open_data("freihand", tmp_path / "out", "training")
    assert right.image.read_bytes() == (tmp_path / "noise.jpg").read_bytes()
    np.testing.assert_array_equal(right.K, hands[1].K)
    assert np.abs(read_rgb(left.image)[:, ::-1].astype(int) - read_rgb(right.image)).mean() < 3
    assert left.K[0, 2] == IMAGE_PX - 1 - hands[0].K[0, 2]


def test_coco_names_its_joints(painted, tmp_path):
    export_data("painted", tmp_path, tmp_path / "out", "coco", split="training")
    content = json.loads((tmp_path / "out/annotations/training.json").read_text())
    (category,) = content["categories"]
    assert category["keypoints"] == list(KEYPOINTS)
    wrist, *tips = (KEYPOINTS.index(name) for name in ("wrist", "thumb4", "pinky_finger4"))
    assert [
        JOINTS[order] for order in reorder(np.arange(21)[:, None], "rhd", "mediapipe")[[wrist, *tips], 0]
    ] == [
        "wrist",
        "thumb_tip",
        "little_tip",
    ]
    bones = {(KEYPOINTS[a - 1], KEYPOINTS[b - 1]) for a, b in category["skeleton"]}
    assert {("wrist", "thumb1"), ("thumb1", "thumb2"), ("wrist", "ring_finger1")} < bones
    assert len(bones) == sum(parent >= 0 for parent in PARENTS)
    for sample, image, label in zip(painted, content["images"], content["annotations"], strict=True):
        keypoints = np.float32(label["keypoints"]).reshape(21, 3)
        uvw = np.float32(label["xyz_mm"]) @ np.float32(label["K"]).T
        np.testing.assert_allclose(keypoints[:, :2], uvw[:, :2] / uvw[:, 2:], atol=1e-3)
        np.testing.assert_array_equal(
            reorder(keypoints, "mediapipe", "rhd")[:, 2], np.where(sample.visible, 2, 1)
        )
        assert (image["width"], image["height"], label["num_keypoints"]) == (240, 200, 21)
        x, y, width, height = label["bbox"]
        assert 0 <= x < x + width <= 239
        assert 0 <= y < y + height <= 199
        assert label["area"] == pytest.approx(width * height)
        assert label["image_id"] == image["id"]
        assert label["id"] > 0


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_labelled_palm_is_replaced_by_the_wrist_of_its_rule(painted, tmp_path, monkeypatch, layout):
    palms = [
        dataclasses.replace(
            hand,
            root="palm",
            handedness="right",
            xyz_mm=(palm := to_palm(torch.from_numpy(hand.xyz_mm)).numpy()),
            uv_px=project(palm, hand.K),
            wrist_mm=hand.xyz_mm[0],
            wrist_px=hand.uv_px[0],
        )
        for hand in painted
    ]
    register(monkeypatch, READERS, "palms", lambda root, split, limit, **_: palms)
    exported = export_data("palms", tmp_path, tmp_path / "out", layout, ["evaluation"])
    assert 'joint 0 is the wrist by the rule of "palms"' in exported.notes[-1]
    for hand, palm, read in zip(
        painted, palms, open_data(layout, tmp_path / "out", "evaluation"), strict=True
    ):
        if layout == "coco":
            same_labels(palm, read)
            np.testing.assert_array_equal(read.wrist_mm, hand.xyz_mm[0])
            np.testing.assert_array_equal(read.wrist_px, hand.uv_px[0])
        else:
            assert read.root == "wrist"
            label, tolerance = ("uv_px", 1e-4) if layout == "yolo" else ("xyz_mm", 1e-5)
            np.testing.assert_allclose(getattr(read, label), getattr(hand, label), rtol=1e-6, atol=tolerance)


def test_only_upright_rgb_images_are_copied(painted, tmp_path, monkeypatch):
    pixels = np.random.default_rng(0).integers(0, 256, (200, 240, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6  # on its side
    Image.fromarray(pixels.transpose(1, 0, 2)).save(tmp_path / "rotated.jpg", exif=exif)
    Image.fromarray(pixels[..., 0]).save(tmp_path / "grey.png")
    Image.fromarray(pixels).save(tmp_path / "plain.jpg")
    Image.fromarray(pixels).save(tmp_path / "other.bmp")
    names = ("rotated.jpg", "grey.png", "plain.jpg", "other.bmp")
    hands = [dataclasses.replace(painted[0], image=tmp_path / name, size_px=(240, 200)) for name in names]
    register(monkeypatch, READERS, "painted", lambda root, split, limit, **_: hands)
    for layout in ("coco", "rhd"):
        export_data("painted", tmp_path, tmp_path / layout, layout, ["training"])
        after = open_data(layout, tmp_path / layout, "training")
        kept = [a.image.read_bytes() == b.image.read_bytes() for a, b in zip(hands, after, strict=True)]
        assert kept == [False, False, layout == "coco", False]
        for a, b in zip(hands, after, strict=True):
            np.testing.assert_array_equal(read_rgb(a.image), read_rgb(b.image))


needs_ge2019 = pytest.mark.skipif(not (SHARED / "ge2019").is_dir(), reason=f"Ge 2019 is not at {SHARED}")
needs_stb = pytest.mark.skipif(not (SHARED / "stb").is_dir(), reason=f"STB is not at {SHARED}")
needs_rhd = pytest.mark.skipif(not (SHARED / "rhd").is_dir(), reason=f"RHD is not at {SHARED}")
REAL = [
    pytest.param("ge2019", "freihand", marks=needs_ge2019),
    pytest.param("ge2019", "rhd", marks=needs_ge2019),
    pytest.param("stb", "coco", marks=needs_stb),
    pytest.param("rhd", "coco", marks=needs_rhd),
]


@pytest.mark.parametrize(("data", "layout"), REAL)
def test_real_hands_keep_their_labels(tmp_path, data, layout):
    export_data(data, SHARED / data, tmp_path / "out", layout, ["evaluation"], limit=5)
    before = open_data(data, SHARED / data, "evaluation", limit=5)
    for a, b in zip(before, open_data(layout, tmp_path / "out", "evaluation"), strict=True):
        if layout == "freihand":
            np.testing.assert_allclose(b.xyz_mm, a.xyz_mm * MIRROR, rtol=1e-6, atol=1e-6)
            assert ((b.uv_px > 0) & (b.uv_px < IMAGE_PX - 1)).all()
        else:
            same_labels(a, b)
