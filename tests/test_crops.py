"""Cut windows: labels follow the pixels, for both treatments of right hands, and errors name the sample."""

import dataclasses

import numpy as np
import pytest
import torch
from conftest import SHARED
from painted_hands import DOT, find_dots, paint_dot, painted_hand, painted_hands
from PIL import Image

from latent_hands.data.crops import build_windows
from latent_hands.data.image_files import cut_square
from latent_hands.data.readers.rhd import read_rhd
from latent_hands.data.sample import Sample
from latent_hands.errors import HandsError
from latent_hands.hand import camera, geometry


@pytest.mark.parametrize("right_hands", ["mirror", "condition"])
@pytest.mark.parametrize("margin", [1.0, 1.75])
def test_labels_move_with_the_pixels(tmp_path, right_hands, margin):
    windows = build_windows(painted_hands(tmp_path, 6), margin=margin, right_hands=right_hands)
    assert torch.allclose(find_dots(windows.rgb), windows.uv_px[:, DOT], atol=0.3)
    projected = camera.project(windows.xyz_mm, windows.K)
    # The palm is the middle of two joints in the image as in space, so its projection may differ.
    assert torch.allclose(projected[:, 1:], windows.uv_px[:, 1:], atol=1e-2)
    assert torch.allclose(windows.uv_px[:, DOT], torch.tensor(191 / 2), atol=1e-3)
    assert windows.right.tolist() == [False, True] * 3


def test_a_mirrored_right_hand_is_the_left_hand_of_the_mirrored_image(tmp_path):
    right = painted_hand(tmp_path, "right", "right", dot=3)
    image = np.asarray(Image.open(right.image))
    Image.fromarray(image[:, ::-1]).save(tmp_path / "left.png")
    far = image.shape[1] - 1
    left = dataclasses.replace(
        right,
        image=tmp_path / "left.png",
        handedness="left",
        xyz_mm=right.xyz_mm * np.float32([-1, 1, 1]),
        uv_px=right.uv_px * np.float32([-1, 1]) + np.float32([far, 0]),
        K=np.array([[300, 0, far - right.K[0, 2]], [0, 300, right.K[1, 2]], [0, 0, 1]], np.float32),
    )
    pair = build_windows([right, left])
    assert (pair.rgb[0].int() - pair.rgb[1].int()).abs().max() <= 1
    for label in (pair.xyz_mm, pair.pose, pair.uv_px, pair.K, pair.visible.float(), pair.bone_mm):
        assert torch.allclose(label[0], label[1], atol=1e-3)


def test_mirrored_and_conditioned_right_hands_have_the_same_canonical_pose(tmp_path):
    samples = painted_hands(tmp_path, 4)
    mirror, condition = (build_windows(samples, right_hands=each) for each in ("mirror", "condition"))
    assert torch.equal(
        condition.xyz_mm, geometry.to_palm(torch.stack([torch.tensor(s.xyz_mm) for s in samples]))
    )
    shared, _ = geometry.canonicalise(mirror.pose)
    assert mirror.handed is None
    assert torch.allclose(geometry.canonicalise(condition.pose, condition.handed)[0], shared, atol=1e-5)


def test_pixels_are_grey_outside_the_image_and_only_there(tmp_path):
    Image.new("RGB", (40, 20), (255, 255, 255)).save(tmp_path / "white.png")
    window = build_windows([Sample("white", tmp_path / "white.png")], margin=1.0, window_px=80).rgb[0]
    assert (window[:, :19] == 128).all()
    assert (window[:, 21:59, 2:-2] == 255).all()
    assert (window[:, 61:] == 128).all()


def test_shrinking_averages_pixels(tmp_path):
    v, u = np.mgrid[:1000, :1000]
    Image.fromarray(((u + v) % 2 * 255).astype(np.uint8)).save(tmp_path / "board.png")
    window = build_windows([Sample("board", tmp_path / "board.png")], margin=1.0, window_px=48).rgb.float()
    assert window.std() < 3


@pytest.mark.parametrize("window_px", [50, 180, 400])
def test_resampling_keeps_positions(tmp_path, window_px):
    paint_dot(tmp_path / "dot.png", (131.0, 66.0))
    sample = Sample("dot", tmp_path / "dot.png", scene_box=(120.0, 80.0, 150.0))
    window = build_windows([sample], "scene", margin=1.2, window_px=window_px)
    W = camera.warp_matrix(torch.tensor([[120.0, 80.0]]), 180.0, window_px)
    expected = camera.warp_points(torch.tensor([[[131.0, 66.0]]]), W)[:, 0]
    assert torch.allclose(find_dots(window.rgb), expected, atol=0.15)
    assert window.crop_side_px.tolist() == [150.0]


def test_without_labels_the_window_is_the_whole_image(tmp_path):
    paint_dot(tmp_path / "dot.png", (60.0, 50.0), size_px=(100, 200))
    windows = build_windows([Sample("dot", tmp_path / "dot.png")], margin=1.0, window_px=200)
    assert torch.allclose(find_dots(windows.rgb), torch.tensor([[60.0, 100.0]]), atol=0.2)
    labels = ("xyz_mm", "pose", "bone_mm", "uv_px", "visible", "K", "right")
    assert all(getattr(windows, label) is None for label in labels)


def test_samples_of_a_scene_share_its_box_and_its_tag(tmp_path):
    scenes = [(100.0, 90.0, 120.0), (80.0, 70.0, 90.0)]
    samples = [
        dataclasses.replace(sample, scene_box=scenes[i // 2], tag=tmp_path / f"{i // 2}.png")
        for i, sample in enumerate(painted_hands(tmp_path, 4, "l"))
    ]
    windows = build_windows(samples, "scene", images=["tag"])
    assert windows.images["tag"].index.tolist() == [0, 0, 1, 1]
    # 0.png is the tag of the first scene and the image of the first sample.
    assert torch.equal(windows.images["tag"].pixels[0], windows.rgb[0])
    assert torch.allclose(find_dots(windows.rgb), windows.uv_px[:, DOT], atol=0.3)
    chosen = windows.select([3, 0])
    assert chosen.names == ("3", "0")
    assert torch.equal(chosen.pose, windows.pose[[3, 0]])
    everyone = torch.arange(2)
    assert torch.equal(chosen.images["tag"].of(everyone), windows.images["tag"].of(torch.tensor([3, 0])))


def test_the_number_of_threads_changes_nothing(tmp_path):
    samples, reports = painted_hands(tmp_path, 7), []
    one = build_windows(samples, workers=1)
    many = build_windows(samples, workers=4, progress=lambda *at: reports.append(at[:3]))
    assert torch.equal(one.rgb, many.rgb)
    assert reports == [("reading", i, 7) for i in range(1, 8)]


def _nan(array):
    array = array.copy()
    array[3, 1] = np.nan
    return array


BROKEN = {
    "xyz_mm has values that are not finite": lambda s: {"xyz_mm": _nan(s.xyz_mm)},
    "uv_px has values that are not finite": lambda s: {"uv_px": _nan(s.uv_px)},
    "degenerate hand": lambda s: {"xyz_mm": np.ones_like(s.xyz_mm)},
    "has the handedness None": lambda s: {"handedness": None},
    "has the crop": lambda s: {"uv_px": None, "scene_box": (0.0, 0.0, -1.0)},
    "has the crop .*must be pixels below 1e.06": lambda s: {"uv_px": s.uv_px * np.float32(1e6)},
    "no image file": lambda s: {"image": s.image.with_name("gone.png")},
}


@pytest.mark.parametrize("message", BROKEN)
def test_a_broken_sample_is_named(tmp_path, message):
    samples = painted_hands(tmp_path, 3)
    if message == "has the crop":
        samples = [dataclasses.replace(sample, uv_px=None) for sample in samples]
    samples[1] = dataclasses.replace(samples[1], **BROKEN[message](samples[1]))
    with pytest.raises(HandsError, match=message) as error:
        build_windows(samples)
    assert str(samples[1].image) in str(error.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"crop": "boxx"}, 'unknown crop "boxx"; did you mean "box"'),
        ({"right_hands": "left"}, 'unknown right_hands "left"'),
        ({"margin": 0.5}, "margin 0.5"),
        ({"images": ["tag"]}, "sample 0 .* has no tag image; it has rgb"),
        ({"images": ["tga"]}, 'unknown image "tga"; did you mean "tag"'),
    ],
)
def test_illegal_options_are_named(tmp_path, options, message):
    with pytest.raises(HandsError, match=message):
        build_windows(painted_hands(tmp_path, 2), **options)


def test_without_scenes_the_crop_is_around_the_palm_and_independent_of_the_pose(tmp_path):
    """Otherwise the background, and the tag, which is cut equally, would contain information on the pose."""
    sample = painted_hand(tmp_path, "hand", "right")
    sample = dataclasses.replace(sample, tag=sample.image, root="palm")
    bent = sample.xyz_mm.copy()
    bent[1:9] += 15
    samples = [sample, dataclasses.replace(sample, xyz_mm=bent, uv_px=camera_px(bent, sample.K))]
    one, other = build_windows(samples, "scene", images=["tag"]).images["rgb"].pixels
    assert torch.equal(one, other)
    windows = build_windows(samples, "scene", margin=1.0, images=["tag"])
    assert torch.equal(windows.images["tag"].of(torch.arange(2)), windows.rgb)
    assert torch.allclose(windows.uv_px[:, 0], torch.tensor(191 / 2), atol=1e-3)
    boxes = build_windows(samples, "box").rgb
    assert not torch.equal(boxes[0], boxes[1])


def camera_px(xyz_mm, K):
    return camera.project(torch.from_numpy(xyz_mm), torch.from_numpy(K)).numpy()


@pytest.mark.parametrize("absent", ["xyz_mm", "K"])
def test_a_scene_crop_without_scene_box_needs_3d_joints_and_a_camera(tmp_path, absent):
    samples = [dataclasses.replace(sample, **{absent: None}) for sample in painted_hands(tmp_path, 2)]
    with pytest.raises(HandsError, match=r'sample 0 .* has neither .*xyz_mm, K.*use crop="box"'):
        build_windows(samples, "scene")


@pytest.mark.skipif(not (SHARED / "rhd").is_dir(), reason=f"RHD is not at {SHARED}")
def test_labels_of_rhd_reproject():
    windows = build_windows(read_rhd(SHARED / "rhd", "evaluation", limit=40), margin=1.0, window_px=256)
    error_px = (camera.project(windows.xyz_mm, windows.K) - windows.uv_px).norm(dim=-1)
    counted = windows.visible.clone()
    counted[:, 0] = False
    assert (error_px / (256 / windows.crop_side_px[:, None]))[counted].max() < 0.2
    assert ((windows.crop_side_px >= 50) & (windows.crop_side_px <= 256)).all()


@pytest.mark.parametrize("side_px", [30.0, 100.0, 290.0])
def test_only_the_part_of_an_image_that_is_read_matters(side_px):
    image = np.random.default_rng(0).integers(0, 256, (700, 901, 3), dtype=np.uint8)
    blank = np.zeros_like(image)
    blank[140:560, 240:660] = image[140:560, 240:660]
    inside, around = (cut_square(each, (450.3, 350.8), side_px, 16, flip=False) for each in (blank, image))
    assert torch.equal(inside, around)


@pytest.mark.parametrize("centre", [(-900.0, 50.0), (450.0, 5000.0), (-20.0, -20.0)])
def test_a_square_beside_the_image_is_grey(centre):
    image = np.zeros((700, 901, 3), np.uint8)
    assert (cut_square(image, centre, 30.0, 16, flip=False) == 128).all()
