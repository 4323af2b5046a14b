"""Numbers that only Python reads as numbers are refused wherever people and programs write them."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from command_line import fails

import latent_hands as lh
from latent_hands.cli import main
from latent_hands.data.formats.box_label import check_box
from latent_hands.data.formats.numerals import array_of, integer_of, number_of, typed_integer
from latent_hands.errors import BROKEN, HandsError
from latent_hands.lite.__main__ import main as lite
from latent_hands.rendering.sets.dataset import ScenesPlan
from latent_hands.rendering.variety import EVERYTHING

OTHER = ("1_0", "５", "٥", "0x10", "1,5", "5px", "", "--5", "1e", "²", "10 20")


@pytest.mark.parametrize("text", OTHER)
def test_other_texts_are_no_numbers(text):
    for read in (number_of, integer_of, typed_integer, lambda text: array_of([text])):
        with pytest.raises(ValueError, match="is not a"):
            read(text)


@pytest.mark.parametrize("text", ["5", "+5", "-0.5", ".5", "5.", " 1e-3 ", "1E5", "0" * 9])
def test_decimal_texts_are_their_numbers(text):
    assert number_of(text) == float(text) == array_of([[text]])[0, 0]


def test_booleans_are_no_numbers():
    for value in (True, False, np.True_):
        with pytest.raises(TypeError):
            number_of(value)
    with pytest.raises(TypeError):
        array_of([1.5, True])


def test_whole_numbers_are_whole():
    assert integer_of("12.0") == 12
    assert typed_integer("+1" + "0" * 400) == 10**400
    for value in ("12.5", 12.5, math.nan):
        with pytest.raises(ValueError, match=r"not a whole number"):
            integer_of(value)
    for value in (math.inf, None, [1]):
        with pytest.raises(BROKEN):
            integer_of(value)


def test_unknown_numbers_of_arrays_are_nan():
    array = array_of([[1, None], ["nan", 2.5]])
    np.testing.assert_array_equal(array, [[1, np.nan], [np.nan, 2.5]])


@pytest.mark.parametrize("box", ["1234", b"1234", {1: 0, 2: 0, 30: 0, 40: 0}, [True, 1, 20, 20], None, 5])
def test_only_lists_of_numbers_are_boxes(box):
    with pytest.raises(HandsError, match="must be x,y,width,height"):
        check_box(box, "box")


@pytest.mark.parametrize("option", ["--limit", "--focal-px", "--draws"])
@pytest.mark.parametrize("text", ["1_0", "１０"])
def test_options_are_read_like_files(option, text, capsys: pytest.CaptureFixture):
    with pytest.raises(SystemExit) as ended:
        main(["estimate", "a.png", option, text])
    assert ended.value.code == 2
    assert "number" in capsys.readouterr().err


def test_boxes_of_options_are_read_like_files(tmp_path: Path, capsys: pytest.CaptureFixture):
    assert 'box is "1_0,2,30,40"' in fails(capsys, "estimate", tmp_path / "a.png", "--box", "1_0,2,30,40")
    assert lite([str(tmp_path / "a.png"), "--model", str(tmp_path), "--box", "1_0,2,30,40"]) == 2
    with pytest.raises(SystemExit):
        lite([str(tmp_path / "a.png"), "--bone-mm", "4_0"])


@pytest.mark.usefixtures("as_users_run")
@pytest.mark.parametrize("value", [1.5, 2.0, "2", True, None])
def test_counts_that_are_not_whole_are_refused_before_anything_is_written(value, tmp_path: Path):
    for use in (
        lambda: lh.render(tmp_path / "hands", count=value),
        lambda: lh.render(tmp_path / "hands", size_px=value),
        lambda: lh.render(tmp_path / "hands", seed=value),
        lambda: lh.sample_images("synthesis", value),
        lambda: lh.load("estimation").find(np.zeros((8, 8, 3), np.uint8), max_hands=value),
    ):
        with pytest.raises(HandsError, match=f"{value!r}; it must be a whole number"):
            use()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("as_users_run")
def test_whole_numbers_of_numpy_count():
    numbers = {"count": 2, "size_px": 64, "seed": 3, "evaluation_count": 0, "poses_per_scene": 1}
    others = {"scene_size": (0.8, 1.3), "defocus": None, "joints": "rhd", "factor_tags": False}
    others |= {"poses": None, "variety": EVERYTHING}
    plan = ScenesPlan(**{name: np.int32(value) for name, value in numbers.items()}, **others)
    assert json.dumps(plan.as_json()) == json.dumps(ScenesPlan(**numbers, **others).as_json())
