"""Movements: smooth paths of a hand through poses, viewpoints and places, with rests in between.

A movement is a uniform cubic B-spline in the parameters of the hand: joint angles, rotation, and palm.
Its second derivative is continuous. Angles stay within the range of their control points. Rotations use the
cumulative form on SO(3) (Kim et al. 1995). Four equal control points hold the hand still, exactly.
"""

import dataclasses
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from latent_hands.hand.rig.articulation import Articulation
from latent_hands.hand.rig.collision import penetration_mm
from latent_hands.hand.rig.limits import within_limits
from latent_hands.hand.rig.poses import TOUCH_MM, jitter, sample_articulation
from latent_hands.rendering.placed_hand import PlacedHand, arm_fits, joints_fit, place_hand, sample_hand
from latent_hands.rendering.scene import Scene

SPAN_S = 0.25
"""Time between two control points."""
PASS, REST = 2, 7
"""Copies of a control point that the hand passes, and of one at which it rests for REST - 3 spans."""
REST_SHARE = 0.3
"""Share of the control points at which the hand rests."""
TURN_DEG = 55.0
"""Standard deviation of the rotation between two control points; larger ones than twice this are redrawn."""
DEPTH_RANGE = 0.25
"""Greatest logarithm of the palm's depth over the depth of the scene."""
ATTEMPTS = 60
CHECKED = (0.0, 0.5)
"""Places in a span where the hand must fit into the image."""


@dataclass(frozen=True)
class ControlPoint:
    """A control point of the path.

    Args:
        angles: The articulation as a vector, degrees.
        rotation: The rotation of the hand as in `place_hand`, left form.
        palm: Pixel of the palm, and the logarithm of its depth in metres.
    """

    angles: Float[np.ndarray, "24"]
    rotation: Float[np.ndarray, "3 3"]
    palm: Float[np.ndarray, "3"]


@dataclass(frozen=True)
class Movement:
    """A path of the hand of a scene; span k lies between the control points k + 1 and k + 2.

    Args:
        scene: The scene; its own place of the palm is not used.
        points: The control points, at least four.
    """

    scene: Scene
    points: tuple[ControlPoint, ...]

    @property
    def spans(self) -> int:
        """Number of spans; the path lasts as many times SPAN_S."""
        return len(self.points) - 3

    def rests(self, seconds: float) -> bool:
        """Return whether the hand is at rest: the four control points of this time are one."""
        around, _ = self._around(seconds)
        return all(point is around[0] for point in around)

    def at(self, seconds: float) -> tuple[Scene, PlacedHand]:
        """Return scene and posed hand at a time between 0 and spans * SPAN_S."""
        around, x = self._around(seconds)
        weights = np.array([(1 - x) ** 3, 3 * x**3 - 6 * x**2 + 4, -3 * (x**3 - x**2 - x) + 1, x**3]) / 6
        angles = np.tensordot(weights, [point.angles for point in around], 1)
        u, v, log_depth = weights @ [point.palm for point in around]
        rotation = around[0].rotation
        shares = 1 - weights[0], weights[2] + weights[3], weights[3]
        for share, (a, b) in zip(shares, pairwise(around), strict=True):
            step = Rotation.from_matrix(a.rotation.T @ b.rotation).as_rotvec()
            rotation = rotation @ Rotation.from_rotvec(share * step).as_matrix()
        articulation = within_limits(Articulation.from_flat(angles))
        scene = at_palm(self.scene, float(u), float(v), float(log_depth))
        return scene, place_hand(scene, articulation, rotation)

    def fits(self, seconds: float) -> bool:
        """Return whether hand and arm fit into the image, and no finger enters another, at a time."""
        scene, hand = self.at(seconds)
        if not joints_fit(scene, hand) or penetration_mm(hand.articulation) > 2 * TOUCH_MM:
            return False
        return arm_fits(scene, hand)

    def _around(self, seconds: float) -> tuple[tuple[ControlPoint, ...], float]:
        span = min(int(seconds / SPAN_S), self.spans - 1)
        return self.points[span : span + 4], seconds / SPAN_S - span


def sample_movement(scene: Scene, rng: np.random.Generator, seconds: float) -> Movement:
    """Draw a movement of at least this duration whose hand fits into the image at all times.

    It starts at rest. Where no next control point fits, the last one is repeated.
    """
    hand = sample_hand(scene, rng)
    depth = float(scene.palm_m[2])
    u, v, _ = scene.K @ scene.palm_m / depth
    points = [ControlPoint(hand.articulation.flat(), hand.rotation, np.array([u, v, np.log(depth)]))] * 4
    while (len(points) - 3) * SPAN_S < seconds:
        copies = REST if rng.random() < REST_SHARE else PASS
        points += [_next_point(scene, rng, points[-4:], copies)] * copies
    return Movement(scene, tuple(points))


def at_palm(scene: Scene, u: float, v: float, log_depth: float) -> Scene:
    """Return the scene with its palm, and the box around it, at a pixel and a depth."""
    palm_m = np.exp(log_depth) * np.linalg.solve(scene.K, [u, v, 1.0])
    side = scene.box[2] * scene.palm_m[2] / palm_m[2]
    return dataclasses.replace(scene, palm_m=palm_m, box=(u, v, float(side)))


def _next_point(
    scene: Scene, rng: np.random.Generator, last: list[ControlPoint], copies: int
) -> ControlPoint:
    for _ in range(ATTEMPTS):
        point = _sample_point(scene, rng, last[-1])
        # A copy more than the path has: the end of the last span is the beginning of the next one.
        path = Movement(scene, (*last[1:], *[point] * (min(copies, 3) + 1)))
        times = [SPAN_S * (span + x) for span in range(path.spans) for x in CHECKED]
        if all(path.fits(seconds) for seconds in reversed(times)):
            return point
    return last[-1]


def _sample_point(scene: Scene, rng: np.random.Generator, last: ControlPoint) -> ControlPoint:
    angles = sample_articulation(rng).flat()
    if rng.random() < 0.3:
        angles = within_limits(jitter(Articulation.from_flat(last.angles), rng, 8.0)).flat()
    turn = rng.normal(size=3)
    turn *= np.deg2rad(np.clip(rng.normal(0, TURN_DEG), -2 * TURN_DEG, 2 * TURN_DEG)) / np.linalg.norm(turn)
    rotation = last.rotation @ Rotation.from_rotvec(turn).as_matrix()
    size, side = scene.size_px, scene.box[2]
    slack_px = max(size - side, 0.1 * size) / 2
    palm_px = (size - 1) / 2 + rng.uniform(-slack_px, slack_px, 2)
    depth = np.log(scene.palm_m[2]) + rng.uniform(-DEPTH_RANGE, DEPTH_RANGE)
    return ControlPoint(angles, rotation, np.array([*palm_px, depth]))
