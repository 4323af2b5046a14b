"""Another package extends this one: its data set, labels, networks, factor and objective train from TOML."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from painted_hands import painted_hands

from latent_hands.runs.folder import read_metrics

FOREIGN = Path(__file__).parent / "foreign"


@pytest.fixture(scope="module")
def gloves(tmp_path_factory):
    """A data set in the layout that the other package reads."""
    root = tmp_path_factory.mktemp("gloves")
    (root / "training").mkdir()
    records = []
    for number, sample in enumerate(painted_hands(root / "training", 16)):
        labels = {key: np.asarray(getattr(sample, key)).tolist() for key in ("xyz_mm", "uv_px", "K")}
        records.append({"name": sample.name, "side": sample.side, "glove": [number / 16, 0.5, 0.0], **labels})
    (root / "training/labels.json").write_text(json.dumps(records))
    return root


def run(*arguments: object, installed: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a command line in a process that has the other package, or not."""
    path = [str(FOREIGN)] if installed else []
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([*path, *sys.path])}
    command = [sys.executable, "-c", "import sys; from latent_hands.cli import main; sys.exit(main())"]
    return subprocess.run(
        [*command, *map(str, arguments)], env=environment, capture_output=True, text=True, check=False
    )


def test_another_package_adds_one_of_each_and_trains(gloves, tmp_path):
    done = run("train", FOREIGN / "gloves.toml", "--out", tmp_path / "run", f"--data.root={gloves}")
    assert done.returncode == 0, done.stderr
    metrics = read_metrics(tmp_path / "run/metrics.jsonl")
    trained = {name for line in metrics if line["phase"] == "embed_negative" for name in line}
    assert {"log_p_pose", "log_p_glove", "log_p_negative", "calm_negative", "kl_glove"} <= trained
    assert {"glove_rmse", "negative_rmse_levels", "active_glove"} <= trained


def test_its_data_set_is_packed_and_trained_on_from_the_store(gloves, tmp_path):
    cut = ["--crop-px", "16", "--window-px", "16", "--margin", "1.0", "--images", "negative"]
    where = ["--data", "gloves", "--root", gloves]
    packed = run("prepare", tmp_path / "packed", *where, *cut, "--split", "training")
    assert packed.returncode == 0, packed.stderr
    store = f"--data.root={tmp_path / 'packed'}"
    done = run("train", FOREIGN / "gloves.toml", "--out", tmp_path / "run", store, "--training.epochs=1")
    assert done.returncode == 0, done.stderr


def test_without_the_package_its_names_are_unknown(tmp_path):
    done = run("train", FOREIGN / "gloves.toml", "--out", tmp_path / "run", installed=False)
    assert done.returncode == 2
    assert 'unknown objective "calm"' in done.stderr
