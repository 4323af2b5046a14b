"""Tables that people read: rows bear the names of the JSON, and what says little says so."""

from typing import Any

import pytest

from latent_hands.cli.tables import FEW, SCORES, scores_table


def numbers(samples: int) -> dict[str, Any]:
    scores = dict.fromkeys(SCORES, 10.0) | {f"{key}_interval": [9.0, 11.0] for key in SCORES}
    told = {"frame": "ray", "rotations": 1, "convention": "rhd", "labels_convention": "mano"}
    return scores | told | {"samples": samples, "mean_pose": scores, "translated": scores}


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")


def test_rows_bear_the_keys_of_the_json(capsys: pytest.CaptureFixture):
    scores_table(numbers(FEW), "run")
    text = capsys.readouterr().out
    assert all(f" {key} " in text for key in (*SCORES, "translated.epe_mm"))
    assert "labels' own mean pose" in text


def test_the_mean_pose_of_few_hands_says_little(capsys: pytest.CaptureFixture):
    scores_table(numbers(FEW), "run")
    assert "says little" not in capsys.readouterr().out
    scores_table(numbers(FEW - 1), "run")
    assert f"of {FEW - 1} hands the labels' own mean pose says little" in capsys.readouterr().out
