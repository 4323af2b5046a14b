"""Augmentation: images and labels move together, the generator determines a batch, and appearance changes."""

import math
from dataclasses import replace

import pytest
import torch
from painted_hands import DOT, find_dots, painted_hand, painted_hands

from latent_hands.data.augmentation import Augmentation
from latent_hands.data.augmentation.augment import augment, draw_warps
from latent_hands.data.crops import build_windows
from latent_hands.data.formats.image import read_rgb
from latent_hands.errors import HandsError
from latent_hands.hand import camera, geometry

GEOMETRY = replace(Augmentation.none(), rotation_deg=180.0, scale=(0.8, 1.25), shift=0.1)
EVERYTHING = Augmentation(jpeg=0.5, occluders=0.5)
WARPS = {"mirror": GEOMETRY, "condition": replace(GEOMETRY, flip=0.5)}


def _augment(windows, augmentation, crop_px=128, seed=0, **options):
    generator = torch.Generator().manual_seed(seed)
    return augment(windows, torch.arange(len(windows)), crop_px, augmentation, generator, **options)


@pytest.fixture(params=WARPS)
def windows(request, tmp_path):
    return build_windows(painted_hands(tmp_path, 12), right_hands=request.param)


def test_points_pixels_and_camera_move_together(windows):
    batch = _augment(windows, WARPS[windows.right_hands])
    projected = camera.project(batch["xyz_mm"], batch["K"])
    assert torch.allclose(projected[:, 1:], batch["uv_px"][:, 1:], atol=1e-2)
    assert torch.allclose(batch["K"][:, 0, 0], batch["K"][:, 1, 1])
    assert batch["K"][:, [0, 1], [1, 0]].abs().max() < 1e-3
    assert torch.allclose(geometry.normalise(batch["xyz_mm"])[0], batch["pose"], atol=1e-4)


def test_the_image_moves_with_its_labels(windows):
    batch = _augment(windows, WARPS[windows.right_hands])
    dots = find_dots((batch["rgb"] + 1) / 2)
    assert torch.allclose(dots, batch["uv_px"][:, DOT], atol=0.4)
    assert batch["uv_px"][:, DOT].std() > 3


def test_the_canonical_pose_is_invariant_and_the_viewpoint_rotates(windows):
    generator = torch.Generator().manual_seed(0)
    R = camera.warp_rotation(draw_warps(windows, len(windows), 128, WARPS[windows.right_hands], generator))
    cpose, viewpoint = geometry.canonicalise(windows.pose, windows.handed)
    batch = _augment(windows, WARPS[windows.right_hands])
    assert torch.allclose(batch["cpose"], cpose, atol=1e-4)
    flips = R.det() < 0
    expected = torch.where(flips[:, None, None], geometry.Mz @ viewpoint @ R, viewpoint @ R)
    assert torch.allclose(batch["viewpoint"], expected, atol=1e-4)
    assert torch.equal(batch["right"], windows.right ^ flips)
    handed = batch["right"] if windows.right_hands == "condition" else None
    assert torch.allclose(
        geometry.compose(batch["cpose"], batch["viewpoint"], handed), batch["pose"], atol=1e-4
    )


def test_the_ray_frame_rotates_pose_and_viewpoint_only(windows):
    plain, turned = (
        _augment(windows, WARPS[windows.right_hands], frame=frame) for frame in ("camera", "ray")
    )
    R = geometry.ray_rotation(plain["K"], torch.full((len(windows), 2), 127 / 2))
    assert torch.allclose(turned["pose"], plain["pose"] @ R, atol=1e-4)
    assert torch.allclose(turned["viewpoint"], plain["viewpoint"] @ R, atol=1e-4)
    for key in plain.keys() - {"pose", "viewpoint", "place"}:
        assert torch.allclose(turned[key].float(), plain[key].float(), atol=1e-4), key


@pytest.mark.parametrize(
    ("margin", "window_px", "grey_levels"), [(1.0, 128, 1), (1.75, 224, 1), (1.75, 192, 10)]
)
def test_no_augmentation_gives_the_ground_truth_crop(tmp_path, margin, window_px, grey_levels):
    samples = [painted_hand(tmp_path, f"{seed}", seed=seed, size_mm=12.0) for seed in range(4)]
    batch = _augment(build_windows(samples, margin=margin, window_px=window_px), Augmentation.none())
    for sample, crop, uv_px in zip(samples, batch["rgb"], batch["uv_px"], strict=True):
        image = torch.from_numpy(read_rgb(sample.image)).permute(2, 0, 1)[None] / 127.5 - 1
        source_px = geometry.to_palm(torch.from_numpy(sample.uv_px))[None]
        visible = geometry.to_palm_visible(torch.from_numpy(sample.visible))[None]
        W = camera.warp_matrix(*camera.crop_box(source_px, visible, tuple(image.shape[2:])), 128)
        assert torch.allclose(camera.warp_points(source_px, W)[0], uv_px, atol=1e-2)
        assert (camera.warp_images(image, W, 128)[0] - crop).abs().max() * 127.5 < grey_levels + 0.1


def test_the_tag_is_warped_and_coloured_as_the_image(tmp_path):
    samples = painted_hands(tmp_path, 3)
    samples = [replace(s, tag=s.image, scene_box=(110.0, 90.0, 100.0)) for s in samples]
    windows = build_windows(samples, "scene", images=["tag"])
    batch = _augment(windows, Augmentation(blur_px=0.0, noise=0.0, downsample=1.0))
    assert torch.equal(batch["tag"], batch["rgb"])


def test_a_share_of_images_and_their_tags_becomes_grey(tmp_path):
    samples = [replace(s, tag=s.image, scene_box=(110.0, 90.0, 100.0)) for s in painted_hands(tmp_path, 40)]
    windows = build_windows(samples, "scene", images=["tag"])
    less_red = torch.tensor([3, 1, 1], dtype=torch.uint8)[:, None, None]
    stacks = {key: replace(stack, pixels=stack.pixels // less_red) for key, stack in windows.images.items()}
    windows = replace(windows, images=stacks)
    batch = _augment(windows, replace(Augmentation.none(), grey=0.5))
    assert torch.equal(batch["tag"], batch["rgb"])
    colour = (batch["rgb"].amax(dim=1) - batch["rgb"].amin(dim=1)).amax(dim=(1, 2))
    grey = colour < 0.01
    assert 8 < grey.sum() < 32
    assert colour[~grey].min() > 0.1


def test_the_generator_determines_the_batch(windows):
    once, again, other = (_augment(windows, EVERYTHING, seed=seed) for seed in (0, 0, 1))
    assert all(torch.equal(once[key], again[key]) for key in once)
    assert not torch.equal(once["rgb"], other["rgb"])
    assert not torch.equal(once["pose"], other["pose"])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_images_have_the_type_range_and_memory_format_of_networks(windows, dtype):
    rgb = _augment(windows, EVERYTHING, crop_px=61, keys=("rgb",), pixel_dtype=dtype)["rgb"]
    assert rgb.dtype == dtype
    assert rgb.is_contiguous(memory_format=torch.channels_last)
    assert rgb.abs().max() <= 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"keys": ["rbg"]}, 'unknown batch key "rbg"; did you mean "rgb"'),
        ({"keys": ["rgb", "tag"]}, 'have no "tag"; they have rgb, .*pose, .*cpose'),
        ({"frame": "rays"}, 'unknown frame "rays"'),
        (
            {"augmentation": Augmentation(flip=0.5), "keys": ["rgb", "pose"]},
            'flip = 0.5, but right_hands="mirror" leaves only left hands',
        ),
    ],
)
def test_illegal_keys_frames_and_flips_are_errors(tmp_path, change, message):
    windows = build_windows(painted_hands(tmp_path, 2))
    with pytest.raises(HandsError, match=message):
        _augment(windows, **({"augmentation": Augmentation()} | change))


def test_the_ray_frame_needs_a_camera(tmp_path):
    windows = build_windows([replace(sample, K=None) for sample in painted_hands(tmp_path, 2)])
    with pytest.raises(HandsError, match="needs the camera K"):
        _augment(windows, Augmentation(), frame="ray")
    assert "K" not in _augment(windows, Augmentation())


@pytest.mark.parametrize(
    "wrong",
    [
        {"shift": 0.6},
        {"noise": math.nan},
        {"scale": (1.2, 1.0)},
        {"downsample": 0.0},
        {"jpeg_quality": (0.0, 50.0)},
        {"occluders": 1.5},
        {"occluder_number": (0, 3)},
        {"occluder_size": (0.2, math.nan)},
    ],
)
def test_settings_out_of_range_are_errors(wrong):
    with pytest.raises(HandsError, match=f"augmentation {next(iter(wrong))}"):
        Augmentation(**wrong)
