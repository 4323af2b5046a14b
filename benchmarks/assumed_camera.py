"""Joints in millimetres before an assumed camera, from measured 2D joints and a pose without position.

A detector such as MediaPipe gives 2D joints in pixels and 3D joints relative to the hand. A label needs both
in one camera frame: `place_before_camera` moves the 3D joints so that they project near the 2D joints.
"""

import math

import numpy as np
from scipy.spatial.transform import Rotation

FIELD_OF_VIEW_DEG = 40.0


def assumed_camera(width: int, height: int, field_of_view_deg: float = FIELD_OF_VIEW_DEG) -> np.ndarray:
    """Return K (3, 3) of a camera with this field of view over the longer side of the image."""
    focal_px = max(width, height) / 2 / math.tan(math.radians(field_of_view_deg) / 2)
    return np.array([[focal_px, 0, (width - 1) / 2], [0, focal_px, (height - 1) / 2], [0, 0, 1]])


def rays(uv_px: np.ndarray, K: np.ndarray) -> np.ndarray:
    """Return the points (n, 3) at depth 1 that project to these pixels (n, 2)."""
    return np.column_stack([uv_px, np.ones(len(uv_px))]) @ np.linalg.inv(K).T


def project(xyz_mm: np.ndarray, K: np.ndarray) -> np.ndarray:
    """Return the pixels (n, 2) of points (n, 3) in the camera frame."""
    uvw = xyz_mm @ K.T
    return uvw[:, :2] / uvw[:, 2:]


def ray_rotation(ray: np.ndarray) -> np.ndarray:
    """Return the shortest rotation R (rows: X @ R) from the optical axis to a ray (3,)."""
    axis = np.cross([0, 0, 1.0], ray)
    sine, cosine = np.linalg.norm(axis), ray[2]
    if sine < 1e-9:
        return np.eye(3)
    return Rotation.from_rotvec(axis / sine * math.atan2(sine, cosine)).as_matrix().T


def translation(pose_mm: np.ndarray, uv_px: np.ndarray, K: np.ndarray) -> np.ndarray:
    """Return t (3,) for which pose_mm + t (n, 3) projects nearest to uv_px, by linear least squares."""
    x, y = rays(uv_px, K)[:, :2].T
    zero, one = np.zeros_like(x), np.ones_like(x)
    equations = np.concatenate([np.column_stack([one, zero, -x]), np.column_stack([zero, one, -y])])
    known = np.concatenate([x * pose_mm[:, 2] - pose_mm[:, 0], y * pose_mm[:, 2] - pose_mm[:, 1]])
    return np.linalg.lstsq(equations, known, rcond=None)[0]


def place_before_camera(pose_mm: np.ndarray, uv_px: np.ndarray, K: np.ndarray, centre: int) -> np.ndarray:
    """Return the joints (n, 3) in the camera frame, moved so that they project nearest to uv_px (n, 2).

    `pose_mm` (n, 3) has the axes of a camera that looks at the hand: it is turned to the ray of the joint
    `centre`, and no further. Turning it until the projections fit best makes its 3D worse.
    """
    turned = pose_mm @ ray_rotation(rays(uv_px[[centre]], K)[0])
    return turned + translation(turned, uv_px, K)
