"""Labels by MediaPipe (benchmarks): turned readings, and the scores of readings that agree."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
Program = Callable[[str], ModuleType]


@pytest.fixture
def program(monkeypatch) -> Program:
    monkeypatch.syspath_prepend(BENCHMARKS)
    return import_module


def hand(seed: int = 0, **changes: object) -> dict:
    rng = np.random.default_rng(seed)
    joints = {"uv_px": rng.uniform(20, 90, (21, 2)).tolist(), "world_mm": rng.normal(0, 40, (21, 3)).tolist()}
    return {"handedness": "left", "score": 0.9} | joints | changes


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_points_of_a_turned_image_are_turned_back(program, turns):
    image = np.zeros((40, 60), int)
    image[12, 45] = 1
    turned = np.rot90(image, turns)
    (row, column) = np.argwhere(turned)[0]
    corner = np.array([[column + 0.5, row + 0.5]])
    worker = program("mediapipe_worker")
    size = turned.shape[1], turned.shape[0]
    uv, world, width = worker.turned_back(corner, np.zeros((1, 3)), turns, size)
    assert (uv.tolist(), width) == ([[45.5, 12.5]], 60)
    centre = np.array([size]) / 2
    relative = np.column_stack([corner - centre, [[7.0]]])
    _, world, _ = worker.turned_back(corner, relative, turns, size)
    np.testing.assert_allclose(world, [[45.5 - 30, 12.5 - 20, 7]])  # 3D points turn as 2D points do


def test_readings_that_agree_have_the_score_1_and_missing_ones_count_as_0(program):
    agreement = program("agreement")
    one = hand()
    moved = hand(world_mm=(np.array(one["world_mm"]) + 100).tolist())  # only its place differs
    assert agreement.joint_scores(agreement.reread(one, [[one], [moved]])) == pytest.approx(np.ones(21))
    other = hand(handedness="right")
    found = agreement.reread(one, [[one], [moved], [other], []])
    assert agreement.joint_scores(found) == pytest.approx(np.full(21, 0.5))
    assert agreement.joint_scores(agreement.reread(one, [[]])) == pytest.approx(np.zeros(21))


def test_a_joint_that_jumps_has_the_lowest_score(program):
    agreement = program("agreement")
    one, jumped = hand(), np.array(hand()["world_mm"])
    jumped[8] += [0, 0, 40]
    found = agreement.reread(one, [[one], [hand(world_mm=jumped.tolist())]])
    scores = agreement.joint_scores(found)
    assert scores.argmin() == 8
    assert found["joint_mm"][8] == pytest.approx(20 * 20 / 21, abs=0.01)  # both are centred


def test_the_program_starts_and_writes_scores(program):
    """The program imports from the package, so its imports must exist."""
    labels = program("label_photographs")
    keys = labels.scores(hand(found=1.0, joint_mm=[0.0] * 20 + [10.0]))
    assert (keys["joint_scores"][-1], keys["side_score"]) == (0.5, 0.9)
    assert keys["weight"] == pytest.approx(0.9 * keys["score"], abs=1e-4)
