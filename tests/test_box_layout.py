"""Boxes of files that do not say what their four numbers are: the images decide."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from latent_hands.data.formats.box_layout import check_pixels, check_shares
from latent_hands.data.formats.boxes import read_boxes
from latent_hands.errors import HandsError

WIDTH, HEIGHT = 640, 480
SHARES = np.array(
    [[0.05, 0.1, 0.3, 0.4], [0.4, 0.2, 0.35, 0.3], [0.55, 0.5, 0.4, 0.45], [0.3, 0.6, 0.2, 0.3]]
)
"""Upper left corners and sizes of four hands."""
LOW, SIZE = SHARES[:, :2], SHARES[:, 2:]
CENTRES, CORNERS = np.hstack([LOW + SIZE / 2, SIZE]), np.hstack([LOW, LOW + SIZE])
PIXELS = np.array([WIDTH, HEIGHT, WIDTH, HEIGHT])


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    files = [tmp_path / f"{number}.png" for number in range(len(SHARES))]
    for file in files:
        Image.new("RGB", (WIDTH, HEIGHT)).save(file)
    return files


def write(folder: Path, ending: str, boxes) -> Path:
    """Write a box for each image, as a CSV or JSON file, or in YOLO's layout."""
    named = [(f"{number}.png", list(box)) for number, box in enumerate(np.array(boxes).tolist())]
    if ending == "txt":
        for name, box in named:
            (folder / name).with_suffix(".txt").write_text(" ".join(map(str, [0, *box])))
        return folder
    if ending == "csv":
        lines = ["file,x,y,width,height", *(",".join(map(str, [name, *box])) for name, box in named)]
        text = "\n".join(lines)
    else:
        text = json.dumps([{"file": name, "boxes": [box]} for name, box in named])
    (folder / f"boxes.{ending}").write_text(text)
    return folder / f"boxes.{ending}"


@pytest.mark.parametrize(
    ("ending", "boxes"),
    [
        ("csv", SHARES * PIXELS),
        ("json", SHARES * PIXELS),
        ("txt", CENTRES),
        ("txt", np.column_stack([CENTRES, [0.9, 0.8, 0.95, 0.3]])),
    ],
)
def test_the_expected_layout_is_read(ending, boxes, photos, tmp_path):
    read = read_boxes(write(tmp_path, ending, boxes), photos)
    assert len(read) == len(SHARES)
    for number, box in enumerate(SHARES * PIXELS):
        (hands,) = (read[name] for name in (f"{number}.png", str(number)) if name in read)
        assert hands[0].box == pytest.approx(box)


@pytest.mark.parametrize("ending", ["csv", "json"])
@pytest.mark.parametrize(
    ("boxes", "message"),
    [
        (CORNERS * PIXELS, "they seem to be corners x1,y1,x2,y2"),
        (SHARES * 100, "they seem to be percentages; .* multiply x and width by the image's width / 100"),
        (CORNERS * 100, "they seem to be percentages"),
        (SHARES, "are shares of the image"),
    ],
)
@pytest.mark.parametrize("count", [2, 4])
def test_other_layouts_in_pixels_are_refused(ending, boxes, message, count, photos, tmp_path):
    with pytest.raises(HandsError, match=message):
        read_boxes(write(tmp_path, ending, boxes[-count:]), photos)


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        (CORNERS, "they seem to be corners x1,y1,x2,y2; a box must be"),
        (SHARES, "they seem to be (corners|upper left corners and sizes)"),
        (np.column_stack([[0.9, 0.8, 0.95, 0.3], CENTRES]), "move the scores to the end, or remove them"),
        (np.column_stack([[0.9, 0.8, 0.95, 0.3], CORNERS]), "upper left corners|move the scores"),
        (np.column_stack([CORNERS, [0.9, 0.8, 0.95, 0.3]]), "seem to be corners|move the scores"),
        ([[0.5, 0.5, 0.4, 0.3, 0.3]], "0 of 1 boxes fit their images only if the number after the class"),
        (SHARES * 100, "no shares of the image"),
    ],
)
def test_other_layouts_in_shares_are_refused(numbers, message, photos, tmp_path):
    with pytest.raises(HandsError, match=message):
        read_boxes(write(tmp_path, "txt", numbers), photos)


def test_boxes_of_larger_images_are_announced(caplog):
    boxes = [(55.0 + i, 20.0, 90.0, 80.0) for i in range(4)]
    check_pixels([(box, (160, 120)) for box in boxes], "a.csv")
    assert not caplog.text
    check_pixels([(tuple(2 * number for number in box), (160, 120)) for box in boxes], "a.csv")
    assert (
        "a.csv: 4 of 4 boxes reach far out of their images; they may be of images of another" in caplog.text
    )


def test_few_small_numbers_are_announced(caplog):
    check_pixels([((10.0, 20.0, 30.0, 40.0), (640, 480))], "a")
    assert "They are read as pixels; if they are percentages" in caplog.text
    caplog.clear()
    check_pixels([((10.0, 20.0, 30.0, 40.0), (160, 160))], "a")
    check_pixels([((300.0, 400.0, 200.0, 500.0), (4000, 3000))], "a")
    assert not caplog.text
    check_pixels([((300.0, 400.0, 200.0 + i, 500.0), (4000, 3000)) for i in range(3)], "a")
    assert "if they are thousandths" in caplog.text


def test_boxes_at_the_border_are_no_corners():
    """Joints lie outside of their images now and then, and rounding moves a box out of its image."""
    reaching = ((500.0, 300.0, 200.0, 230.0), (WIDTH, HEIGHT))
    inside = ((100.0, 200.0, 90.0, 80.0), (WIDTH, HEIGHT))
    check_pixels([reaching, *[inside] * 5], "a")
    check_shares(np.array([[0.2, 0.5, 0.41, 0.9], [0.8, 0.3, 0.41, 0.2]]), "a", "centres")


@pytest.mark.parametrize("side_px", [128, 160, 199, 300])
def test_boxes_of_hands_in_the_middle_of_small_images_are_no_percentages(side_px, caplog):
    widths = np.random.default_rng(0).uniform(20, min(100, 0.9 * side_px), 30).tolist()
    boxes = [((side_px - width) / 2, (side_px - width) / 2, width, width) for width in widths]
    check_pixels([(box, (side_px, side_px)) for box in boxes], "a")
    assert not caplog.text


@pytest.mark.parametrize("side_px", [150, 199])
def test_percentages_in_small_images_are_announced(side_px, caplog):
    """Hands around the middle of percentages are not around that of the images."""
    boxes = [(20.0, 25.0, 60.0, 55.0), (24.0, 18.0, 50.0, 60.0), (15.0, 22.0, 66.0, 58.0)]
    check_pixels([(box, (side_px, side_px)) for box in boxes], "a")
    assert "if they are percentages" in caplog.text
    caplog.clear()
    right = [tuple(side_px / 100 * number for number in box) for box in boxes]
    check_pixels([(box, (side_px, side_px)) for box in right], "a")
    assert not caplog.text
