"""Hand poses: palm root, scale, canonical frame, viewpoint, mirror images and the ray frame.

Points are rows, so a rotation R maps points X to X @ R. The camera frame has x to the right, y down and z
forward. Joints are in RHD's order (`hand.skeleton`). In WRIST form joint 0 is the wrist; in PALM form it is
the middle of wrist and middle MCP.

All functions are differentiable and accept any leading dimensions (`*batch`). docs/conventions.md has every
convention with its formula.
"""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from latent_hands.errors import HandsError
from latent_hands.hand.skeleton import LITTLE_MCP, MIDDLE_MCP, MIDDLE_PIP, PALM, WRIST

Mx = torch.diag(torch.tensor([-1.0, 1.0, 1.0]))
"""Mirror of the camera frame, left to right: X @ Mx negates x."""
Mz = torch.diag(torch.tensor([1.0, 1.0, -1.0]))
"""Mirror of the canonical frame, palm to back of the hand: X @ Mz negates z."""

_COLLINEAR = 1e-5  # the sine of an angle that float32 cannot distinguish from zero


def to_palm(points: Float[Tensor, "*batch 21 c"]) -> Float[Tensor, "*batch 21 c"]:
    """Convert wrist form to palm form: palm = (wrist + middle MCP) / 2 replaces the wrist as joint 0.

    `points` are joints in any unit and frame, in 3D or 2D. `to_wrist` is the inverse.
    """
    palm = (points[..., WRIST, :] + points[..., MIDDLE_MCP, :]) / 2
    return torch.cat([palm.unsqueeze(-2), points[..., 1:, :]], dim=-2)


def to_wrist(points: Float[Tensor, "*batch 21 c"]) -> Float[Tensor, "*batch 21 c"]:
    """Convert palm form to wrist form: wrist = 2 palm - middle MCP replaces the palm as joint 0.

    `points` are joints in any unit and frame, in 3D or 2D. `to_palm` is the inverse.
    """
    wrist = 2 * points[..., PALM, :] - points[..., MIDDLE_MCP, :]
    return torch.cat([wrist.unsqueeze(-2), points[..., 1:, :]], dim=-2)


def to_palm_visible(visible: Bool[Tensor, "*batch 21"]) -> Bool[Tensor, "*batch 21"]:
    """Convert the visibility of joints from wrist form to palm form: palm = wrist or middle MCP."""
    palm = visible[..., WRIST] | visible[..., MIDDLE_MCP]
    return torch.cat([palm.unsqueeze(-1), visible[..., 1:]], dim=-1)


def normalise(
    xyz_mm: Float[Tensor, "*batch 21 3"],
) -> tuple[Float[Tensor, "*batch 21 3"], Float[Tensor, "*batch"]]:
    """Convert joints in millimetres to a 3DPose and its scale: pose = (xyz_mm - palm_mm) / bone_mm.

    `xyz_mm` are joints in PALM form. Returns (pose, bone_mm): `pose` is relative to the palm, in lengths of
    the middle MCP-PIP bone and in the frame of `xyz_mm`; `bone_mm` is the length of that bone. The inverse is
    pose * bone_mm + palm_mm.

    An unknown hand, which is all NaN, stays unknown. Raises HandsError, with the index of the sample, if the
    length of that bone is not finite and above 0.
    """
    relative_mm = xyz_mm - xyz_mm[..., PALM : PALM + 1, :]
    bone_mm = (relative_mm[..., MIDDLE_MCP, :] - relative_mm[..., MIDDLE_PIP, :]).norm(dim=-1)
    bad = (~(bone_mm > 0) | bone_mm.isinf()) & ~_unknown(xyz_mm)
    _refuse(bad, "the middle MCP-PIP bone must have a finite length above 0 mm")
    return relative_mm / bone_mm[..., None, None], bone_mm


def canonicalise(
    pose: Float[Tensor, "*batch 21 3"], right: Bool[Tensor, "*batch"] | None = None
) -> tuple[Float[Tensor, "*batch 21 3"], Float[Tensor, "*batch 3 3"]]:
    """Split a 3DPose into canonical pose (CPose) and viewpoint V: pose = cpose @ V (paper, Sec. 3.3).

    `pose` is relative to the palm, in any unit. Returns (cpose, V); `cpose` has the unit of `pose`. V is a
    rotation from the canonical frame to the frame of `pose`. Its rows are the axes of the canonical frame of
    Zimmermann & Brox (2017): the palm is at 0, the middle MCP at (0, -D, 0) with D > 0, and the little MCP at
    z = 0 and x > 0.

    `right` marks right hands. Their CPose is returned in left form, with z negated, so that left and right
    hands share one canonical frame: pose = cpose @ Mz @ V. `compose` is the inverse.

    An unknown hand, which is all NaN, stays unknown. Raises HandsError, with the index of the sample, if
    palm, middle MCP and little MCP lie on one line.
    """
    middle, little = pose[..., MIDDLE_MCP, :], pose[..., LITTLE_MCP, :]
    length = middle.norm(dim=-1, keepdim=True)
    e_y = -middle / length
    across = little - (little * e_y).sum(dim=-1, keepdim=True) * e_y
    width = across.norm(dim=-1, keepdim=True)
    flat = ~(width > _COLLINEAR * little.norm(dim=-1, keepdim=True)) | ~(length > 0)
    _refuse(flat.squeeze(-1) & ~_unknown(pose), "palm, middle MCP and little MCP must not lie on one line")
    e_x = across / width
    viewpoint = torch.stack([e_x, e_y, torch.linalg.cross(e_x, e_y)], dim=-2)
    return _left_form(pose @ viewpoint.mT, right), viewpoint


def compose(
    cpose: Float[Tensor, "*batch points 3"],
    viewpoint: Float[Tensor, "*batch 3 3"],
    right: Bool[Tensor, "*batch"] | None = None,
) -> Float[Tensor, "*batch points 3"]:
    """Return the 3DPose of a canonical pose and a viewpoint V: cpose @ V, or cpose @ Mz @ V where `right`.

    The 3DPose has the unit of `cpose` and is relative to the palm. `canonicalise` is the inverse.
    """
    return _left_form(cpose, right) @ viewpoint


def mirror(xyz: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
    """Mirror points left to right: X @ Mx, which negates x. A left hand becomes a right hand.

    The canonical pose in left form does not change, and the viewpoint V becomes Mz @ V @ Mx.
    """
    return xyz @ Mx.to(xyz)


def in_plane(angle: float | Float[Tensor, "*batch"]) -> Float[Tensor, "*batch 3 3"]:
    """Return the rotation Rz(angle) about the optical axis, in radians.

    X @ Rz turns x towards y: clockwise in the image. The viewpoint V of a rotated hand is V @ Rz.
    """
    angle = torch.as_tensor(angle)
    cos, sin = angle.cos(), angle.sin()
    zero, one = torch.zeros_like(cos), torch.ones_like(cos)
    rows = [cos, sin, zero, -sin, cos, zero, zero, zero, one]
    return torch.stack(rows, dim=-1).unflatten(-1, (3, 3))


def nearest_rotation(matrix: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Return the rotation R that minimises the Frobenius norm of R - matrix (Procrustes problem).

    R = U diag(1, 1, det(U V^T)) V^T, where matrix = U S V^T is the singular value decomposition.
    """
    U, _, Vt = torch.linalg.svd(matrix)
    last = (U @ Vt).det()[..., None, None] * Vt[..., 2:, :]
    return U @ torch.cat([Vt[..., :2, :], last], dim=-2)


def geodesic_deg(a: Float[Tensor, "*batch 3 3"], b: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch"]:
    """Return the angle of the rotation from `a` to `b`, in degrees from 0 to 180."""
    import roma  # takes more than a second, and estimates do without it

    return roma.rotmat_geodesic_distance(a, b) * (180 / math.pi)


def ray_rotation(
    K: Float[Tensor, "*batch 3 3"], centre_px: Float[Tensor, "*batch 2"]
) -> Float[Tensor, "*batch 3 3"]:
    """Return the rotation R from the camera frame to the ray frame of a pixel: X_ray = X @ R.

    The z axis of the ray frame is the ray K^-1 (u, v, 1) through the pixel `centre_px` = (u, v). R is the
    shortest rotation with ray @ R = (0, 0, 1). The viewpoint V becomes V @ R, and X_ray @ R^T is the inverse.

    In the camera frame, hands of one pose look different at different places of the image. In the ray frame
    of a crop's centre, the appearance of the crop determines the pose.
    """
    pixel = torch.cat([centre_px, torch.ones_like(centre_px[..., :1])], dim=-1)
    ray = torch.linalg.solve(K, pixel)
    x, y, z = (ray / ray.norm(dim=-1, keepdim=True)).unbind(-1)
    xx, xy, yy = (product / (1 + z) for product in (x * x, x * y, y * y))
    rows = [1 - xx, -xy, x, -xy, 1 - yy, y, -x, -y, z]
    return torch.stack(rows, dim=-1).unflatten(-1, (3, 3))


def crop_ray_rotation(K: Float[Tensor, "*batch 3 3"], crop_px: int) -> Float[Tensor, "*batch 3 3"]:
    """Return `ray_rotation` of the centre of square images of `crop_px` pixels."""
    return ray_rotation(K, K.new_full((*K.shape[:-2], 2), (crop_px - 1) / 2))


def place(pose: Float[Tensor, "*batch 21 3"], uv: Float[Tensor, "*batch 21 2"]) -> Float[Tensor, "*batch 3"]:
    """Return position and size of a hand in an image: the palm's (u, v), and ln of the length of a bone.

    `pose` is relative to the palm, in bone lengths; `uv` are its joints in the image, in any unit, with the
    palm as joint 0. The size s is the one of a camera without perspective: it minimises
    sum_j |uv_j - uv_palm - s pose_j,xy|^2 over the known joints, and is bounded from below by 1e-3. It is
    unknown (NaN) if the pose or the palm is.
    """
    palm, offset = uv[..., PALM, :], uv - uv[..., PALM : PALM + 1, :]
    known = ~uv.isnan() | palm.isnan().unsqueeze(-2)
    flat = pose[..., :2].where(known, 0)
    offset = offset.where(known, 0)
    size = (offset * flat).sum(dim=(-2, -1)) / flat.square().sum(dim=(-2, -1)).clamp(min=1e-12)
    return torch.cat([palm, size.clamp(min=1e-3).log()[..., None]], dim=-1)


def _left_form(cpose: Tensor, right: Tensor | None) -> Tensor:
    return cpose if right is None else torch.where(right[..., None, None], cpose @ Mz.to(cpose), cpose)


def _unknown(points: Tensor) -> Tensor:
    """Return which hands are unknown: all of their numbers are NaN."""
    return points.isnan().all(dim=-1).all(dim=-1)


def _refuse(bad: Tensor, rule: str) -> None:
    """Raise HandsError for the first bad sample, with its index in the leading dimensions."""
    if bad.any():
        index = ", ".join(str(i) for i in bad.nonzero()[0].tolist())
        raise HandsError(f"degenerate hand{f' at sample {index}' if index else ''}: {rule}")
