"""Tables that commands print: known numbers appear with their names, units, intervals and conditions."""

import json
from typing import Any

import pytest

from latent_hands.cli import main
from latent_hands.cli.assess_tables import print_assessment
from latent_hands.cli.check import print_counts
from latent_hands.cli.evaluate import ENOUGH_HANDS, SCORES, print_scores
from latent_hands.cli.prepare import print_store
from latent_hands.cli.retarget import print_fit
from latent_hands.cli.runs import print_calibration
from latent_hands.cli.tables import print_json, print_table
from latent_hands.data.store import Cut, Shard, Split
from latent_hands.evaluation.calibration import Calibration
from latent_hands.studies.reproduce.comparison import notes


def scores(samples: int = ENOUGH_HANDS, **others: Any) -> dict[str, Any]:
    values = {key: float(i) for i, key in enumerate(SCORES, 10)}
    values |= {f"{key}_interval": [values[key] - 1, values[key] + 2] for key in SCORES}
    conditions = {"frame": "ray", "rotations": 1, "convention": "rhd", "labels_convention": "mano"}
    mean_pose = {key: values[key] + 70 for key in SCORES}
    variants = {"mean_pose": mean_pose, "translated": values, "without_camera": values}
    return values | conditions | {"blocks": 4, "samples": samples} | variants | others


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")


def lines(text: str) -> list[list[str]]:
    """The cells of each printed row."""
    return [[cell.strip() for cell in line.strip()[1:-1].split("│")] for line in text.splitlines()]


def test_texts_are_printed_as_they_are(capsys: pytest.CaptureFixture):
    """File names may contain what rich would take for markup."""
    print_table(["name", "number"], [["[bold]a[/x].png", "[1]"]], title="[red]title", caption="[b]caption")
    printed = capsys.readouterr().out
    assert ["[bold]a[/x].png", "[1]"] in lines(printed)
    assert "[red]title" in printed
    assert "[b]caption" in printed


def test_empty_headings_are_left_out(capsys: pytest.CaptureFixture):
    print_table(["", ""], [["a", "1"]])
    assert "┃" not in capsys.readouterr().out


def test_json_is_printed_for_programs(capsys: pytest.CaptureFixture):
    print_json({"a": [1, 2.5, None]})
    assert capsys.readouterr().out == '{\n  "a": [\n    1,\n    2.5,\n    null\n  ]\n}\n'


def test_the_help_of_evaluate_explains_every_score(capsys: pytest.CaptureFixture):
    with pytest.raises(SystemExit):
        main(["evaluate", "--help"])
    words = capsys.readouterr().out.replace(",", " ").replace(":", " ").split()
    assert set(SCORES) <= set(words)


def test_scores_are_printed_with_unit_interval_and_mean_pose(capsys: pytest.CaptureFixture):
    print_scores(scores(), "run")
    printed = lines(capsys.readouterr().out)
    assert ["3DPose EPE, mean", "10.0 mm", "9.0 .. 12.0", "80.0"] in printed
    assert ["AUC 20-50 mm", "14.000", "13.000 .. 16.000", "84.000"] in printed
    assert ["viewpoint error, without the camera", "19.0 deg", "18.0 .. 21.0", "89.0"] in printed
    assert ["EPE after Procrustes alignment, translated", "16.0 mm", "15.0 .. 18.0", "86.0"] in printed


def test_the_conditions_of_an_evaluation_are_printed(capsys: pytest.CaptureFixture):
    print_scores(scores(rotations=8), "run")
    printed = capsys.readouterr().out
    assert "ray frame, 8 rotation(s); side, bone length and camera given" in printed
    assert "joint conventions: model rhd, labels mano" in printed
    assert "intervals by resampling 4 scenes" in printed
    print_scores(scores(frame="camera", labels_convention=None, blocks=ENOUGH_HANDS), "run")
    printed = capsys.readouterr().out
    assert "side and bone length given" in printed
    assert "labels unknown" in printed
    assert "intervals by resampling" not in printed


def test_a_study_prints_what_was_given():
    method = {"epe_mm": [20.0]}
    about = {"set": "hands", "samples": 3, "split": "evaluation", "trained_on": "hands"}
    for frame, given in (
        ("ray", "side, bone length and camera given."),
        ("camera", "side and bone length given."),
    ):
        assert notes(about | {"methods": {"dvae": method}, "frame": frame}).endswith(given)


def test_the_mean_pose_of_few_hands_comes_with_a_caution(capsys: pytest.CaptureFixture):
    print_scores(scores(ENOUGH_HANDS), "run")
    assert "do not compare" not in capsys.readouterr().out
    print_scores(scores(ENOUGH_HANDS - 1), "run")
    assert f"do not compare with the mean pose of {ENOUGH_HANDS - 1} hands" in capsys.readouterr().out


def test_the_counts_of_a_data_set_are_printed(capsys: pytest.CaptureFixture):
    count = {"samples": 9, "labelled": 8, "left": 5, "right": 3, "visible_joints": 100, "joints": 168}
    print_counts({"training": count | {"sizes_px": ["320x320", "80x80", "64x64"]}}, "rhd in RHD")
    row = ["training", "9", "8", "5", "3", "100 of 168", "320x320, 80x80 and 1 more"]
    assert row in lines(capsys.readouterr().out)


def test_the_content_of_a_store_is_printed(capsys: pytest.CaptureFixture):
    cut = Cut("rhd", "box", "mirror", 1.0, 128)
    shards = [Shard(3, 1_500_000, "0" * 64), Shard(2, 1_000_000, "0" * 64)]
    split = Split(cut, "0" * 64, samples=5, shards=tuple(shards), source_bytes=9_870_000)
    print_store({"training": split}, "packed")
    assert ["training", "5", "128 px", "2", "2.5", "9.9"] in lines(capsys.readouterr().out)


def test_the_fit_of_poses_is_printed(capsys: pytest.CaptureFixture):
    errors = {"fit_error_mm": 2.04, "median_mm": 1.5, "percentile_90_mm": 3.21, "freed_error_mm": 2.1}
    joints = {"wrist": 1.0, "thumb_tip": 4.44}
    print_fit({"hands": 7, "collided": 2, "left_out": 1, "joints_mm": joints} | errors, "poses")
    printed = lines(capsys.readouterr().out)
    for row in (
        ["hands", "7"],
        ["fit error, 90th percentile", "3.2 mm"],
        ["fit error of the worst joint, thumb_tip", "4.4 mm"],
        ["hands left out", "1"],
    ):
        assert row in printed


def test_a_calibration_is_printed_for_both_halves(capsys: pytest.CaptureFixture):
    print_calibration(Calibration(1.5, (1.4, 1.625), (1.0, 1.125)), "run")
    printed = lines(capsys.readouterr().out)
    assert ["temperature 1", "1.40", "1.62"] in printed
    assert ["temperature 1.50", "1.00", "1.12"] in printed


def value(name: str, number: float | None) -> dict[str, Any]:
    low, high = (None, None) if number is None else (number - 0.5, number + 0.5)
    return {name: number, f"{name}_interval": [low, high]}


def assessment() -> dict[str, Any]:
    names = ("true_image", "pose_from_labels", "pose_from_image", "own_reconstruction", "tag_copied")
    region = value("psnr_db", 20.0) | value("ssim", 0.75)
    row = dict.fromkeys(("whole", "inside", "outside"), region)
    row |= value("own_epe_mm", 12.0) | value("own_ratio", 1.25)
    rows = {name: dict(row) for name in (*names, "scene_copied", "mean_image")}
    factor = value("kl_nats", 8.0) | {"active_units": 3, "units": 32}
    calibration = value("error_over_spread", 1.5) | value("correlation", None)
    calibration |= {"draws": 16, "calibration_error_mm": 2.5, "table": [{"spread_mm": 5, "error_mm": 7}]}
    matrix = {"pose": {"pose": value("ratio", 1.0), "content": value("ratio", 0.1)}}
    return {
        "rows": rows,
        "transfers": 12,
        "crop_px": 32,
        "content_from": "tag",
        "leakage": matrix,
        "swap_consistency": matrix,
        "latent": {"rgb": {"pose": factor}},
        "probes": {"pose": value("cpose_epe_mm", 9.0) | value("epe_mm", 11.0)},
        "calibration": calibration,
        "standard": {
            "r2": {"cpose": {"pose": value("r2", 0.75), "content": value("r2", 0.0)}},
            "by_factor": value("disentanglement", 0.9) | value("sap", 0.6),
            "by_dimension": {"disentanglement": 0.8, "sap": 0.125, "mig": 0.25},
        },
    }


def test_an_assessment_is_printed_with_half_intervals(capsys: pytest.CaptureFixture):
    print_assessment(assessment(), "run on set")
    printed = capsys.readouterr().out
    assert "run on set: 12 transfers of 32 px, content from the tag" in printed
    pixels = ["20.0 ±0.5", "20.0 ±0.5", "20.0 ±0.5", "0.75", "0.75", "0.75"]
    for row in (
        ["transfer, pose from labels", *pixels, ""],
        ["mean image", "12.0 ±0.5", "1.25 ±0.50"],
        ["pose", "1.00 ±0.50", "0.10 ±0.50"],
        ["rgb -> pose", "3 of 32", "8.0 ±0.5"],
        ["pose", "9.0 ±0.5", "11.0 ±0.5"],
        ["error over spread (1: calibrated)", "1.50 ±0.50"],
        ["correlation of spread and error", "-"],
        ["spread:error by tenths, mm", "5:7"],
        ["DCI disentanglement", "0.90 ±0.50", "0.80"],
        ["SAP", "0.60 ±0.50", "0.12"],
        ["MIG", "", "0.25"],
        ["cpose", "0.75 ±0.50", "0.00 ±0.50"],
    ):
        assert row in lines(printed)
    assert "z_u" not in printed


def test_a_table_for_another_program_is_not_cut(
    capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("COLUMNS", "40")
    row = ["a-long-name-of-an-image.jpg", "40.0 (assumed)", "65,104,109,175"]
    print_table(["image", "bone mm", "box"], [row])
    assert row in lines(capsys.readouterr().out)


def test_json_has_null_for_numbers_that_are_not_finite(capsys):
    print_json({"a": [1.5, float("nan")], "b": {"c": (float("inf"), 2)}})
    assert json.loads(capsys.readouterr().out) == {"a": [1.5, None], "b": {"c": [None, 2]}}
