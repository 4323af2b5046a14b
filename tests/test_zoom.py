"""Search in enlarged parts of images."""

import numpy as np
import pytest
from found_hands import detection
from tiny_models import PLACEMENT, noise_image, tiny_model

from latent_hands.detection import Detection
from latent_hands.detection.zoom import LARGEST, MARGIN, ZOOMS, detect_enlarged, distinct, parts
from latent_hands.errors import HandsError


class Rectangles:
    """A detector of rectangles of one grey level, of at least `least` of the longer side of an image."""

    def __init__(self, least: float = 0.08):
        self.least = least

    def detect(self, rgb: np.ndarray) -> list[Detection]:
        found = []
        for level in np.unique(rgb[rgb > 0]):
            rows, columns = np.nonzero(rgb[..., 0] == level)
            (top, left), (bottom, right) = (rows.min(), columns.min()), (rows.max() + 1, columns.max() + 1)
            box = (float(left), float(top), float(right - left), float(bottom - top))
            if max(box[2:]) >= self.least * max(rgb.shape[:2]):
                found.append(Detection(box, "left", float(level) / 255, 0.1))
        return found


def painted(size_px: tuple[int, int], boxes) -> np.ndarray:
    image = np.zeros((*size_px, 3), np.uint8)
    for level, (x, y, w, h) in enumerate(boxes, 100):
        image[y : y + h, x : x + w] = level
    return image


@pytest.mark.parametrize("size_px", [(720, 1280), (1280, 720), (640, 640), (200, 1900), (33, 40)])
@pytest.mark.parametrize("level", ZOOMS)
def test_every_small_square_lies_in_a_part(size_px, level):
    squares, (height, width) = [*parts(size_px, level)], size_px
    side = squares[0][2]
    for left, top, each in squares:
        assert each == side
        assert 0 <= left <= width - side
        assert 0 <= top <= height - side
    small = LARGEST * side
    rng = np.random.default_rng(level)
    for x, y in rng.uniform(0, 1, (200, 2)) * [width - small, height - small]:
        assert any(
            (left == 0 or x >= left + MARGIN * side)
            and (top == 0 or y >= top + MARGIN * side)
            and (left + side == width or x + small <= left + (1 - MARGIN) * side)
            and (top + side == height or y + small <= top + (1 - MARGIN) * side)
            for left, top, _ in squares
        )


@pytest.mark.parametrize(("zoom", "count"), [(1, 1), (2, 2), (4, 3)])
def test_each_level_finds_hands_of_half_the_size_once(zoom, count):
    boxes = [(700, 300, 400, 300), (590, 100, 60, 60), (300, 305, 30, 30), (100, 600, 12, 12)]
    found = detect_enlarged(Rectangles().detect, painted((720, 1280), boxes), zoom)
    assert sorted(each.box_px for each in found) == sorted(boxes[:count])
    assert [each.score for each in found] == sorted((each.score for each in found), reverse=True)


def test_hands_at_the_borders_of_the_image_are_found():
    boxes = [(0, 0, 60, 40), (1220, 680, 60, 40), (0, 660, 50, 60)]
    found = detect_enlarged(Rectangles().detect, painted((720, 1280), boxes), 2)
    assert sorted(each.box_px for each in found) == sorted(boxes)


def test_zoom_one_is_the_detector_alone():
    twice = [detection((10.0, 10.0, 30.0, 30.0), score=0.6), detection((11.0, 10.0, 30.0, 30.0), score=0.7)]
    assert detect_enlarged(lambda _: twice, noise_image(), 1) == twice
    assert distinct(twice) == twice[1:]


def test_the_model_searches_parts_if_asked():
    model, image = tiny_model(PLACEMENT, frame="ray"), painted((60, 80), [(11, 12, 8, 8)])
    model.detector = Rectangles(least=0.15)
    assert model.find(image) == []
    assert len(model.find(image, zoom=2)) == 1
    assert model.tracker().track(image) == []
    assert len(model.tracker(zoom=2).track(image)) == 1


@pytest.mark.parametrize("zoom", [0, -1, 3, 8, True])
def test_other_zooms_are_refused(zoom):
    model = tiny_model(PLACEMENT, frame="ray")
    for call in (model.find, lambda image, zoom: model.tracker(zoom=zoom)):
        with pytest.raises(HandsError, match=r"zoom is .*; it must be 1, 2 or 4"):
            call(noise_image(), zoom=zoom)


def test_a_zoom_beside_boxes_is_refused():
    with pytest.raises(HandsError, match="nothing is searched where boxes are given"):
        tiny_model(PLACEMENT, frame="ray").find(noise_image(), boxes=[(5.0, 5.0, 30.0, 30.0)], zoom=2)
