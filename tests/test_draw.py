"""Drawings have the right pixels, colours, positions and scale."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageColor

from latent_hands import draw
from latent_hands.draw.figures import curves
from latent_hands.draw.sheets import ENDINGS
from latent_hands.draw.skeletons import rotated_to
from latent_hands.errors import HandsError
from latent_hands.hand.skeleton import FINGERS, JOINTS

RNG = np.random.default_rng(0)
GREY = np.full((320, 320, 3), 128, np.uint8)


def open_hand(scale: float = 1.0) -> np.ndarray:
    """Five straight fingers spread in the image's plane, palm at the origin."""
    points = np.zeros((21, 3))
    for angle, joints in zip(np.linspace(-1.2, 1.2, 5), FINGERS.values(), strict=True):
        for step, joint in enumerate(joints, 1):
            points[joint, :2] = np.array([np.sin(angle), -np.cos(angle)]) * step * scale
    return points


def mean_colour(image: np.ndarray, u: float, v: float) -> np.ndarray:
    u, v = round(u), round(v)
    return image[v - 1 : v + 2, u - 1 : u + 2].reshape(-1, 3).mean(axis=0)


def test_every_joint_but_the_root_has_one_colour():
    assert list(draw.PALETTE) == list(FINGERS)
    assert sorted(joint for finger in FINGERS.values() for joint in finger) == list(range(1, 21))
    assert all(JOINTS[joint].startswith(name) for name, finger in FINGERS.items() for joint in finger)


def test_overlay_colours_each_bone_with_its_finger():
    uv_px = open_hand(30.0)[:, :2] + [160, 170]
    image = draw.overlay(GREY, uv_px)
    assert image.shape == GREY.shape
    for finger, joints in FINGERS.items():
        u, v = (uv_px[joints[1]] + uv_px[joints[2]]) / 2
        assert np.allclose(mean_colour(image, u, v), ImageColor.getrgb(draw.PALETTE[finger]), atol=25)
    assert (image[-20:] == 128).all()


def test_overlay_enlarges_small_images_and_moves_the_hand_along():
    uv_px = open_hand(7.5)[:, :2] + [39.5, 44.5]
    small = draw.overlay(GREY[:80, :80], uv_px, draw.TRUTH)
    assert small.shape == (320, 320, 3)
    u, v = (uv_px[12] + 0.5) * 4 - 0.5
    assert np.abs(mean_colour(small, u, v) - 128).max() > 30


def test_overlay_reduces_huge_images():
    assert draw.overlay(np.zeros((2000, 3000, 3), np.uint8), np.full((21, 2), 500.0)).shape == (853, 1280, 3)


def test_the_side_view_is_a_rotation_that_keeps_down():
    points = RNG.normal(size=(21, 3))
    side = rotated_to(points, "side")
    assert np.allclose(np.linalg.norm(side, axis=1), np.linalg.norm(points, axis=1))
    assert np.allclose(side[:, 1], points[:, 1])
    assert np.linalg.det(np.linalg.lstsq(points, side, rcond=None)[0]) == pytest.approx(1)


def test_skeletons_do_not_depend_on_the_unit_or_the_position():
    pose = RNG.normal(size=(21, 3))
    assert (draw.skeleton(pose) == draw.skeleton(pose * 36.0 + 5)).all()


def test_truth_and_prediction_keep_their_colours():
    pose = open_hand()
    both = draw.skeleton({draw.TRUTH: pose, draw.PREDICTION: pose * [-1, -1, 1]})
    red, blue = both[..., 0].astype(int), both[..., 2].astype(int)
    assert (red - blue > 40)[:96].sum() > 5 * (red - blue > 40)[96:].sum()
    assert (blue - red > 40)[96:].sum() > 5 * (blue - red > 40)[:96].sum()


def test_grid_places_cells_and_leaves_none_empty():
    red = np.zeros((8, 8, 3), np.uint8) + np.array([200, 0, 0], np.uint8)
    sheet = draw.grid([[red, None], [None, red]], cell_px=20, lead=(1, 1))
    found = np.argwhere((sheet[..., 0] > 150) & (sheet[..., 1] < 90))
    assert len(found) == 2 * 20 * 20
    assert tuple(found[0]) == (6, 6)
    assert tuple(found[-1]) == (6 + 20 + 20 + 19,) * 2


def test_headings_make_room():
    cell = np.zeros((8, 8, 3), np.uint8)
    plain, headed = draw.grid([[cell]]), draw.grid([[cell]], ["content"], ["pose from image"])
    assert headed.shape[0] > plain.shape[0]
    assert headed.shape[1] > plain.shape[1]
    assert (headed == draw.grid([[cell]], ["content"], ["pose from image"])).all()
    two_lines = draw.grid([[cell]], ["placed by\nthe box"])
    assert two_lines.shape[0] - headed.shape[0] == headed.shape[0] - plain.shape[0]


def test_a_gif_runs_forwards_and_backwards(tmp_path: Path):
    frames = [np.full((16, 16, 3), value, np.uint8) for value in (0, 80, 160, 240)]
    with Image.open(draw.save_gif(frames, tmp_path / "walk.gif")) as gif:
        assert gif.n_frames == 6
        levels = []
        for index in range(6):
            gif.seek(index)
            levels.append(gif.convert("RGB").getpixel((8, 8))[0])
    assert np.allclose(levels, [0, 80, 160, 240, 160, 80], atol=2)


def test_files_are_written_whole(tmp_path: Path):
    draw.save_image(GREY, tmp_path / "new" / "a.png")
    assert np.array_equal(np.array(Image.open(tmp_path / "new" / "a.png")), GREY)
    curves(tmp_path / "new" / "b.png", {"EPE": {"train": ([1, 2], [30.0, 20.0])}}, "epoch", "mm")
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["a.png", "b.png"]


def test_images_are_written_in_the_formats_that_pillow_has_for_their_endings(tmp_path: Path):
    written = {"PNG", "JPEG", "WEBP", "TIFF", "BMP"}
    assert {e for e, form in Image.registered_extensions().items() if form in written} == {*ENDINGS}
    for ending in ENDINGS:
        with Image.open(draw.save_image(GREY, tmp_path / f"a{ending.upper()}")) as image:
            assert image.format == Image.registered_extensions()[ending]


@pytest.mark.parametrize("name", ["grid", "grid.tree", "grid.psd", "grid.mpg"])
def test_the_ending_of_an_image_must_be_an_image_format(name, tmp_path):
    with pytest.raises(HandsError, match=f"{name} does not end like an image file; use .png"):
        draw.save_image(GREY, tmp_path / name)
    assert not list(tmp_path.iterdir())
