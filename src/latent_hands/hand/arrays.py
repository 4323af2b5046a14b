"""The geometry of predicted hands for numpy arrays: what a model without torch needs of `geometry`.

Points are rows. docs/conventions.md has every convention with its formula.
"""

import math

import numpy as np

from latent_hands.errors import HandsError
from latent_hands.hand.skeleton import LITTLE_MCP, MIDDLE_MCP, MIDDLE_PIP, PALM
from latent_hands.shapes import Float, Float32

Mx = np.diag(np.array([-1, 1, 1], np.float32))
Mz = np.diag(np.array([1, 1, -1], np.float32))


def wrist_form(points: Float[np.ndarray, "*batch 21 c"]) -> Float[np.ndarray, "*batch 21 c"]:
    """Return joints with the wrist in place of the palm, as `geometry.to_wrist` does."""
    wrist = 2 * points[..., PALM, :] - points[..., MIDDLE_MCP, :]
    return np.concatenate([wrist[..., None, :], points[..., 1:, :]], axis=-2)


def centred_camera(focal_px: float, size_px: tuple[int, int]) -> Float32[np.ndarray, "3 3"]:
    """Return the K of a camera whose optical axis goes through the centre of an image, as `camera` does.

    Raises HandsError if the focal length is not finite and above 0 px.
    """
    if not (math.isfinite(focal_px) and focal_px > 0):
        raise HandsError(
            f"the focal length is {focal_px} px; it must be above 0, and is usually near the longer side"
        )
    height, width = size_px
    return np.array([[focal_px, 0, (width - 1) / 2], [0, focal_px, (height - 1) / 2], [0, 0, 1]], np.float32)


def ray_rotation(K: Float[np.ndarray, "3 3"], centre_px: tuple[float, float]) -> Float32[np.ndarray, "3 3"]:
    """Return the rotation from the camera frame to the ray frame of a pixel, as `geometry` does."""
    ray = np.linalg.solve(K.astype(np.float32), np.array([*centre_px, 1], np.float32))
    x, y, z = ray / np.linalg.norm(ray)
    xx, xy, yy = (product / (1 + z) for product in (x * x, x * y, y * y))
    return np.array([[1 - xx, -xy, x], [-xy, 1 - yy, y], [-x, -y, z]], np.float32)


def nearest_rotation(matrix: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "3 3"]:
    """Return the rotation that minimises the Frobenius norm of the difference, as `geometry` does."""
    U, _, Vt = np.linalg.svd(matrix)
    return U @ np.diag([1, 1, np.linalg.det(U @ Vt)]).astype(matrix.dtype) @ Vt


def normalise(xyz: Float[np.ndarray, "21 3"]) -> Float[np.ndarray, "21 3"]:
    """Return joints in palm form relative to the palm, in lengths of the middle MCP-PIP bone.

    Raises HandsError if that bone has no finite length above 0.
    """
    relative = xyz - xyz[PALM]
    bone = float(np.linalg.norm(relative[MIDDLE_MCP] - relative[MIDDLE_PIP]))
    if not (math.isfinite(bone) and bone > 0):
        raise HandsError("the middle MCP-PIP bone must have a finite length above 0 mm")
    return relative / np.float32(bone)


def canonicalise(
    pose: Float[np.ndarray, "21 3"], right: bool = False
) -> tuple[Float[np.ndarray, "21 3"], Float[np.ndarray, "3 3"]]:
    """Return canonical pose and viewpoint of a pose, as `geometry.canonicalise` does.

    Raises HandsError if palm, middle MCP and little MCP lie on one line.
    """
    middle, little = pose[MIDDLE_MCP], pose[LITTLE_MCP]
    length = np.linalg.norm(middle)
    e_y = -middle / max(length, np.float32(1e-12))
    across = little - (little @ e_y) * e_y
    width = np.linalg.norm(across)
    if not (width > 1e-5 * np.linalg.norm(little) and length > 0):
        raise HandsError("palm, middle MCP and little MCP must not lie on one line")
    e_x = across / width
    viewpoint = np.stack([e_x, e_y, np.cross(e_x, e_y)])
    cpose = pose @ viewpoint.T
    return (cpose @ Mz if right else cpose), viewpoint
