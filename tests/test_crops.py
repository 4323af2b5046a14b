import dataclasses

import numpy as np
import pytest
import torch
from conftest import SHARED
from painted_hands import DOT, find_dots, paint_dot, painted_hand, painted_hands
from PIL import Image

from latent_hands.data.crops import build_windows
from latent_hands.data.readers.rhd import read_rhd
from latent_hands.data.sample import Sample
from latent_hands.errors import HandsError
from latent_hands.hand import camera, geometry


@pytest.mark.parametrize("right_hands", ["mirror", "condition"])
@pytest.mark.parametrize("margin", [1.0, 1.75])
def test_labels_stay_on_the_pixels_they_name(tmp_path, right_hands, margin):
    windows = build_windows(painted_hands(tmp_path, 6), margin=margin, right_hands=right_hands)
    assert torch.allclose(find_dots(windows.rgb), windows.uv_px[:, DOT], atol=0.3)
    projected = camera.project(windows.xyz_mm, windows.K)
    assert torch.allclose(
        projected[:, 1:], windows.uv_px[:, 1:], atol=1e-2
    )  # the palm's 2D is a middle in 2D
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
        side="left",
        xyz_mm=right.xyz_mm * np.float32([-1, 1, 1]),
        uv_px=right.uv_px * np.float32([-1, 1]) + np.float32([far, 0]),
        K=np.array([[300, 0, far - right.K[0, 2]], [0, 300, right.K[1, 2]], [0, 0, 1]], np.float32),
    )
    pair = build_windows([right, left])
    assert (pair.rgb[0].int() - pair.rgb[1].int()).abs().max() <= 1
    for label in (pair.xyz_mm, pair.pose, pair.uv_px, pair.K, pair.visible.float(), pair.bone_mm):
        assert torch.allclose(label[0], label[1], atol=1e-3)


def test_both_treatments_of_the_side_share_canonical_poses(tmp_path):
    samples = painted_hands(tmp_path, 4)
    mirror, condition = (build_windows(samples, right_hands=each) for each in ("mirror", "condition"))
    assert torch.equal(
        condition.xyz_mm, geometry.to_palm(torch.stack([torch.tensor(s.xyz_mm) for s in samples]))
    )
    shared, _ = geometry.canonicalise(mirror.pose)
    assert mirror.handed is None
    assert torch.allclose(geometry.canonicalise(condition.pose, condition.handed)[0], shared, atol=1e-5)


def test_grey_lies_beyond_the_border_and_nowhere_else(tmp_path):
    Image.new("RGB", (40, 20), (255, 255, 255)).save(tmp_path / "white.png")
    window = build_windows([Sample("white", tmp_path / "white.png")], margin=1.0, window_px=80).rgb[0]
    assert (window[:, :19] == 128).all()
    assert (window[:, 21:59, 2:-2] == 255).all()
    assert (window[:, 61:] == 128).all()


def test_shrinking_averages(tmp_path):
    v, u = np.mgrid[:1000, :1000]
    Image.fromarray(((u + v) % 2 * 255).astype(np.uint8)).save(tmp_path / "board.png")
    window = build_windows([Sample("board", tmp_path / "board.png")], margin=1.0, window_px=48).rgb.float()
    assert window.std() < 3


@pytest.mark.parametrize("window_px", [50, 180, 400])
def test_resampling_keeps_places(tmp_path, window_px):
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


def test_a_scene_shares_its_window_and_its_tag(tmp_path):
    scenes = [(100.0, 90.0, 120.0), (80.0, 70.0, 90.0)]
    samples = [
        dataclasses.replace(sample, scene_box=scenes[i // 2], tag=tmp_path / f"{i // 2}.png")
        for i, sample in enumerate(painted_hands(tmp_path, 4, "l"))
    ]
    windows = build_windows(samples, "scene", images=["tag"])
    assert windows.images["tag"].index.tolist() == [0, 0, 1, 1]
    assert torch.equal(
        windows.images["tag"].pixels[0], windows.rgb[0]
    )  # 0.png is also the first sample's image
    assert torch.allclose(find_dots(windows.rgb), windows.uv_px[:, DOT], atol=0.3)
    chosen = windows.select([3, 0])
    assert chosen.names == ("3", "0")
    assert torch.equal(chosen.pose, windows.pose[[3, 0]])
    everyone = torch.arange(2)
    assert torch.equal(chosen.images["tag"].of(everyone), windows.images["tag"].of(torch.tensor([3, 0])))


def test_the_number_of_threads_changes_nothing(tmp_path):
    samples, told = painted_hands(tmp_path, 7), []
    one = build_windows(samples, workers=1)
    many = build_windows(samples, workers=4, progress=lambda done, count: told.append((done, count)))
    assert torch.equal(one.rgb, many.rgb)
    assert told == [(i, 7) for i in range(1, 8)]


def _nan(array):
    array = array.copy()
    array[3, 1] = np.nan
    return array


BROKEN = {
    "xyz_mm holds values that are not finite": lambda s: {"xyz_mm": _nan(s.xyz_mm)},
    "uv_px holds values that are not finite": lambda s: {"uv_px": _nan(s.uv_px)},
    "degenerate hand": lambda s: {"xyz_mm": np.ones_like(s.xyz_mm)},
    "has no xyz_mm, but others have": lambda s: {"xyz_mm": None},
    "has the side None": lambda s: {"side": None},
    "has the window": lambda s: {"uv_px": None, "scene_box": (0.0, 0.0, -1.0)},
    "has the window .*legal: .cx, cy, side. in pixels, below 1e.06": lambda s: {
        "uv_px": s.uv_px * np.float32(1e6)
    },
    "no image file": lambda s: {"image": s.image.with_name("gone.png")},
}


@pytest.mark.parametrize("told", BROKEN)
def test_a_broken_sample_is_named(tmp_path, told):
    samples = painted_hands(tmp_path, 3)
    if told == "has the window":
        samples = [dataclasses.replace(sample, uv_px=None) for sample in samples]
    samples[1] = dataclasses.replace(samples[1], **BROKEN[told](samples[1]))
    with pytest.raises(HandsError, match=told) as error:
        build_windows(samples)
    assert str(samples[1].image) in str(error.value)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"crop": "boxx"}, 'unknown crop "boxx"; did you mean "box"'),
        ({"right_hands": "left"}, 'unknown right_hands "left"'),
        ({"margin": 0.5}, "margin 0.5"),
        ({"images": ["tag"]}, "sample 0 .* has no tag image; it has rgb"),
        ({"images": ["tga"]}, 'unknown image "tga"; did you mean "tag"'),
    ],
)
def test_an_illegal_choice_is_told(tmp_path, options, told):
    with pytest.raises(HandsError, match=told):
        build_windows(painted_hands(tmp_path, 2), **options)


def test_without_scenes_the_window_is_the_palm_s_and_no_pose_moves_it(tmp_path):
    """Else the background would tell the pose, and the tag, which is cut alike, too."""
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
def test_a_scene_without_window_needs_3d_joints_and_a_camera(tmp_path, absent):
    samples = [dataclasses.replace(sample, **{absent: None}) for sample in painted_hands(tmp_path, 2)]
    with pytest.raises(HandsError, match=r'sample 0 .* has neither .*xyz_mm, K.*legal: crop="box"'):
        build_windows(samples, "scene")


@pytest.mark.skipif(not (SHARED / "rhd").is_dir(), reason=f"RHD is not at {SHARED}")
def test_rhd_labels_still_reproject():
    windows = build_windows(read_rhd(SHARED / "rhd", "evaluation", limit=40), margin=1.0, window_px=256)
    error_px = (camera.project(windows.xyz_mm, windows.K) - windows.uv_px).norm(dim=-1)
    seen = windows.visible.clone()
    seen[:, 0] = False
    assert (error_px / (256 / windows.crop_side_px[:, None]))[seen].max() < 0.2
    assert ((windows.crop_side_px >= 50) & (windows.crop_side_px <= 256)).all()
