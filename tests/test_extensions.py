"""Another package extends this one: its data set, labels, networks, factor and objective train from TOML."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from painted_hands import painted_hands

from latent_hands.configuration import load_experiment
from latent_hands.errors import HandsError
from latent_hands.runs.metrics import read_metrics

FOREIGN = Path(__file__).parent / "foreign"


@pytest.fixture(scope="module")
def gloves(tmp_path_factory):
    """A data set in the layout that the other package reads."""
    root = tmp_path_factory.mktemp("gloves")
    (root / "training").mkdir()
    records = []
    for number, sample in enumerate(painted_hands(root / "training", 16)):
        labels = {key: np.asarray(getattr(sample, key)).tolist() for key in ("xyz_mm", "uv_px", "K")}
        records.append(
            {"name": sample.name, "side": sample.handedness, "glove": [number / 16, 0.5, 0.0], **labels}
        )
    (root / "training/labels.json").write_text(json.dumps(records))
    return root


def run(*commands: list[object], installed: bool = True) -> subprocess.CompletedProcess[str]:
    """Run command lines in one process that has the other package, or not; it stops at the first failure."""
    path = [str(FOREIGN)] if installed else []
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([*path, *sys.path])}
    lines = json.dumps([[str(argument) for argument in command] for command in commands])
    code = f"import sys; from latent_hands.cli import main; sys.exit(any(map(main, {lines})) and 1)"
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )


def test_another_package_adds_one_of_each_and_trains(gloves, tmp_path):
    """It trains from images; its data set is also packed and trained on from the store."""
    toml, cut = FOREIGN / "gloves.toml", ["--crop-px", 16, "--window-px", 16, "--margin", 1.0]
    data = ["--data", "gloves", "--root", gloves, "--split", "training", "--images", "negative"]
    store = f"--data.root={tmp_path / 'packed'}"
    done = run(
        ["train", toml, "--out", tmp_path / "run", f"--data.root={gloves}"],
        ["prepare", tmp_path / "packed", *data, *cut],
        ["train", toml, "--out", tmp_path / "packed_run", store],
    )
    assert done.returncode == 0, done.stderr
    metrics = read_metrics(tmp_path / "run/metrics.jsonl")
    trained = {name for line in metrics if line["phase"] == "embed_negative" for name in line}
    assert {"log_p_pose", "log_p_glove", "log_p_negative", "calm_negative", "kl_glove"} <= trained
    assert {"glove_rmse", "negative_rmse_levels", "active_glove"} <= trained
    files = [tmp_path / name / "weights.safetensors" for name in ("run", "packed_run")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_without_the_package_its_names_are_unknown(tmp_path):
    with pytest.raises(HandsError, match='unknown objective "calm"'):
        load_experiment(FOREIGN / "gloves.toml")
