"""Laws of augmentation: how each geometric option alone changes every label."""

import math
from dataclasses import replace

import pytest
import torch
from painted_hands import DOT, find_dots, painted_hands

from latent_hands.data.augmentation import Augmentation
from latent_hands.data.augmentation.augment import augment, draw_warps
from latent_hands.data.crops import build_windows
from latent_hands.data.image_stacks import ImageStack
from latent_hands.errors import HandsError
from latent_hands.hand import camera, geometry

PX = 128
MIDDLE_PX = (PX - 1) / 2
NONE = Augmentation.none()
OPTIONS = {
    "rotation": replace(NONE, rotation_deg=180.0),
    "scale": replace(NONE, scale=(0.7, 1.3)),
    "shift": replace(NONE, shift=0.15),
    "flip": replace(NONE, flip=0.5),
}


@pytest.fixture(scope="module")
def windows(tmp_path_factory):
    return build_windows(painted_hands(tmp_path_factory.mktemp("hands"), 12), right_hands="condition")


def _augment(windows, augmentation, crop_px=PX):
    generator = torch.Generator().manual_seed(0)
    return augment(windows, torch.arange(len(windows)), crop_px, augmentation, generator)


def _close(a, b, tolerance=1e-4):
    return torch.allclose(a, b, atol=tolerance)


@pytest.mark.parametrize("option", OPTIONS)
def test_cpose_viewpoint_handedness_and_camera_give_the_joints_in_the_image(windows, option):
    batch, plain = _augment(windows, OPTIONS[option]), _augment(windows, NONE)
    assert not _close(batch["uv_px"], plain["uv_px"], 1.0)
    pose = geometry.compose(batch["cpose"], batch["viewpoint"], batch["right"])
    xyz_mm = batch["xyz_mm"][:, :1] + pose * batch["bone_mm"][:, None, None]
    assert _close(camera.project(xyz_mm, batch["K"])[:, 1:], batch["uv_px"][:, 1:], 1e-2)
    assert _close(find_dots((batch["rgb"] + 1) / 2), batch["uv_px"][:, DOT], 0.4)
    assert _close(batch["cpose"], plain["cpose"])
    assert torch.equal(batch["bone_mm"], plain["bone_mm"])
    assert torch.equal(batch["visible"], plain["visible"])


def test_rotation_multiplies_the_viewpoint_from_the_right(windows):
    turned, plain = _augment(windows, OPTIONS["rotation"]), _augment(windows, NONE)
    W = draw_warps(windows, len(windows), PX, OPTIONS["rotation"], torch.Generator().manual_seed(0))
    angle = torch.atan2(W[:, 1, 0], W[:, 0, 0])
    assert angle.abs().max() > math.pi / 2
    Rz = geometry.in_plane(angle)
    assert _close(turned["viewpoint"], plain["viewpoint"] @ Rz)
    assert _close(turned["pose"], plain["pose"] @ Rz)
    assert _close(turned["xyz_mm"], plain["xyz_mm"] @ Rz, 1e-2)
    assert _close(turned["uv_px"] - MIDDLE_PX, (plain["uv_px"] - MIDDLE_PX) @ Rz[:, :2, :2], 1e-2)
    assert torch.equal(turned["right"], plain["right"])


def test_scale_multiplies_the_focal_length(windows):
    large, plain = _augment(windows, replace(NONE, scale=(1.3, 1.3))), _augment(windows, NONE)
    assert _close(large["uv_px"] - MIDDLE_PX, 1.3 * (plain["uv_px"] - MIDDLE_PX), 1e-2)
    assert _close(large["K"][:, 0, 0], 1.3 * plain["K"][:, 0, 0], 1e-2)
    for key in ("pose", "cpose", "viewpoint", "xyz_mm", "right"):
        assert _close(large[key].float(), plain[key].float()), key


def test_shift_moves_the_principal_point(windows):
    moved, plain = _augment(windows, OPTIONS["shift"]), _augment(windows, NONE)
    shift_px = (moved["uv_px"] - plain["uv_px"])[:, DOT]
    assert 1 < shift_px.abs().max() <= 0.15 * PX
    assert _close(moved["uv_px"], plain["uv_px"] + shift_px[:, None], 1e-2)
    assert _close(moved["K"][:, :2, 2], plain["K"][:, :2, 2] + shift_px, 1e-2)
    for key in ("pose", "cpose", "viewpoint", "xyz_mm", "right"):
        assert _close(moved[key].float(), plain[key].float()), key


def test_a_flip_mirrors_the_hand(windows):
    flipped, plain = _augment(windows, replace(NONE, flip=1.0)), _augment(windows, NONE)
    assert torch.equal(flipped["right"], ~plain["right"])
    assert _close(flipped["cpose"], plain["cpose"])
    assert _close(flipped["viewpoint"], geometry.Mz @ plain["viewpoint"] @ geometry.Mx)
    assert _close(flipped["viewpoint"].det(), torch.ones(len(windows)))
    for key in ("pose", "xyz_mm"):
        assert _close(flipped[key], geometry.mirror(plain[key])), key
    across = torch.tensor([-1.0, 1.0])
    assert _close(flipped["uv_px"] - MIDDLE_PX, (plain["uv_px"] - MIDDLE_PX) * across, 1e-2)
    assert _close(flipped["K"][:, :2, 2] - MIDDLE_PX, (plain["K"][:, :2, 2] - MIDDLE_PX) * across, 1e-2)
    assert _close(flipped["K"][:, [0, 1], [0, 1]], plain["K"][:, [0, 1], [0, 1]], 1e-2)
    assert _close(flipped["rgb"], plain["rgb"].flip(-1), 1e-3)


def test_two_flips_change_nothing(tmp_path):
    once = windows = build_windows(
        painted_hands(tmp_path, 4), margin=1.0, window_px=64, right_hands="condition"
    )
    for _ in range(2):
        batch = _augment(once, replace(NONE, flip=1.0), crop_px=64)
        images = ((batch["rgb"] + 1) * 127.5).round().byte()
        labels = {key: batch[key] for key in ("right", "xyz_mm", "pose", "uv_px", "K")}
        once = replace(once, images={"rgb": ImageStack(images)}).with_labels(**labels)
    assert torch.equal(once.rgb, windows.rgb)
    assert torch.equal(once.right, windows.right)
    for key in ("xyz_mm", "pose", "uv_px", "K"):
        assert _close(getattr(once, key), getattr(windows, key), 1e-3), key


def test_a_flip_needs_the_handedness(tmp_path):
    unsided = [replace(sample, handedness=None) for sample in painted_hands(tmp_path, 2)]
    with pytest.raises(HandsError, match=r"flip = 0\.5, but the samples have no side"):
        _augment(build_windows(unsided, right_hands="condition"), OPTIONS["flip"])
