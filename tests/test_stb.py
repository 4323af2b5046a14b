"""The reader of STB, on random hands in its layout."""

import dataclasses
import logging

import numpy as np
import pytest
import torch
from conftest import SHARED
from PIL import Image
from scipy.io import savemat

from latent_hands.data import open_data, read_stb
from latent_hands.data.crops import build_windows
from latent_hands.data.palm import crop_square
from latent_hands.data.readers.stb import SEQUENCES, VIEWS, WRISTS, wrist_mm
from latent_hands.errors import HandsError
from latent_hands.hand import geometry
from latent_hands.hand.skeleton import reorder
from latent_hands.predictor import crop_of_sample, tag_of

needs_stb = pytest.mark.skipif(not (SHARED / "stb").is_dir(), reason=f"STB is not at {SHARED}")


@pytest.fixture(scope="module")
def hands():
    """The joints of 1,500 frames, in STB's order."""
    rng = np.random.default_rng(0)
    return rng.normal([60, 20, 650], 40, (1500, 21, 3))


@pytest.fixture(scope="module")
def root(tmp_path_factory, hands):
    """A data set with all label files, and images of frames 0, 3 and 750 of one sequence."""
    root = tmp_path_factory.mktemp("stb")
    (root / "labels").mkdir()
    (root / "images/B1Random").mkdir(parents=True)
    for name in (*SEQUENCES["training"], *SEQUENCES["evaluation"]):
        for camera in ("BB", "SK"):
            savemat(root / f"labels/{name}_{camera}.mat", {"handPara": hands.transpose(2, 1, 0)})
    for view in ("BB_left", "BB_right", "SK_color"):
        for frame in (0, 3, 750):
            Image.new("RGB", (640, 480)).save(root / f"images/B1Random/{view}_{frame}.png")
    return root


def test_joints_come_in_rhd_order_with_the_palm_first(root, hands):
    left = open_data("stb-left", root, "evaluation")
    assert [s.name for s in left] == ["B1Random_BB_left_0", "B1Random_BB_left_3", "B1Random_BB_left_750"]
    assert {(s.handedness, s.root) for s in left} == {("left", "palm")}
    np.testing.assert_allclose(left[1].xyz_mm, reorder(hands[3], "stb", "rhd"), rtol=1e-6)
    windows = build_windows(left, margin=1.0, window_px=16)
    palm = windows.xyz_mm[1, 0]  # as labelled, not the middle of wrist and knuckle
    np.testing.assert_allclose(palm, hands[3, 0], rtol=1e-6)
    assert torch.equal(windows.visible, torch.ones(3, 21, dtype=torch.bool))


def test_the_right_camera_stands_120_mm_to_the_right(root):
    left, right = open_data("stb", root, "evaluation")[:2]
    assert (left.image.stem, right.image.stem) == ("BB_left_0", "BB_right_0")
    np.testing.assert_allclose(left.xyz_mm - right.xyz_mm, np.tile([120.054, 0, 0], (21, 1)), atol=1e-3)
    disparity_px = 822.79041 * 120.054 / left.xyz_mm[:, 2]
    np.testing.assert_allclose((left.uv_px - right.uv_px)[:, 0], disparity_px, rtol=1e-4)
    np.testing.assert_allclose(left.uv_px[:, 1], right.uv_px[:, 1], atol=1e-3)


def test_the_colour_camera_is_rotated_and_shifted_against_the_depth_camera(root, hands):
    x_colour = open_data("stb-sk", root, "evaluation", limit=1)[0].xyz_mm.astype(float)
    x, y, z = VIEWS["sk"].rotvec
    R = torch.linalg.matrix_exp(torch.tensor([[0, -z, y], [z, 0, -x], [-y, x, 0]], dtype=torch.float64))
    x_depth = x_colour @ R.numpy().T + VIEWS["sk"].offset_mm
    np.testing.assert_allclose(x_depth, reorder(hands[0], "stb", "rhd"), atol=1e-3)


@pytest.mark.parametrize("rule", WRISTS)
def test_a_wrist_rule_only_moves_the_wrist(root, rule):
    plain, other = read_stb(root, "evaluation", 1)[0], read_stb(root, "evaluation", 1, wrist=rule)[0]
    np.testing.assert_array_equal(plain.xyz_mm, other.xyz_mm)
    np.testing.assert_array_equal(plain.uv_px, other.uv_px)
    uvw = wrist_mm(other.xyz_mm, rule)[0] @ other.K.T
    np.testing.assert_allclose(other.wrist_px, uvw[:2] / uvw[2], rtol=1e-5)
    palm, mcp = other.xyz_mm[0], other.xyz_mm[WRISTS[rule][1]]
    factor = WRISTS[rule][0]
    np.testing.assert_allclose(
        wrist_mm(other.xyz_mm, rule)[0], factor * palm + (1 - factor) * mcp.mean(0), rtol=1e-4
    )


def test_the_wrist_changes_the_box_but_not_the_pose(root):
    sample = read_stb(root, "evaluation", 1)[0]
    far = dataclasses.replace(sample, wrist_px=sample.uv_px[12] + np.float32([0, 110]))
    cx, cy, side_px = crop_square(far, (480, 640))
    np.testing.assert_allclose((cx, cy), sample.uv_px[12], rtol=1e-6)
    assert side_px >= 219
    pair = build_windows([sample, far], margin=1.0, window_px=16)
    assert torch.equal(pair.pose[0], pair.pose[1])


def test_frames_without_image_are_left_out_and_counted(root, caplog):
    with caplog.at_level(logging.WARNING):
        assert len(read_stb(root, "evaluation")) == 6
    assert "5,994 of the 6,000 images of STB's evaluation split are not in" in caplog.text
    with pytest.raises(HandsError, match="none of the 30,000 images of training"):
        read_stb(root, "training")
    poses = read_stb(root, "evaluation", views=("left",), images=False)
    assert len({sample.name for sample in poses}) == len(poses) == 3000
    assert [s.name for s in open_data("stb-poses", root, "evaluation")] == [s.name for s in poses]
    assert len({name for names in SEQUENCES.values() for name in names}) == 12


def test_the_tag_is_the_middle_frame_of_the_same_sequence_and_view(root):
    for sample in read_stb(root, "evaluation", views=("right", "sk")):
        assert sample.tag.parent == sample.image.parent
        assert sample.tag.stem == sample.image.stem.rsplit("_", 1)[0] + "_750"
    assert read_stb(root, "evaluation", 1, images=False)[0].tag is None  # B1Counting has no images


def test_scene_crops_are_centred_on_the_palm_and_the_tag_has_the_same_crop(root):
    samples = open_data("stb", root, "evaluation")
    windows = build_windows(samples, "scene", margin=1.0, window_px=16, images=["tag"])
    depth_mm = np.array([sample.xyz_mm[0, 2] for sample in samples])
    bone_mm = np.array([np.linalg.norm(s.xyz_mm[12] - s.xyz_mm[11]) for s in samples])
    np.testing.assert_allclose(windows.crop_side_px, 7.2 * bone_mm * 822.79041 / depth_mm, rtol=1e-5)
    np.testing.assert_allclose(windows.uv_px[:, 0], 7.5, atol=1e-3)
    for sample in samples:
        assert tag_of(sample).box_px == crop_of_sample(sample, "scene").box_px
        assert tag_of(sample, "box").box_px == crop_of_sample(sample).box_px != tag_of(sample).box_px


def test_wrong_arguments_and_folders_are_errors(root, tmp_path):
    with pytest.raises(HandsError, match='unknown view "lft"; did you mean "left"'):
        read_stb(root, "evaluation", views=("lft",))
    with pytest.raises(HandsError, match='unknown wrist rule "rng"; did you mean "ring"'):
        read_stb(root, "evaluation", wrist="rng")
    with pytest.raises(HandsError, match='unknown split "test"'):
        read_stb(root, "test")
    with pytest.raises(HandsError, match="not in STB's layout"):
        read_stb(tmp_path, "evaluation")
    (tmp_path / "labels").mkdir()
    with pytest.raises(HandsError, match=r"no label file at .*B1Counting_BB\.mat"):
        read_stb(tmp_path, "evaluation")


@needs_stb
@pytest.mark.parametrize("split", SEQUENCES)
def test_real_hands_are_left_hands_of_one_person(split):
    samples = read_stb(SHARED / "stb", split, views=("left",), images=False)
    pose, bone_mm = geometry.normalise(torch.from_numpy(np.stack([s.xyz_mm for s in samples])))
    assert torch.allclose(bone_mm, torch.tensor(40.0), atol=0.01)
    cpose, _ = geometry.canonicalise(pose)
    bent = cpose[:, [5, 9, 13, 17], 2].mean(dim=1) < 0  # fingers bend towards the palm's side
    assert bent.float().mean() > 0.9
