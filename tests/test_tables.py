"""Tables that people read: every row is explained, and what says little says so."""

from typing import Any

import pytest

from latent_hands.cli import main
from latent_hands.cli.tables import FEW, SCORES, scores_table
from latent_hands.studies.reproduce.comparison import notes


def numbers(samples: int) -> dict[str, Any]:
    scores = dict.fromkeys(SCORES, 10.0) | {f"{key}_interval": [9.0, 11.0] for key in SCORES}
    told = {"frame": "ray", "rotations": 1, "convention": "rhd", "labels_convention": "mano"}
    again = {"mean_pose": scores, "translated": scores, "without_camera": scores}
    return scores | told | {"blocks": 4, "samples": samples} | again


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")


def test_the_help_explains_every_row_by_its_key(capsys: pytest.CaptureFixture):
    with pytest.raises(SystemExit):
        main(["evaluate", "--help"])
    words = capsys.readouterr().out.replace(",", " ").replace(";", " ").split()
    assert set(SCORES) <= set(words)


def test_what_was_given_is_said(capsys: pytest.CaptureFixture):
    scores_table(numbers(FEW), "run")
    shown = capsys.readouterr().out
    assert "side, bone length and camera given" in shown
    assert "3DPose EPE, mean, without the camera" in shown
    scores_table(numbers(FEW) | {"frame": "camera"}, "run")
    assert "side and bone length given" in capsys.readouterr().out
    method = {"epe_mm": [20.0]}
    about = {"set": "hands", "samples": 3, "split": "evaluation", "learned": "hands"}
    for frame, told in (
        ("ray", "side, bone length and camera given."),
        ("camera", "side and bone length given."),
    ):
        assert notes(about | {"methods": {"dvae": method}, "frame": frame}).endswith(told)


def test_the_mean_pose_is_said_to_be_the_labels_own(capsys: pytest.CaptureFixture):
    scores_table(numbers(FEW), "run")
    assert "labels' own mean pose" in capsys.readouterr().out


def test_the_mean_pose_of_few_hands_says_little(capsys: pytest.CaptureFixture):
    scores_table(numbers(FEW), "run")
    assert "says little" not in capsys.readouterr().out
    scores_table(numbers(FEW - 1), "run")
    assert f"of {FEW - 1} hands the labels' own mean pose says little" in capsys.readouterr().out
