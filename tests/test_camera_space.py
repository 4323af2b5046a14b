"""Errors in the camera frame: closed forms, invariances of the alignments, and F-scores of point sets."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from latent_hands.evaluation.camera_space import (
    f_score,
    joint_scores,
    keypoint_scores,
    mesh_scores,
    procrustes_aligned,
    root_relative,
    scale_translation_aligned,
)

RNG = np.random.default_rng(0)
TRUTH = RNG.normal(0, 40, (5, 21, 3)) + np.array([0, 0, 600])
NOISY = TRUTH + RNG.normal(0, 5, TRUTH.shape)
ROTATION = Rotation.from_rotvec([0.3, -1.0, 0.5]).as_matrix()


def test_a_shift_of_10_mm_is_an_error_of_10_mm_with_its_area():
    """The share of correct keypoints is 0 up to the last threshold below 10 mm, then 1."""
    mean, area = keypoint_scores(TRUTH + np.array([0, 6, 8]), TRUTH)
    step = 50 / 99
    first = np.ceil(10 / step) * step
    assert mean == pytest.approx(10)
    assert area == pytest.approx((50 - first + step / 2) / 50)


def test_alignments_remove_what_they_are_named_for():
    moved = TRUTH + np.array([30, -5, 100])
    np.testing.assert_allclose(root_relative(moved, TRUTH), TRUTH)
    np.testing.assert_allclose(scale_translation_aligned(1.7 * moved, TRUTH), TRUTH)
    np.testing.assert_allclose(procrustes_aligned(1.7 * moved @ ROTATION, TRUTH), TRUTH)
    np.testing.assert_allclose(procrustes_aligned(moved * [1, 1, -1], TRUTH), TRUTH)  # a reflection, too


def test_procrustes_does_not_depend_on_place_rotation_and_size_and_is_least():
    aligned = procrustes_aligned(NOISY, TRUTH)
    np.testing.assert_allclose(procrustes_aligned(0.4 * NOISY @ ROTATION + 7, TRUTH), aligned)
    best = ((aligned - TRUTH) ** 2).sum()
    for other in (NOISY, root_relative(NOISY, TRUTH), 1.001 * aligned, aligned + 0.1):
        assert best < ((other - TRUTH) ** 2).sum()


def test_each_alignment_of_a_perfect_prediction_is_perfect():
    scores = joint_scores(TRUTH, TRUTH, (0, 4))
    assert {name for name, value in scores.items() if value == pytest.approx(0, abs=1e-9)} == {
        "camera_mpjpe_mm",
        "root_relative_mpjpe_mm",
        "scale_translation_mpjpe_mm",
        "pa_mpjpe_mm",
    }
    assert scores["camera_auc"] == pytest.approx(1)


def test_f_scores_of_a_half_that_is_near():
    """Precision 1, recall one half: 2 * 1 * 0.5 / 1.5."""
    truth = np.array([[0.0, 0, 0], [100, 0, 0]])
    near = np.array([[0.0, 0, 3]])
    assert f_score(near, truth, 5.0) == pytest.approx(2 / 3)
    assert f_score(near, truth, 3.0) == 0
    assert f_score(truth, near, 5.0) == pytest.approx(2 / 3)


def test_meshes_have_f_scores_at_5_and_15_mm():
    scores = mesh_scores(TRUTH + np.array([0, 0, 10]), TRUTH)
    assert scores["mesh_mm"] == pytest.approx(10)
    assert scores["mesh_f_5"] < scores["mesh_f_15"] == 1
    assert scores["pa_mesh_f_5"] == 1
