"""A body from simple solids: torso, neck, head with a face, upper arms and forearms.

The body frame has the rows left, down and back of the person, so a person who faces the camera upright has
left = x, down = y and back = z of the camera frame.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from latent_hands.rendering.whole.clothes import Dress, head_half_m
from latent_hands.rendering.whole.paint import Paint
from latent_hands.rendering.whole.solids import Solid, ellipsoid, rings, tube

SHOULDER_M, SHOULDER_DOWN_M = 0.185, 0.055
"""Distance of a shoulder from the middle, and below the base of the neck."""
UPPER_ARM_M, FOREARM_M = 0.29, 0.25
TORSO_M = 0.52
PROFILE = np.array(
    # down, half width, half depth, backwards; relative to a torso of 1
    [
        *([-0.02, 0.02, 0.02, 0.00], [0.02, 0.075, 0.055, 0.00], [0.055, 0.13, 0.075, 0.00]),
        *([0.10, 0.185, 0.095, 0.00], [0.20, 0.185, 0.115, 0.00], [0.35, 0.17, 0.12, -0.005]),
        *([0.55, 0.155, 0.11, -0.005], [0.75, 0.15, 0.11, 0.0], [0.92, 0.17, 0.12, 0.005]),
        *([1.05, 0.165, 0.115, 0.005], [1.12, 0.11, 0.09, 0.0], [1.14, 0.01, 0.01, 0.0]),
    ]
)


@dataclass(frozen=True)
class Body:
    """The place of a body.

    Args:
        dress: Its look.
        neck: Base of the neck, camera frame, metres.
        frame: Rows left, down, back of the torso.
        gaze: Rows left, down, back of the head.
    """

    dress: Dress
    neck: Float[ndarray, "3"]
    frame: Float[ndarray, "3 3"]
    gaze: Float[ndarray, "3 3"]

    @property
    def head(self) -> Float[ndarray, "3"]:
        """The middle of the head."""
        half = head_half_m(self.dress.scale)[1]
        throat = self.neck - self.frame[1] * 0.05 * self.dress.scale
        return throat - self.gaze[1] * (0.92 * half) - self.gaze[2] * 0.015

    def shoulder(self, side: str) -> Float[ndarray, "3"]:
        """Return the shoulder of a side."""
        sign = 1 if side == "left" else -1
        out = sign * SHOULDER_M * (0.55 + 0.45 * self.dress.width)
        return self.neck + self.dress.scale * (out * self.frame[0] + SHOULDER_DOWN_M * self.frame[1])

    def hip(self, side: str) -> Float[ndarray, "3"]:
        """Return the hip of a side."""
        sign = 1 if side == "left" else -1
        return self.neck + self.dress.scale * (sign * 0.09 * self.frame[0] + 1.02 * TORSO_M * self.frame[1])

    def inside(self, points: Float[ndarray, "n 3"], margin_m: float = 0.0) -> ndarray:
        """Return which points are inside torso or head."""
        local = (points - self.neck) @ self.frame.T / self.dress.scale
        down = local[:, 1] / TORSO_M
        wide = np.interp(down, PROFILE[:, 0], PROFILE[:, 1]) * self.dress.width + margin_m
        deep = np.interp(down, PROFILE[:, 0], PROFILE[:, 2]) * self.dress.width + margin_m
        torso = (local[:, 0] / wide) ** 2 + (local[:, 2] / deep) ** 2 < 1
        torso &= (down > -0.02) & (down < 1.14)
        half = np.array(head_half_m(self.dress.scale)) + margin_m
        return torso | ((((points - self.head) @ self.gaze.T / half) ** 2).sum(1) < 1)


def trunk(body: Body) -> list[Solid]:
    """Return torso, neck and shoulders."""
    dress, scale = body.dress, body.dress.scale
    size = scale * np.array([TORSO_M, dress.width, dress.width, 1.0])
    down, wide, deep, back = (PROFILE * size).T
    middle = np.outer(down, [0, 1, 0]) + np.outer(back, [0, 0, 1])
    torso = rings(middle, np.outer(wide, [1, 0, 0]), np.outer(deep, [0, 0, 1]), dress.shirt, 22)
    throat = [body.neck + 0.03 * scale * body.frame[1], body.head + 0.03 * body.gaze[1]]
    solids = [torso.moved(body.frame, body.neck), tube(throat, [0.058 * scale, 0.05 * scale], dress.bare)]
    hips = ellipsoid(
        (0.172 * scale * dress.width, 0.13 * scale, 0.125 * scale * dress.width), dress.trousers, 12, 20
    )
    solids.append(hips.moved(body.frame, body.neck + 1.0 * TORSO_M * scale * body.frame[1]))
    for side in ("left", "right"):
        ball = ellipsoid([0.062 * scale] * 3, dress.arm, 8, 12)
        solids.append(ball.moved(body.frame, body.shoulder(side) + 0.01 * scale * body.frame[1]))
    return solids


def head(body: Body) -> list[Solid]:
    """Return the head: skull with a painted face, jaw, nose, ears and hair."""
    dress = body.dress
    x, y, z = half = head_half_m(dress.scale)
    skull = ellipsoid(half, dress.face, 28, 36)
    points = skull.points_m.copy()
    low = np.clip(points[:, 1] / y, 0, 1)
    points[:, 0] *= 1 - 0.28 * low**2
    front = points[:, 2] < 0
    points[front, 2] *= 1 - 0.12 * np.clip(-points[front, 1] / y, 0, 1)
    socket = np.exp(-((np.abs(points[:, 0]) / x - 0.36) ** 2 + (points[:, 1] / y + 0.06) ** 2) / 0.03)
    points[:, 2] += 0.006 * socket * front
    scalp = (points[:, 1] < -dress.hairline * y) | ((points[:, 2] > 0.1 * z) & (points[:, 1] < 0.5 * y))
    if dress.hairline < 1:
        points[scalp] *= 1.09
    skull = Solid(points, skull.at, skull.faces, dress.face)
    nose = tube(
        [
            np.array([0, -0.10 * y, -0.93 * z]),
            np.array([0, 0.12 * y, -1.10 * z]),
            np.array([0, 0.2 * y, -1.0 * z]),
        ],
        [0.10 * x, 0.17 * x, 0.17 * x],
        dress.bare,
        10,
    )
    solids = [skull, nose]
    for sign in (-1, 1):
        ear = ellipsoid((0.012, 0.032, 0.02), dress.bare, 7, 10)
        solids.append(ear.moved(np.eye(3), np.array([sign * 0.98 * x, 0.02, 0.01])))
    if dress.long_hair > 0:
        mane = ellipsoid((1.05 * x, 0.5 * dress.long_hair + 0.6 * y, 0.6 * z), _of_hair(dress.face), 12, 16)
        solids.append(mane.moved(np.eye(3), np.array([0, 0.5 * dress.long_hair - 0.2 * y, 0.55 * z])))
    return [solid.moved(body.gaze, body.head) for solid in solids]


def arm_piece(dress: Dress, shoulder: Float[ndarray, "3"], elbow: Float[ndarray, "3"]) -> list[Solid]:
    """Return an upper arm between two points, with a short sleeve or a long one."""
    scale = dress.scale
    share = np.linspace(0, 1, 6)[:, None]
    path = shoulder + share * (elbow - shoulder)
    radii = scale * np.array([0.052, 0.05, 0.047, 0.043, 0.039, 0.037])
    skin_paint = dress.arm if dress.sleeve is not None else dress.bare
    solids = [tube(path, radii, skin_paint)]
    if dress.upper_sleeve and dress.sleeve is None:
        solids.append(tube(path[:4], 1.13 * radii[:4], dress.shirt))
    return solids


def forearm(dress: Dress, elbow: Float[ndarray, "3"], wrist: Float[ndarray, "3"]) -> Solid:
    """Return a forearm without a hand; its end must be hidden or outside the image."""
    path = elbow + np.linspace(0, 1, 5)[:, None] * (wrist - elbow)
    paint = dress.shirt if dress.sleeve is not None else dress.bare
    return tube(path, dress.scale * np.array([0.037, 0.038, 0.035, 0.029, 0.025]), paint)


def _of_hair(paint: Paint) -> Paint:
    """Return the paint of loose hair."""
    red, green, blue = paint.colours[0]
    return replace(paint, kind="plain", colours=(paint.colours[0], (0.6 * red, 0.6 * green, 0.6 * blue)))
