"""The place of a hand in space: the palm in millimetres, from pose, joints in the image and camera."""

from dataclasses import dataclass

import numpy as np

from latent_hands.shapes import Float, Float64

BONE_SPREAD = 0.1
"""Relative standard deviation of an assumed bone: that of RHD's people is 3.9 mm around 36 mm."""
ALIKE = 3.0
"""Factor on the covariance of the palm, because the errors of the 21 joints of a hand are correlated.

It is fitted to rendered hands (docs/results/depth.md).
"""
STEPS, ENOUGH = 6, 1e-9
"""Most steps of Gauss-Newton, and the relative change of the palm after which it stops."""
NEAREST_MM, FARTHEST_MM = 20.0, 1e5
"""Smallest depth of a joint, and largest distance of a palm, whatever the joints in the image."""


@dataclass(frozen=True)
class Palm:
    """The position of a palm in the camera frame, with its covariance.

    Attributes:
        xyz_mm: (3,) position in millimetres.
        covariance: (3, 3) in square millimetres, from the errors of the joints alone.
    """

    xyz_mm: Float64[np.ndarray, "3"]
    covariance: Float64[np.ndarray, "3 3"]

    def spread_mm(self, bone_spread: float = 0.0, focal_spread: float = 0.0) -> Float64[np.ndarray, "3"]:
        """Return the standard deviation along each axis, with relative errors of bone and focal length.

        The position is proportional to the bone. Its depth is proportional to the focal length; the other two
        coordinates do not depend on it to first order.
        """
        bone = (bone_spread * self.xyz_mm) ** 2
        focal = np.array([0.0, 0.0, (focal_spread * self.xyz_mm[2]) ** 2])
        return np.sqrt(np.diag(self.covariance) + bone + focal)


def place_palm(
    xyz_mm: Float[np.ndarray, "21 3"],
    uv_px: Float[np.ndarray, "21 2"],
    K: Float[np.ndarray, "3 3"],
    spread_px: Float[np.ndarray, "21"] | None = None,
) -> Palm:
    """Return the palm t that minimises the distance of the projected joints from those in the image.

    t = argmin sum_i |project(xyz_i + t, K) - uv_i|^2 / spread_i^2, by Gauss-Newton from the solution of the
    linear equations x_i (z_i + t_z) = xyz_i + t in normalised coordinates.

    Args:
        xyz_mm: joints in the camera frame, relative to the palm.
        uv_px: the same joints in the image.
        K: the image's camera.
        spread_px: standard deviation of each joint in the image, along each axis; equal by default, with the
            size that the residuals have.
    """
    points, uv, camera = (np.asarray(array, np.float64) for array in (xyz_mm, uv_px, K))
    sigma = np.ones(21) if spread_px is None else np.asarray(spread_px, np.float64)
    least = np.array([-FARTHEST_MM, -FARTHEST_MM, NEAREST_MM - points[:, 2].min()])
    t = np.clip(_linear(points, uv, camera, sigma), least, FARTHEST_MM)
    for _ in range(STEPS):
        J, residual = _linearised(points, uv, camera, sigma, t)
        last, t = t, np.clip(t + np.linalg.lstsq(J, residual)[0], least, FARTHEST_MM)
        if np.abs(t - last).max() <= ENOUGH * np.abs(t).max():
            break
    J, residual = _linearised(points, uv, camera, sigma, t)
    variance = 1.0 if spread_px is not None else float(residual @ residual) / (residual.size - 3)
    return Palm(t, ALIKE * variance * np.linalg.pinv(J.T @ J))


def joint_spread_px(
    uv_spread_px: Float[np.ndarray, "21"],
    spread_mm: Float[np.ndarray, "21"],
    xyz_mm: Float[np.ndarray, "21 3"],
    uv_px: Float[np.ndarray, "21 2"],
) -> Float64[np.ndarray, "21"]:
    """Return how far projected joints are from those in the image, one standard deviation along an axis.

    Both err: the joints in the image by `uv_spread_px`, and the pose by `spread_mm`, which the scale of the
    hand turns into pixels.
    """
    px_per_mm = _size(uv_px) / max(_size(xyz_mm[:, :2]), 1e-6)
    pose_px = spread_mm.astype(np.float64) * px_per_mm
    return np.sqrt(uv_spread_px.astype(np.float64) ** 2 / 2 + pose_px**2 / 3).clip(min=1e-3)


def disagreement(pose: Float[np.ndarray, "21 3"], uv: Float[np.ndarray, "21 2"]) -> float:
    """Return how far a pose without perspective is from its joints in the image, in bone lengths.

    `pose` is in the frame of the ray through the hand, in bone lengths; `uv` is in any unit. The pose is
    scaled and moved onto `uv` by least squares. The result is the root mean square distance of the joints,
    divided by the scale.
    """
    flat = pose[:, :2] - pose[:, :2].mean(axis=0)
    seen = uv - uv.mean(axis=0)
    scale = float((flat * seen).sum() / max((flat**2).sum(), 1e-12))
    if scale <= 0:
        return float(np.sqrt((flat**2).sum(axis=1).mean()))
    return float(np.sqrt(((seen / scale - flat) ** 2).sum(axis=1).mean()))


def _linear(points: np.ndarray, uv: np.ndarray, K: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """Return the palm by linear least squares, at a depth at which no joint is behind the camera."""
    ray = np.linalg.solve(K, np.concatenate([uv, np.ones((21, 1))], axis=1).T).T
    rows, values = np.zeros((21, 2, 3)), np.zeros((21, 2))
    rows[:, 0, 0] = rows[:, 1, 1] = 1
    rows[:, :, 2] = -ray[:, :2]
    values[:] = ray[:, :2] * points[:, 2:] - points[:, :2]
    weight = 1 / sigma
    t, *_ = np.linalg.lstsq((rows * weight[:, None, None]).reshape(42, 3), (values * weight[:, None]).ravel())
    if t[2] > NEAREST_MM - points[:, 2].min():
        return t
    depth = np.sqrt(K[0, 0] * K[1, 1]) * _size(points[:, :2]) / max(_size(uv), 1e-6)
    return ray.mean(axis=0) * depth - points.mean(axis=0) * [1, 1, 0]


def _linearised(
    points: np.ndarray, uv: np.ndarray, K: np.ndarray, sigma: np.ndarray, t: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the weighted Jacobian (42, 3) of the projected joints by t, and the weighted residual (42,)."""
    X, Y, Z = (points + t).T
    by_t = np.zeros((21, 2, 3))
    by_t[:, 0, 0] = by_t[:, 1, 1] = 1 / Z
    by_t[:, 0, 2], by_t[:, 1, 2] = -X / Z**2, -Y / Z**2
    J = K[:2, :2] @ by_t
    projected = (points + t) @ K.T
    weight = 1 / sigma
    residual = uv - projected[:, :2] / projected[:, 2:]
    return (J * weight[:, None, None]).reshape(42, 3), (residual * weight[:, None]).ravel()


def _size(points: np.ndarray) -> float:
    """Return the root mean square distance of points from their mean."""
    return float(np.sqrt(((points - points.mean(axis=0)) ** 2).sum(axis=1).mean()))
