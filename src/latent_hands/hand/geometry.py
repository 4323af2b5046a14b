"""Poses: the palm root, the bone unit, the canonical frame and viewpoint, mirror images, the ray frame.

Points are rows, so a rotation R acts as X @ R. The camera frame has x to the right, y down, z forward.
All functions are differentiable and take any leading dimensions.
"""

import math

import roma
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from latent_hands.errors import HandsError
from latent_hands.hand.skeleton import LITTLE_MCP, MIDDLE_MCP, MIDDLE_PIP, PALM, WRIST

Mx = torch.diag(torch.tensor([-1.0, 1.0, 1.0]))
"""The mirror of the camera frame, left to right: X @ Mx."""
Mz = torch.diag(torch.tensor([1.0, 1.0, -1.0]))
"""The mirror of the canonical frame, palm to back: X_can @ Mz."""

_COLLINEAR = 1e-5  # sine of an angle that float32 no longer tells from zero


def to_palm(points: Float[Tensor, "*batch 21 c"]) -> Float[Tensor, "*batch 21 c"]:
    """Wrist form to palm form: joint 0 becomes the middle of wrist and middle MCP, in 3D or in 2D."""
    palm = (points[..., WRIST, :] + points[..., MIDDLE_MCP, :]) / 2
    return torch.cat([palm.unsqueeze(-2), points[..., 1:, :]], dim=-2)


def to_wrist(points: Float[Tensor, "*batch 21 c"]) -> Float[Tensor, "*batch 21 c"]:
    """Palm form to wrist form, the inverse of `to_palm`: wrist = 2 palm - middle MCP."""
    wrist = 2 * points[..., PALM, :] - points[..., MIDDLE_MCP, :]
    return torch.cat([wrist.unsqueeze(-2), points[..., 1:, :]], dim=-2)


def to_palm_visible(visible: Bool[Tensor, "*batch 21"]) -> Bool[Tensor, "*batch 21"]:
    """Visibility in palm form: the palm is visible if the wrist or the middle MCP is."""
    palm = visible[..., WRIST] | visible[..., MIDDLE_MCP]
    return torch.cat([palm.unsqueeze(-1), visible[..., 1:]], dim=-1)


def normalise(
    xyz_mm: Float[Tensor, "*batch 21 3"],
) -> tuple[Float[Tensor, "*batch 21 3"], Float[Tensor, "*batch"]]:
    """The 3DPose and its scale: joints relative to the palm, in lengths of the middle MCP-PIP bone.

    Takes joints in PALM form; returns (pose in bones, bone_mm), with xyz_mm - palm_mm = pose * bone_mm.
    Raises `HandsError` naming the sample if that bone has no length.
    """
    relative_mm = xyz_mm - xyz_mm[..., PALM : PALM + 1, :]
    bone_mm = (relative_mm[..., MIDDLE_MCP, :] - relative_mm[..., MIDDLE_PIP, :]).norm(dim=-1)
    _refuse(~(bone_mm > 0) | bone_mm.isinf(), "the middle MCP-PIP bone must have a finite length above 0 mm")
    return relative_mm / bone_mm[..., None, None], bone_mm


def canonicalise(
    pose: Float[Tensor, "*batch 21 3"], right: Bool[Tensor, "*batch"] | None = None
) -> tuple[Float[Tensor, "*batch 21 3"], Float[Tensor, "*batch 3 3"]]:
    """Splits a 3DPose into CPose and viewpoint V, with pose = cpose @ V (Sec. 3.3 of the paper).

    The canonical frame of Zimmermann & Brox (2017): palm at 0, middle MCP at (0, -D, 0), little MCP at z = 0,
    x > 0. Where `right`, the CPose is stored in left form (z negated): pose = (cpose @ Mz) @ V.
    Units are kept. Raises `HandsError` naming the sample if palm, middle MCP and little MCP lie on a line.
    """
    middle, little = pose[..., MIDDLE_MCP, :], pose[..., LITTLE_MCP, :]
    length = middle.norm(dim=-1, keepdim=True)
    e_y = -middle / length
    across = little - (little * e_y).sum(dim=-1, keepdim=True) * e_y
    width = across.norm(dim=-1, keepdim=True)
    flat = ~(width > _COLLINEAR * little.norm(dim=-1, keepdim=True)) | ~(length > 0)
    _refuse(flat.squeeze(-1), "palm, middle MCP and little MCP must not lie on one line")
    e_x = across / width
    viewpoint = torch.stack([e_x, e_y, torch.linalg.cross(e_x, e_y)], dim=-2)
    return _left_form(pose @ viewpoint.mT, right), viewpoint


def compose(
    cpose: Float[Tensor, "*batch 21 3"],
    viewpoint: Float[Tensor, "*batch 3 3"],
    right: Bool[Tensor, "*batch"] | None = None,
) -> Float[Tensor, "*batch 21 3"]:
    """The 3DPose of a CPose seen from a viewpoint: cpose @ V, or cpose @ Mz @ V where `right`."""
    return _left_form(cpose, right) @ viewpoint


def mirror(xyz: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
    """The mirror image, x -> -x: of a left hand a right one. CPose (left form) stays, V becomes Mz V Mx."""
    return xyz @ Mx.to(xyz)


def in_plane(angle: float | Float[Tensor, "*batch"]) -> Float[Tensor, "*batch 3 3"]:
    """Rz(angle), radians: X @ Rz turns x towards y, clockwise in the image; V becomes V @ Rz."""
    angle = torch.as_tensor(angle)
    cos, sin = angle.cos(), angle.sin()
    zero, one = torch.zeros_like(cos), torch.ones_like(cos)
    rows = [cos, sin, zero, -sin, cos, zero, zero, zero, one]
    return torch.stack(rows, dim=-1).unflatten(-1, (3, 3))


def nearest_rotation(matrix: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3 3"]:
    """The rotation nearest to any 3x3 matrix in the Frobenius norm (special orthogonal Procrustes)."""
    return roma.special_procrustes(matrix)  # pyright: ignore[reportReturnType]


def geodesic_deg(a: Float[Tensor, "*batch 3 3"], b: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch"]:
    """The angle of the rotation between two rotations, in degrees 0..180."""
    return roma.rotmat_geodesic_distance(a, b) * (180 / math.pi)


def ray_rotation(
    K: Float[Tensor, "*batch 3 3"], centre_px: Float[Tensor, "*batch 2"]
) -> Float[Tensor, "*batch 3 3"]:
    """The rotation R that takes points from the camera frame into the ray frame, X @ R, and V into V @ R.

    The ray frame looks along the ray K^-1 (u, v, 1) through the pixel `centre_px`: ray @ R = e_z, by the
    shortest rotation. In it the look of a crop around that pixel determines the pose; X_ray @ R^T goes back.
    """
    pixel = torch.cat([centre_px, torch.ones_like(centre_px[..., :1])], dim=-1)
    ray = torch.linalg.solve(K, pixel)
    x, y, z = (ray / ray.norm(dim=-1, keepdim=True)).unbind(-1)
    xx, xy, yy = (product / (1 + z) for product in (x * x, x * y, y * y))
    rows = [1 - xx, -xy, x, -xy, 1 - yy, y, -x, -y, z]
    return torch.stack(rows, dim=-1).unflatten(-1, (3, 3))


def _left_form(cpose: Tensor, right: Tensor | None) -> Tensor:
    return cpose if right is None else torch.where(right[..., None, None], cpose @ Mz.to(cpose), cpose)


def _refuse(bad: Tensor, rule: str) -> None:
    """Raises for the first bad sample, by its index in the leading dimensions."""
    if bad.any():
        index = ", ".join(str(i) for i in bad.nonzero()[0].tolist())
        raise HandsError(f"degenerate hand{f' at sample {index}' if index else ''}: {rule}")
