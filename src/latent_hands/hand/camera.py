"""The camera, the crop, and the one warp that moves image, labels and camera together.

Pixels have their centres at integers: the middle of an image of S x S pixels is at (S-1)/2.
A warp is a 3x3 similarity W that takes a pixel (u, v, 1)^T of the source image to one of the crop.
"""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import grid_sample

from latent_hands.errors import HandsError
from latent_hands.hand.geometry import in_plane
from latent_hands.hand.skeleton import MIDDLE_MCP, MIDDLE_PIP, PALM

SCENE_BONES = 7.2
"""Side of a scene's window in middle MCP-PIP bones: an open hand about its palm just fits."""


def project(xyz: Float[Tensor, "*batch n 3"], K: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch n 2"]:
    """Pixels of points in the camera frame (any unit), by the pinhole camera K."""
    uvw = xyz @ K.mT
    return uvw[..., :2] / uvw[..., 2:]


def centred_camera(focal_px: float, size_px: tuple[int, int]) -> Float[Tensor, "3 3"]:
    """The K of square pixels whose axis goes through the middle of a (height, width) image.

    Raises HandsError for a focal length that is not above 0 px.
    """
    if not (math.isfinite(focal_px) and focal_px > 0):
        raise HandsError(f"the focal length is {focal_px} px; legal: above 0, near the image's longer side")
    height, width = size_px
    return torch.tensor([[focal_px, 0, (width - 1) / 2], [0, focal_px, (height - 1) / 2], [0, 0, 1]])


def crop_box(
    uv_px: Float[Tensor, "*batch 21 2"], visible: Bool[Tensor, "*batch 21"], size_px: tuple[int, int]
) -> tuple[Float[Tensor, "*batch 2"], Float[Tensor, "*batch"]]:
    """The ground-truth crop of hand3d (Zimmermann & Brox 2017): (centre, side) of a square, in pixels.

    Takes joints in PALM form and the image's (height, width). The centre c is the middle MCP; the size is
    2 max(max(uv) - c, c - min(uv)) over both axes and the visible joints, their box clipped to the image,
    clamped to 50..500 px (200 px where no joint is visible); the side is 256/s with s = 256/size clamped to
    1..10. So the side lies in 50..256 px.
    """
    height, width = size_px
    centre = uv_px[..., MIDDLE_MCP, :]
    corner = uv_px.new_tensor([width, height])
    seen = visible[..., None]
    low = uv_px.where(seen, torch.inf).amin(dim=-2).clamp(min=0)
    high = uv_px.where(seen, -torch.inf).amax(dim=-2).minimum(corner)
    size = 2 * torch.maximum(high - centre, centre - low).amax(dim=-1)
    size = size.clamp(50, 500).where(visible.any(dim=-1), 200)
    return centre, 256 / (256 / size).clamp(1, 10)


def palm_box(
    xyz_mm: Float[Tensor, "*batch 21 3"], K: Float[Tensor, "*batch 3 3"]
) -> tuple[Float[Tensor, "*batch 2"], Float[Tensor, "*batch"]]:
    """The crop of synthesis: (centre, side) of a square about the palm, in pixels.

    Takes joints in PALM form, in the camera frame. The side is that of SCENE_BONES middle bones at the
    palm's depth. Neither fingers nor viewpoint move it, so no background moves with the pose.
    """
    palm = xyz_mm[..., PALM, :]
    bone_mm = (xyz_mm[..., MIDDLE_MCP, :] - xyz_mm[..., MIDDLE_PIP, :]).norm(dim=-1)
    focal_px = (K[..., 0, 0] * K[..., 1, 1]).sqrt()
    return project(palm[..., None, :], K).squeeze(-2), SCENE_BONES * bone_mm * focal_px / palm[..., 2]


def warp_matrix(
    centre: Float[Tensor, "*batch 2"],
    side_px: float | Float[Tensor, "*batch"],
    out_px: int,
    angle: float | Float[Tensor, "*batch"] = 0.0,
    scale: float | Float[Tensor, "*batch"] = 1.0,
    shift: float | Float[Tensor, "*batch 2"] = 0.0,
    flip: bool | Bool[Tensor, "*batch"] = False,
) -> Float[Tensor, "*batch 3 3"]:
    """The warp of the source square of side `side_px` around `centre` onto `out_px` x `out_px` pixels.

    On the way the image is mirrored left to right about `centre` (`flip`), turned about it by `angle`
    (radians, clockwise), magnified by `scale`, and at last moved by `shift` (crop pixels).
    """
    batch = centre.shape[:-1]

    def each(value: float | bool | Tensor) -> Tensor:
        return torch.as_tensor(value, device=centre.device).to(centre.dtype).expand(batch)

    turn = in_plane(each(angle))[..., :2, :2].mT
    handed = torch.stack([1 - 2 * each(flip), torch.ones_like(each(1.0))], dim=-1)
    zoom = each(scale) * out_px / each(side_px)
    linear = zoom[..., None, None] * turn * handed[..., None, :]
    moved = (out_px - 1) / 2 + torch.as_tensor(shift, device=centre.device).to(centre.dtype)
    offset = moved - (linear @ centre[..., None]).squeeze(-1)
    last = centre.new_tensor([0.0, 0.0, 1.0]).expand(*batch, 1, 3)
    return torch.cat([torch.cat([linear, offset[..., None]], dim=-1), last], dim=-2)


def warp_points(
    uv_px: Float[Tensor, "*batch n 2"], W: Float[Tensor, "*batch 3 3"]
) -> Float[Tensor, "*batch n 2"]:
    """Where the warp takes pixels."""
    return uv_px @ W[..., :2, :2].mT + W[..., None, :2, 2]


def warp_rotation(W: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3 3"]:
    """What the warp does to points of the camera frame: X @ R, with R = Rz(angle), or Mx Rz(angle) in a flip.

    The viewpoint of a warp that does not flip becomes V @ R; after a flip canonicalise anew.
    """
    linear = W[..., :2, :2].mT
    rotation = torch.eye(3).to(W).repeat(*W.shape[:-2], 1, 1)
    rotation[..., :2, :2] = linear / linear.det().abs().sqrt()[..., None, None]
    return rotation


def warp_camera(
    K: Float[Tensor, "*batch 3 3"], W: Float[Tensor, "*batch 3 3"]
) -> Float[Tensor, "*batch 3 3"]:
    """The camera K' of the warped image, in which it shows the points X @ warp_rotation(W).

    project(X @ warp_rotation(W), K') = warp_points(project(X, K), W), exactly. With square pixels (fx = fy)
    K' is again a focal length and a principal point: turning an image about ANY centre turns the points
    about the optical axis and moves the principal point.
    """
    return W @ K @ warp_rotation(W)


def warp_images(
    images: Float[Tensor, "batch c h w"], W: Float[Tensor, "batch 3 3"], out_px: int
) -> Float[Tensor, "batch c {out_px} {out_px}"]:
    """The warped images, bilinear; beyond the source's border lies 0, mid-grey in [-1, 1]."""
    height, width = images.shape[-2:]
    unit = W.new_tensor([[2 / width, 0, 1 / width - 1], [0, 2 / height, 1 / height - 1], [0, 0, 1]])
    across, down, start = (unit @ torch.linalg.inv(W))[:, :2].unbind(dim=-1)  # crop pixels to -1..1
    steps = torch.arange(out_px, device=W.device, dtype=W.dtype)
    planes = (across[..., None] * steps)[:, :, None] + (down[..., None] * steps)[..., None]
    grid = (planes + start[..., None, None]).permute(0, 2, 3, 1)
    return grid_sample(images, grid.to(images.dtype), align_corners=False)
