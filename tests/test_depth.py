"""Depth images: relative to the palm, moved with the image, not changed by colour augmentation."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from painted_hands import DOT, find_dots, painted_hand, painted_hands
from PIL import Image

from latent_hands.data.augmentation import Augmentation
from latent_hands.data.augmentation.augment import augment
from latent_hands.data.crops import build_windows
from latent_hands.data.depth import REACH_MM, depth_levels, read_depth_mm, surface_depth_mm
from latent_hands.data.formats.rhd_files import encode_depth
from latent_hands.data.image_stacks import ImageStack
from latent_hands.data.sample import Sample
from latent_hands.errors import HandsError

LIGHT = dict.fromkeys(("brightness", "contrast", "saturation", "hue", "blur_px", "noise"), 0.0)
GEOMETRY = Augmentation(downsample=1.0, **LIGHT)


def with_depth(sample: Sample, further_mm: float = 0.0) -> Sample:
    """Return the sample with a ball at DOT as its depth, and with the camera moved back by `further_mm`."""
    height, width = 200, 240
    v, u = np.mgrid[:height, :width]
    distance_px = np.hypot(u - sample.uv_px[DOT, 0], v - sample.uv_px[DOT, 1])
    ball_mm = 470 - np.sqrt(np.clip(144 - distance_px**2, 0, None)) * 3
    depth_mm = np.where(distance_px < 12, ball_mm + further_mm, 0)
    path = sample.image.with_name(f"{sample.name}_depth_{further_mm:g}.png")
    Image.fromarray(encode_depth(depth_mm.astype(np.float32) / 1000)).save(path)
    moved = None if sample.xyz_mm is None else sample.xyz_mm + np.float32([0, 0, further_mm])
    return replace(sample, depth=path, xyz_mm=moved)


def depths(samples: list[Sample], **options: object) -> torch.Tensor:
    return build_windows(samples, images=["depth"], **options).images["depth"].pixels


def test_a_depth_file_is_read_as_it_was_written(tmp_path):
    depth_m = np.linspace(0.1, 4.9, 600, dtype=np.float32).reshape(20, 30)
    Image.fromarray(encode_depth(depth_m)).save(tmp_path / "depth.png")
    np.testing.assert_allclose(read_depth_mm(tmp_path / "depth.png"), 1000 * depth_m, atol=0.04)


def test_levels_are_relative_to_the_palm():
    behind_mm = np.array([[-400.0, -REACH_MM, 0.0, REACH_MM, REACH_MM + 2, 4000.0]], np.float32)
    assert depth_levels(600 + behind_mm, 600.0).tolist() == [[255, 255, 128, 1, 0, 0]]
    assert depth_levels(np.zeros((1, 1), np.float32), 50.0).tolist() == [[0]]


@pytest.mark.parametrize("labelled", [True, False])
def test_moving_the_camera_back_changes_nothing(tmp_path, labelled):
    samples = painted_hands(tmp_path, 4)
    if not labelled:
        samples = [replace(sample, xyz_mm=None) for sample in samples]
    near, far = (depths([with_depth(s, mm) for s in samples]).int() for mm in (0.0, 100.0))
    assert near.amax() > 0
    assert (near - far).abs().max() <= 1


def test_without_labels_the_nearest_surface_in_the_middle_is_the_palm():
    depth_mm = np.full((90, 90), 5000, np.float32)
    depth_mm[40:50, 40:50] = 500
    depth_mm[:20] = 300  # near, but not in the middle
    assert surface_depth_mm(depth_mm, (45.0, 45.0, 90.0)) == 500
    assert surface_depth_mm(np.zeros((9, 9), np.float32), (4.0, 4.0, 9.0)) == 0


@pytest.mark.parametrize("margin", [1.0, 1.75])
def test_labels_stay_on_their_surface(tmp_path, margin):
    windows = build_windows(
        [with_depth(s) for s in painted_hands(tmp_path, 6)], "box", margin, images=["depth"]
    )
    assert torch.allclose(find_dots(windows.images["depth"].pixels), windows.uv_px[:, DOT], atol=0.5)


def test_pixels_outside_the_image_are_background(tmp_path):
    assert depths([with_depth(painted_hand(tmp_path, "hand"))], margin=4.0)[0, 0, 0, 0] == 0


def test_depth_moves_with_the_image(tmp_path):
    windows = build_windows([with_depth(s) for s in painted_hands(tmp_path, 6)], images=["depth"])
    depth = windows.images["depth"]
    both = replace(windows, images={"rgb": ImageStack(depth.pixels.expand(-1, 3, -1, -1)), "depth": depth})
    batch = augment(both, torch.arange(6), 64, GEOMETRY, torch.Generator().manual_seed(1))
    rgb, depth = batch["rgb"][:, :1], batch["depth"]
    inside = (rgb - depth).abs() < 1e-4
    assert inside.float().mean() > 0.95
    assert (depth[~inside] < rgb[~inside]).all()  # beyond the window: the background, not mid-grey


def test_colour_and_sensor_augmentation_do_not_change_depth(tmp_path):
    windows = build_windows([with_depth(s) for s in painted_hands(tmp_path, 4)], images=["depth"])
    everything = Augmentation(jpeg=0.5, occluders=1.0)
    plain, changed = (
        augment(windows, torch.arange(4), 48, each, torch.Generator().manual_seed(1))
        for each in (GEOMETRY, everything)
    )
    assert torch.equal(plain["depth"], changed["depth"])
    assert not torch.equal(plain["rgb"], changed["rgb"])


def test_the_error_of_missing_depth_names_the_images_of_the_sample(tmp_path):
    samples = painted_hands(tmp_path, 2)
    with pytest.raises(HandsError, match=r"sample 0 .* has no depth image; it has rgb"):
        build_windows(samples, images=["depth"])
