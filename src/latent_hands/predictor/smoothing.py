"""Smoothing over time: a Kalman filter and a Rauch-Tung-Striebel smoother of numbers and one rotation.

Each number x moves with a velocity v of its own, which forgets itself (an Ornstein-Uhlenbeck process):

    dx = v dt,    dv = -v / memory dt + speed sqrt(2 / memory) dW.

`speed` is the standard deviation of v. The rotation moves in the same way along the three axes of the frame
into which it rotates. Numbers and axes are independent of each other, so all matrices are 2x2, for x and v.

A hand rests and moves by turns. `filtered` weighs a process of each by how well it explains the measurements.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

Numbers = Float[np.ndarray, " n"]
Axes = Float[np.ndarray, " d"]
"""An entry for each number, followed by three for the axes of the rotation: d = n + 3."""
LEAST_SHARE = 1e-3
"""Smallest probability of rest and of movement."""
Matrix = Float[np.ndarray, "3 3"]


@dataclass(frozen=True)
class Process:
    """The movement that is expected.

    Args:
        speed: (d,) standard deviation of each velocity, per second; those of the axes in radians.
        memory_s: Time in seconds after which a velocity is forgotten by the factor e.
    """

    speed: Axes
    memory_s: float

    def transition(self, dt: float) -> tuple[Float[np.ndarray, "2 2"], Float[np.ndarray, " d 2 2"]]:
        """Return the matrix F of (x, v) over `dt` seconds, and the covariance that the movement adds."""
        tau = self.memory_s
        left = math.exp(-dt / tau)
        gone = -math.expm1(-dt / tau)
        F = np.array([[1.0, tau * gone], [0.0, left]])
        xx = tau**2 * (2 * dt / tau - 3 + 4 * left - left**2)
        Q = np.array([[max(xx, 0.0), tau * gone**2], [tau * gone**2, 1 - left**2]])
        return F, np.square(self.speed)[:, None, None] * Q


@dataclass(frozen=True)
class Motion:
    """The movement of a hand that sometimes rests: a process at rest and a process of movement.

    Args:
        rest: the process at rest.
        moving: the process of movement.
        change_s: mean time in seconds until the other process begins.
    """

    rest: Process
    moving: Process
    change_s: float


@dataclass(frozen=True)
class Belief:
    """The state at one time: a Gaussian.

    Args:
        values: (n,) mean of the numbers.
        rotation: Mean of the rotation, applied to rows.
        velocity: (d,) mean of the velocities.
        covariance: (d, 2, 2) covariance of x and v of each number and axis.
        moving: Probability that the hand moves, not rests.
    """

    values: Numbers
    rotation: Matrix
    velocity: Axes
    covariance: Float[np.ndarray, " d 2 2"]
    moving: float = 0.5

    @property
    def variance(self) -> Axes:
        """Variance of each number, and of the rotation about each axis."""
        return self.covariance[:, 0, 0]

    def moved(self, step: Axes) -> "Belief":
        """Return the belief with `step` added to the numbers and the rotation turned by its last three."""
        values = self.values + step[:-3]
        return replace(self, values=values, rotation=self.rotation @ _turn(step[-3:]))

    def step_to(self, values: Numbers, rotation: Matrix) -> Axes:
        """Return the step that `moved` needs to reach these numbers and this rotation."""
        return np.concatenate([values - self.values, _axis(self.rotation.T @ rotation)])


def begin(values: Numbers, rotation: Matrix, variance: Axes, process: Process) -> Belief:
    """Return the belief after the first measurement: velocity 0, with the variance that `process` states."""
    covariance = np.zeros((len(variance), 2, 2))
    covariance[:, 0, 0], covariance[:, 1, 1] = variance, np.square(process.speed)
    return Belief(values, rotation, np.zeros(len(variance)), covariance)


def predict(belief: Belief, dt: float, process: Process) -> Belief:
    """Return the belief `dt` seconds later."""
    F, Q = process.transition(dt)
    later = belief.moved(F[0, 1] * belief.velocity)
    return replace(later, velocity=F[1, 1] * belief.velocity, covariance=F @ belief.covariance @ F.T + Q)


def update(belief: Belief, values: Numbers, rotation: Matrix, variance: Axes) -> Belief:
    """Return the belief after a measurement with these variances."""
    P, innovation = belief.covariance, belief.step_to(values, rotation)
    total = P[:, 0, 0] + variance
    gain = np.divide(P[:, :, 0], total[:, None], out=np.zeros_like(P[:, :, 0]), where=total[:, None] > 0)
    later = belief.moved(gain[:, 0] * innovation)
    covariance = P - gain[:, :, None] * P[:, None, 0, :]
    return replace(later, velocity=belief.velocity + gain[:, 1] * innovation, covariance=covariance)


def filtered(
    belief: Belief, dt: float, values: Numbers, rotation: Matrix, variance: Axes, motion: Motion
) -> Belief:
    """Return the belief after `dt` seconds and a measurement, of a hand that may rest or move.

    Each process predicts and is updated. The beliefs are weighted by their likelihood, and joined into one
    Gaussian of the same mean and covariance (generalised pseudo-Bayes of the first order, Ackerson and Fu
    1970).
    """
    stays = 0.5 + 0.5 * math.exp(-dt / motion.change_s)
    prior = stays * belief.moving + (1 - stays) * (1 - belief.moving)
    expected = [predict(belief, dt, process) for process in (motion.rest, motion.moving)]
    rest, moving = (update(each, values, rotation, variance) for each in expected)
    evidence = [_log_likelihood(each, values, rotation, variance) for each in expected]
    odds = math.log(prior / (1 - prior)) + evidence[1] - evidence[0]
    share = 0.5 * (1 + math.tanh(odds / 2))
    share = min(max(share, LEAST_SHARE), 1 - LEAST_SHARE)
    return replace(_joined(rest, moving, share), moving=share)


def _log_likelihood(expected: Belief, values: Numbers, rotation: Matrix, variance: Axes) -> float:
    total = expected.variance + variance
    return float(-0.5 * (expected.step_to(values, rotation) ** 2 / total + np.log(total)).sum())


def _joined(first: Belief, second: Belief, share: float) -> Belief:
    """Return the Gaussian of the mean and the covariance of a mixture with `share` of the second belief."""
    step = np.stack([first.step_to(second.values, second.rotation), second.velocity - first.velocity], axis=1)
    covariance = (1 - share) * first.covariance + share * second.covariance
    covariance = covariance + share * (1 - share) * step[:, :, None] * step[:, None, :]
    mean = first.moved(share * step[:, 0])
    return replace(mean, velocity=first.velocity + share * step[:, 1], covariance=covariance)


def smooth(filtered: Sequence[Belief], seconds: Sequence[float], process: Process) -> list[Belief]:
    """Return the beliefs given the measurements of all times (Rauch, Tung and Striebel 1965).

    `filtered` are the beliefs after each measurement, `seconds` their increasing times.
    """
    smoothed = list(filtered)
    for i in range(len(filtered) - 2, -1, -1):
        here, later = filtered[i], smoothed[i + 1]
        dt = seconds[i + 1] - seconds[i]
        expected = predict(here, dt, process)
        F, _ = process.transition(dt)
        P = expected.covariance
        gain = here.covariance @ F.T @ np.linalg.pinv(P, hermitian=True)
        change = np.stack(
            [expected.step_to(later.values, later.rotation), later.velocity - expected.velocity], axis=1
        )
        step = np.einsum("dij,dj->di", gain, change)
        covariance = here.covariance + gain @ (later.covariance - P) @ gain.swapaxes(1, 2)
        moved = here.moved(step[:, 0])
        smoothed[i] = replace(moved, velocity=here.velocity + step[:, 1], covariance=covariance)
    return smoothed


def _turn(vector: Float[np.ndarray, "3"]) -> Matrix:
    """Return the rotation of rows by a rotation vector."""
    return Rotation.from_rotvec(vector).as_matrix().T


def _axis(rotation: Matrix) -> Float[np.ndarray, "3"]:
    """Return the rotation vector of a rotation of rows: the inverse of `_turn`."""
    return Rotation.from_matrix(rotation.T).as_rotvec()
