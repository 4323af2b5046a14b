"""Laws of the filter and the smoother: closed forms, least squares, limits, and causality."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from latent_hands.predictor import smoothing
from latent_hands.predictor.smoothing import Motion, Process, begin, predict, smooth, update

STILL = Process(np.zeros(5), 0.1)
MOVING = Process(np.array([1.0, 2.0, 1.0, 1.0, 1.0]), 0.2)
EYE = np.eye(3)


def filtered(values, rotations, variance, seconds, process):
    beliefs = [begin(values[0], rotations[0], variance, process)]
    for i in range(1, len(values)):
        expected = predict(beliefs[-1], seconds[i] - seconds[i - 1], process)
        beliefs.append(update(expected, values[i], rotations[i], variance))
    return beliefs


def measurements(count, seed=0):
    rng = np.random.default_rng(seed)
    turns = 0.1 * rng.normal(size=(count, 3)).cumsum(axis=0)
    times = np.sort(rng.uniform(size=count)).tolist()
    return rng.normal(size=(count, 2)), Rotation.from_rotvec(turns).as_matrix(), times


def test_the_variance_of_a_constant_falls_as_one_over_n():
    values, seconds = np.tile([1.0, -2.0], (20, 1)), (np.arange(20) / 30).tolist()
    beliefs = filtered(values, [EYE] * 20, np.full(5, 0.3), seconds, STILL)
    for n, belief in enumerate(beliefs, 1):
        np.testing.assert_allclose(belief.variance, 0.3 / n)
        np.testing.assert_allclose(belief.values, [1, -2])


def test_the_mean_of_a_constant_is_the_mean_of_the_measurements():
    values, _, seconds = measurements(15)
    beliefs = filtered(values, [EYE] * 15, np.full(5, 0.3), seconds, STILL)
    np.testing.assert_allclose(beliefs[-1].values, values.mean(axis=0))
    for belief in smooth(beliefs, seconds, STILL):
        np.testing.assert_allclose(belief.values, values.mean(axis=0))


def test_the_smoother_is_batch_least_squares():
    """The smoothed means minimise the sum of squared, whitened residuals of all states together."""
    values, _, seconds = measurements(8)
    noise, n = 0.3, 8
    beliefs = smooth(filtered(values, [EYE] * n, np.full(5, noise), seconds, MOVING), seconds, MOVING)
    for k in range(2):
        rows, right = np.zeros((0, 2 * n)), np.zeros(0)

        def add(block, target, covariance):
            nonlocal rows, right
            white = np.linalg.inv(np.linalg.cholesky(np.atleast_2d(covariance)))
            rows, right = np.vstack([rows, white @ block]), np.append(right, white @ np.atleast_1d(target))

        eye = np.eye(2 * n)
        add(eye[1:2], 0.0, MOVING.speed[k] ** 2)
        for i in range(n):
            add(eye[2 * i : 2 * i + 1], values[i, k], noise)
        for i in range(n - 1):
            F, Q = MOVING.transition(seconds[i + 1] - seconds[i])
            add(eye[2 * i + 2 : 2 * i + 4] - F @ eye[2 * i : 2 * i + 2], np.zeros(2), Q[k])
        solution = np.linalg.lstsq(rows, right, rcond=None)[0].reshape(n, 2)
        covariance = np.linalg.inv(rows.T @ rows)
        np.testing.assert_allclose([belief.values[k] for belief in beliefs], solution[:, 0], atol=1e-6)
        np.testing.assert_allclose([belief.velocity[k] for belief in beliefs], solution[:, 1], atol=1e-5)
        found = [belief.variance[k] for belief in beliefs]
        np.testing.assert_allclose(found, np.diag(covariance)[::2], rtol=1e-5)


@pytest.mark.parametrize("smoothed", [False, True])
def test_without_noise_the_measurements_are_returned(smoothed):
    values, rotations, seconds = measurements(10)
    beliefs = filtered(values, rotations, np.zeros(5), seconds, MOVING)
    for i, belief in enumerate(smooth(beliefs, seconds, MOVING) if smoothed else beliefs):
        np.testing.assert_allclose(belief.values, values[i], atol=1e-9)
        np.testing.assert_allclose(belief.rotation, rotations[i], atol=1e-9)


def test_rotations_about_one_axis_are_filtered_as_numbers():
    angles, _, seconds = measurements(12)
    process = Process(np.ones(5), 0.2)
    turns = Rotation.from_rotvec(angles[:, :1] * np.array([0.0, 0.0, 0.2])).as_matrix().swapaxes(1, 2)
    beliefs = filtered(0.2 * angles, turns, np.full(5, 0.01), seconds, process)
    for belief in [*beliefs, *smooth(beliefs, seconds, process)]:
        angle = Rotation.from_matrix(belief.rotation.T).as_rotvec()
        np.testing.assert_allclose(angle, [0, 0, belief.values[0]], atol=1e-9)


def test_the_result_rotates_with_the_camera():
    values, rotations, seconds = measurements(12)
    R = Rotation.from_rotvec([0.3, -1.0, 0.5]).as_matrix()
    process = Process(np.ones(5), 0.2)
    plain = filtered(values, rotations, np.full(5, 0.1), seconds, process)
    turned = filtered(values, rotations @ R, np.full(5, 0.1), seconds, process)
    pairs = zip(smooth(plain, seconds, process), smooth(turned, seconds, process), strict=True)
    for belief, other in pairs:
        np.testing.assert_allclose(belief.rotation @ R, other.rotation, atol=1e-9)


def test_predicting_twice_is_predicting_once():
    values, rotations, seconds = measurements(4)
    belief = filtered(values, rotations, np.full(5, 0.1), seconds, MOVING)[-1]
    belief = belief.__class__(
        belief.values, belief.rotation, 0.1 * np.array([1, 2, 0, 0, 3.0]), belief.covariance
    )
    once, twice = predict(belief, 0.3, MOVING), predict(predict(belief, 0.1, MOVING), 0.2, MOVING)
    np.testing.assert_allclose(once.values, twice.values)
    np.testing.assert_allclose(once.rotation, twice.rotation, atol=1e-12)
    np.testing.assert_allclose(once.covariance, twice.covariance, atol=1e-12)


def test_the_smoother_is_surer_than_the_filter_and_ends_with_it():
    values, rotations, seconds = measurements(12)
    beliefs = filtered(values, rotations, np.full(5, 0.1), seconds, MOVING)
    after = smooth(beliefs, seconds, MOVING)
    assert after[-1] is beliefs[-1]
    for belief, smoothed in zip(beliefs, after, strict=True):
        assert (smoothed.variance <= belief.variance + 1e-12).all()


REST = Process(0.01 * MOVING.speed, 0.02)
VARIANCE = np.full(5, 0.01)


def followed(values, motion, rotations=None):
    rotations = [EYE] * len(values) if rotations is None else rotations
    beliefs = [begin(values[0], rotations[0], VARIANCE, motion.moving)]
    for value, rotation in zip(values[1:], rotations[1:], strict=True):
        beliefs.append(smoothing.filtered(beliefs[-1], 1 / 30, value, rotation, VARIANCE, motion))
    return beliefs


def test_two_equal_processes_are_one():
    values, rotations, _ = measurements(12)
    once = filtered(values, rotations, VARIANCE, [i / 30 for i in range(12)], MOVING)
    twice = followed(values, Motion(MOVING, MOVING, 0.5), rotations)
    np.testing.assert_allclose(twice[-1].values, once[-1].values)
    np.testing.assert_allclose(twice[-1].rotation, once[-1].rotation)
    np.testing.assert_allclose(twice[-1].covariance, once[-1].covariance)
    assert twice[-1].moving == pytest.approx(0.5)


def test_a_hand_at_rest_is_recognised_and_so_is_its_start():
    rng = np.random.default_rng(0)
    still = rng.normal(0, 0.03, (30, 2))
    moves = still[-1] + np.linspace(0, 2, 15)[:, None] * [1, -1]
    beliefs = followed(np.concatenate([still, moves]), Motion(REST, MOVING, 0.5))
    assert max(belief.moving for belief in beliefs[10:30]) < 0.5
    assert min(belief.moving for belief in beliefs[34:]) > 0.7
    found = np.stack([belief.values for belief in beliefs])
    assert np.abs(np.diff(found[15:30], axis=0)).max() < 0.02
    np.testing.assert_allclose(found[-1], moves[-1], atol=0.15)


def test_a_mixture_is_joined_with_its_mean_and_its_covariance():
    rng = np.random.default_rng(0)
    beliefs = [
        replace(begin(rng.normal(size=2), EYE, rng.uniform(1, 2, 5), MOVING), velocity=rng.normal(size=5))
        for _ in range(2)
    ]
    joined = smoothing._joined(*beliefs, 0.3)
    means = [np.stack([[*b.values, 0, 0, 0], b.velocity], axis=1) for b in beliefs]
    mean = 0.7 * means[0] + 0.3 * means[1]
    moments = [b.covariance + m[:, :, None] * m[:, None] for b, m in zip(beliefs, means, strict=True)]
    covariance = 0.7 * moments[0] + 0.3 * moments[1] - mean[:, :, None] * mean[:, None]
    np.testing.assert_allclose(joined.values, mean[:2, 0])
    np.testing.assert_allclose(joined.velocity, mean[:, 1])
    np.testing.assert_allclose(joined.covariance, covariance)
