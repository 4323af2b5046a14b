"""All hands of whole images: the readers of several hands an image, and images without hands."""

import pickle

import numpy as np
import pytest
from conftest import SHARED
from PIL import Image

from latent_hands.data import open_data
from latent_hands.data.export import export_data
from latent_hands.data.whole_images import hands_by_image, images_of

needs_rhd = pytest.mark.skipif(not (SHARED / "rhd").is_dir(), reason=f"RHD is not at {SHARED}")


CAMERA = np.array([[8, 0, 3.5], [0, 8, 3.5], [0, 0, 1]], np.float32)


@pytest.fixture
def rhd_root(tmp_path):
    """Four images in RHD's layout: both hands visible, a left hand, a hidden hand of some pixels, no hand."""
    folder = tmp_path / "evaluation"
    for kind in ("color", "mask"):
        (folder / kind).mkdir(parents=True)
    rng, labels = np.random.default_rng(0), {}
    shown = [("left", "right"), ("left",), ("right",), ()]
    for index, sides in enumerate(shown):
        xyz = rng.uniform(-0.02, 0.02, (42, 3)).astype(np.float32) + np.float32([0, 0, 0.6])
        uv_vis = np.zeros((42, 3), np.float32)
        uv_vis[:, :2] = (xyz @ CAMERA.T)[:, :2] / xyz[:, 2:]
        mask = np.zeros((8, 8), np.uint8)
        for side in sides:
            hand = slice(0, 21) if side == "left" else slice(21, 42)
            uv_vis[hand, 2] = index != 2
            mask[int(side == "right")] = 17 if side == "left" else 33
        labels[index] = {"xyz": xyz, "uv_vis": uv_vis, "K": CAMERA}
        Image.fromarray(mask).save(folder / f"mask/{index:05d}.png")
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(folder / f"color/{index:05d}.png")
    (folder / "anno_evaluation.pickle").write_bytes(pickle.dumps(labels))
    return tmp_path


def test_every_hand_in_the_image_is_a_sample_with_its_own_joints(rhd_root):
    hands = open_data("rhd-hands", rhd_root, "evaluation")
    assert [hand.name for hand in hands] == ["00000-left", "00000-right", "00001-left", "00002-right"]
    labels = pickle.loads((rhd_root / "evaluation/anno_evaluation.pickle").read_bytes())
    for hand in hands:
        rows = slice(0, 21) if hand.handedness == "left" else slice(21, 42)
        assert hand.name.endswith(hand.handedness)
        np.testing.assert_allclose(hand.xyz_mm, 1000 * labels[int(hand.image.stem)]["xyz"][rows], rtol=1e-6)


def test_an_image_without_hands_has_an_empty_list(rhd_root):
    images = images_of(rhd_root, "evaluation")
    hands = hands_by_image(open_data("rhd-hands", rhd_root, "evaluation"), images)
    assert list(hands) == images
    assert [len(each) for each in hands.values()] == [2, 1, 1, 0]


def test_the_limit_counts_hands(rhd_root):
    assert len(open_data("rhd-hands", rhd_root, "evaluation", limit=3)) == 3


@pytest.mark.parametrize(("layout", "reader"), [("rhd", "rhd-hands"), ("coco", "coco")])
def test_hands_of_one_image_stay_in_one_image(rhd_root, tmp_path, layout, reader):
    source = open_data("rhd-hands", rhd_root, "evaluation", limit=3)
    export_data("rhd-hands", rhd_root, tmp_path / "out", layout, ["evaluation"], limit=3)
    copies = open_data(reader, tmp_path / "out", "evaluation")
    assert [copy.handedness for copy in copies] == [hand.handedness for hand in source]
    assert [len(hands) for hands in hands_by_image(copies).values()] == [2, 1]
    for hand, copy in zip(source, copies, strict=True):
        np.testing.assert_allclose(copy.xyz_mm, hand.xyz_mm, atol=1e-3)
        np.testing.assert_array_equal(copy.visible, hand.visible)
    assert len({copy.name for copy in copies}) == len(copies)


def test_freihand_gives_each_hand_an_image_of_its_own(rhd_root, tmp_path):
    export_data("rhd-hands", rhd_root, tmp_path / "out", "freihand", ["evaluation"], limit=3)
    assert len({hand.image for hand in open_data("freihand", tmp_path / "out", "evaluation")}) == 3


@needs_rhd
def test_the_dominant_hand_of_rhd_is_one_of_all_its_hands():
    dominant = open_data("rhd", SHARED / "rhd", "evaluation", limit=20)
    hands = hands_by_image(open_data("rhd-hands", SHARED / "rhd", "evaluation"))
    for sample in dominant:
        found = [hand for hand in hands[sample.image] if hand.handedness == sample.handedness]
        np.testing.assert_array_equal(found[0].xyz_mm, sample.xyz_mm)
