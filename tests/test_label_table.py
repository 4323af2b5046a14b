"""Tables of 2D joints: what is read, what is unknown, and which lines are refused."""

from pathlib import Path

import numpy as np
import pytest

from latent_hands.cli import main
from latent_hands.data import open_data
from latent_hands.errors import HandsError
from latent_hands.hand.skeleton import JOINTS

HEADER = (
    "file,handedness,group,wrist_u_px,wrist_v_px,index_tip_u_px,index_tip_v_px,thumb_tip_u_px,thumb_tip_v_px"
)
LINE = "ann/1.png,Left,ann,10,20,30,40,50,60"


def table(folder: Path, *lines: str, header: str = HEADER) -> Path:
    from PIL import Image

    for name in ("ann", "bob"):
        (folder / name).mkdir(exist_ok=True)
        Image.new("RGB", (80, 70)).save(folder / name / "1.png")
    (folder / "training.csv").write_text("\n".join([header, *lines]), "utf-8-sig")
    return folder


def test_joints_side_and_group_are_those_of_the_line(tmp_path):
    hands = open_data("table", table(tmp_path, LINE, "bob/1.png,,bob,10,20,30,40.5,,"), "training", 1)
    (sample,) = hands
    assert (sample.handedness, sample.block, sample.image) == ("left", "ann", tmp_path / "ann/1.png")
    assert sample.xyz_mm is sample.K is None
    known = {JOINTS[i] for i in np.flatnonzero(sample.labelled_or_all)}
    assert known == {"wrist", "index_tip", "thumb_tip"}
    assert sample.uv_px[JOINTS.index("index_tip")].tolist() == [30, 40]


def test_hands_of_one_image_and_equal_names_of_files_have_names_of_their_own(tmp_path):
    root = table(tmp_path, LINE, LINE.replace("Left", "right"), LINE.replace("ann/", "bob/"))
    names = [sample.name for sample in open_data("table", root, "training")]
    assert names == ["ann-1-left", "ann-1-right", "bob-1"]


def test_lines_without_joints_are_no_hands_and_other_separators_are_read(tmp_path):
    empty = "ann/1.png,,,,,,,,"
    lines = [line.replace(",", ";") for line in (LINE, empty)]
    assert len(open_data("table", table(tmp_path, *lines, header=HEADER.replace(",", ";")), "training")) == 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("ann/2.png,left,,10,20,30,40,50,60", r"line 2: the image .*2.png is missing"),
        (",left,,10,20,30,40,50,60", "line 2 has joints, but names no file"),
        (".,left,,10,20,30,40,50,60", "line 2: the image .* is missing"),
        (r"ann\1.png,left,,10,20,30,40,50,60", r'is missing; write paths relative to .*, with "/"'),
        ("ann/1.png,left,,10,20,30,40,-999,-999", "line 2 has 1 joints at"),
        ("../1.png,left,,10,20,30,40,50,60", "must be relative to"),
        ("ann/1.png,up,,10,20,30,40,50,60", 'the handedness "up"; it must be left, right, or empty'),
        ("ann/1.png,left,,10,x,30,40,50,60", "not numbers"),
        ("ann/1.png,left,,10,20,30,40,,", "has 2 joints with both u and v"),
        ("ann/1.png,left,,.1,.2,.3,.4,.5,.6", "shares of the image"),
    ],
)
def test_a_broken_line_is_named(tmp_path, line, message):
    with pytest.raises(HandsError, match=message):
        open_data("table", table(tmp_path, line), "training")


def test_a_table_of_other_columns_is_refused_with_those_it_must_have(tmp_path):
    with pytest.raises(HandsError, match=r'is "file,x,y"; it must name the columns file.*index_tip'):
        open_data("table", table(tmp_path, header="file,x,y"), "training")
    with pytest.raises(HandsError, match=r"no table of labels at .*evaluation.csv"):
        open_data("table", tmp_path, "evaluation")


def test_the_table_that_estimate_writes_is_read_again(tmp_path, monkeypatch):
    """Its joint 0 is the palm. So predictions can be corrected and learnt from."""
    monkeypatch.chdir(table(tmp_path, LINE))
    command = ["estimate", "ann/1.png", "--handedness", "left", "--box", "10,10,50,50", "--no-overlays"]
    assert main([*command, "--formats", "csv", "--out", "out"]) == 0
    (Path("training.csv")).write_text(next(Path("out").rglob("*.csv")).read_text())
    (sample,) = open_data("table", ".", "training")
    assert (sample.root, sample.handedness, sample.labelled) == ("palm", "left", None)


@pytest.mark.parametrize(
    ("column", "cell", "side"),
    [
        ("side", "Left", "left"),
        ("hand", "right", "right"),
        ("hand", "0", None),
        ("Handedness ", "unknown", None),
    ],
)
def test_the_side_is_in_any_of_three_columns(tmp_path, column, cell, side):
    root = table(tmp_path, LINE.replace("Left", cell), header=HEADER.replace("handedness", column))
    assert open_data("table", root, "training")[0].handedness == side


def test_the_number_of_a_hand_is_no_side_and_two_sides_are_refused(tmp_path):
    header = HEADER + ",hand"
    assert open_data("table", table(tmp_path, LINE + ",0", header=header), "training")[0].handedness == "left"
    with pytest.raises(HandsError, match="line 2 has the sides Left, right; keep one of them"):
        open_data("table", table(tmp_path, LINE + ",right", header=header), "training")


def test_columns_of_pixels_that_no_joint_has_are_named(tmp_path, caplog):
    open_data(
        "table", table(tmp_path, LINE + ",1,2", header=HEADER + ",pinky_tip_u_px,pinky_tip_v_px"), "training"
    )
    assert "ignored columns: pinky_tip_u_px, pinky_tip_v_px; the joints are wrist, thumb_tip" in caplog.text
    caplog.clear()
    both = HEADER + ",palm_u_px,palm_v_px"
    (sample,) = open_data("table", table(tmp_path, LINE + ",12,22", header=both), "training")
    assert sample.root == "palm"
    assert "ignored columns: wrist_u_px, wrist_v_px; the joints are palm, thumb_tip" in caplog.text
