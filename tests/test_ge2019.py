"""The reader of the photographs of Ge et al. (2019), on random hands in its layout."""

import numpy as np
import pytest
from conftest import SHARED
from PIL import Image
from scipy.io import savemat

from latent_hands.data import open_data
from latent_hands.data.crops import build_windows
from latent_hands.errors import HandsError
from latent_hands.hand import geometry
from latent_hands.hand.skeleton import reorder

CAMERA = np.array([[900.0, 920, 640, 360], [900, 920, 640, 360]])
BOX = np.array([[400, 100, 512, 256], [300, 50, 128, 128]])


@pytest.fixture
def root(tmp_path):
    xyz_cm = np.random.default_rng(0).normal([0, 2, 45], 4, (2, 21, 3)).astype(np.float32)
    savemat(tmp_path / "pose_gt.mat", {"pose_gt": xyz_cm})
    savemat(tmp_path / "params.mat", {"cam_param": CAMERA, "bbox": BOX.astype(np.int32)})
    (tmp_path / "images").mkdir()
    for i in range(2):
        Image.new("RGB", (256, 256)).save(tmp_path / f"images/{i:05d}.jpg")
    return tmp_path


def test_labels_are_in_millimetres_and_the_camera_is_that_of_the_crop(root):
    from scipy.io import loadmat

    xyz_cm = loadmat(root / "pose_gt.mat")["pose_gt"]
    samples = open_data("ge2019", root, "evaluation")
    assert [s.name for s in samples] == ["00000", "00001"]
    for sample, cm, (fx, fy, u0, v0), (x, y, w, h) in zip(samples, xyz_cm, CAMERA, BOX, strict=True):
        assert (sample.handedness, sample.root, sample.visible.all()) == ("left", "wrist", True)
        np.testing.assert_allclose(reorder(sample.xyz_mm, "rhd", "mediapipe"), 10 * cm, rtol=1e-6)
        uv_px = np.stack([fx * cm[:, 0] / cm[:, 2] + u0, fy * cm[:, 1] / cm[:, 2] + v0], axis=1)
        crop_px = (uv_px - [x, y]) * 256 / [w, h]
        np.testing.assert_allclose(reorder(sample.uv_px, "rhd", "mediapipe"), crop_px, atol=1e-2)
    assert len(open_data("ge2019", root, "evaluation", limit=1)) == 1


def test_wrong_splits_and_broken_files_are_errors(root):
    with pytest.raises(HandsError, match='no split "training"; the only one is evaluation'):
        open_data("ge2019", root, "training")
    (root / "images/00001.jpg").unlink()
    with pytest.raises(HandsError, match=r"image 00001 .* labels but no image"):
        open_data("ge2019", root, "evaluation")
    savemat(root / "params.mat", {"cam_param": CAMERA, "bbox": np.zeros((2, 4))})
    with pytest.raises(HandsError, match="a box without width"):
        open_data("ge2019", root, "evaluation")
    savemat(root / "params.mat", {"cam_param": CAMERA[:1], "bbox": BOX})
    with pytest.raises(HandsError, match=r'"cam_param" is double of shape \(1, 4\); it must be 2 x 4'):
        open_data("ge2019", root, "evaluation")


@pytest.mark.skipif(not (SHARED / "ge2019").is_dir(), reason=f"Ge 2019 is not at {SHARED}")
def test_real_hands_are_left_hands():
    windows = build_windows(open_data("ge2019", SHARED / "ge2019", "evaluation"), margin=1.0, window_px=16)
    assert abs(windows.bone_mm.mean() - 49) < 1
    cpose, _ = geometry.canonicalise(windows.pose)
    bent = cpose[:, [5, 9, 13, 17], 2].mean(dim=1) < 0  # fingers bend towards the palm's side
    assert bent.float().mean() > 0.9
