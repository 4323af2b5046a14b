"""Drawings of whole images with several hands, and videos of them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import ImageColor
from test_draw import GREY, open_hand

from latent_hands import draw
from latent_hands.data.formats.video import read_video


def mark(u: float, v: float, scale: float = 20.0, side: str = "left") -> draw.Mark:
    uv_px = open_hand(scale)[:, :2] + [u, v]
    low, high = uv_px.min(axis=0), uv_px.max(axis=0)
    return draw.Mark(uv_px, (*low, *(high - low)), draw.SIDES[side], f"{side} 0.98", open_hand())


def test_every_hand_is_drawn_where_it_is():
    image = np.full((640, 1000, 3), 128, np.uint8)
    marks = [mark(250, 300), mark(700, 420, side="right")]
    drawn = draw.whole_image(image, marks)
    assert drawn.shape == image.shape
    for each in marks:
        x, y, width, height = map(round, each.box)
        border = drawn[y + height, x + width // 3 : x + 2 * width // 3]
        assert np.allclose(border, ImageColor.getrgb(each.colour), atol=3)
        assert np.abs(drawn[y : y + height, x : x + width].astype(int) - 128).max() > 60
    assert (drawn[:100] == 128).all()
    assert (drawn[-100:] == 128).all()


def test_without_hands_the_image_is_only_resized():
    assert (draw.whole_image(GREY, []) == 128).all()
    assert draw.with_panels(GREY, []) is GREY


@pytest.mark.parametrize(
    ("shape", "drawn"),
    [((1, 1), (640, 640)), ((48, 64), (480, 640)), ((2000, 3000), (853, 1280)), ((2, 4000), (1, 1280))],
)
def test_images_of_any_size_are_drawn_at_a_sensible_size(shape, drawn):
    image = draw.whole_image(np.zeros((*shape, 3), np.uint8), [mark(0, 0)])
    assert image.shape == (*drawn, 3)


def test_hands_outside_the_image_are_cut_off():
    for u, v in ((-500, 100), (100, 900), (-20, -20)):
        assert draw.whole_image(GREY, [mark(u, v)]).shape == (640, 640, 3)


def test_panels_stand_beside_the_image():
    marks = [mark(100, 150), mark(200, 200, side="right")]
    drawn = draw.whole_image(GREY, marks)
    sheet = draw.with_panels(drawn, marks)
    assert (sheet[: len(drawn), : drawn.shape[1]] == drawn).all()
    assert sheet.shape[1] > drawn.shape[1] + 2 * 160


def test_a_video_keeps_its_frames_and_times(tmp_path: Path):
    pytest.importorskip("av", reason="PyAV is not installed: pip install 'latent-hands[video]'")
    seconds = [0.0, 0.04, 0.3, 0.3, None]
    path = tmp_path / "new" / "a.mp4"
    with draw.VideoWriter(path) as video:
        for number, time in enumerate(seconds):
            video.add(np.full((31, 64, 3), 50 * number, np.uint8), time)
    frames = list(read_video(path))
    assert [frame.rgb.shape for frame in frames] == [(32, 64, 3)] * 5
    assert [frame.seconds for frame in frames[:4]] == pytest.approx([0, 0.04, 0.3, 0.301], abs=0.002)
    assert [frame.rgb[:20].mean() for frame in frames] == pytest.approx([0, 50, 100, 150, 200], abs=4)
    assert [file.name for file in path.parent.iterdir()] == ["a.mp4"]


def test_frames_of_other_sizes_are_fitted_in(tmp_path: Path):
    pytest.importorskip("av", reason="PyAV is not installed: pip install 'latent-hands[video]'")
    with draw.VideoWriter(tmp_path / "a.mp4") as video:
        for shape in ((32, 64), (64, 64), (8, 8)):
            video.add(np.full((*shape, 3), 200, np.uint8), None)
    frames = [frame.rgb for frame in read_video(tmp_path / "a.mp4")]
    assert [frame.shape for frame in frames] == [(32, 64, 3)] * 3
    assert frames[1][:, :24].mean() > 150
    assert frames[1][:, 44:].mean() < 20


def test_a_video_that_is_interrupted_keeps_its_frames(tmp_path: Path):
    pytest.importorskip("av", reason="PyAV is not installed: pip install 'latent-hands[video]'")

    def interrupted() -> None:
        with draw.VideoWriter(tmp_path / "a.mp4") as video:
            video.add(np.zeros((32, 64, 3), np.uint8), None)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert len(list(read_video(tmp_path / "a.mp4"))) == 1
    with draw.VideoWriter(tmp_path / "none.mp4"):
        pass
    assert [file.name for file in tmp_path.iterdir()] == ["a.mp4"]
