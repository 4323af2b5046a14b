"""The camera, the crops, and the warp that moves image, labels and camera together.

Pixel centres are at integers: the centre of an image of S x S pixels is at (S - 1) / 2. The camera frame has
x to the right, y down and z forward. A camera is a pinhole camera K (3, 3) without lens distortion.

A warp is a similarity W (3, 3) that maps a pixel of the source image to a pixel of the crop, as columns:
(u', v', 1)^T = W (u, v, 1)^T. docs/conventions.md has every convention with its formula.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import grid_sample

from latent_hands.hand import arrays
from latent_hands.hand.boxes import SCENE_BONES
from latent_hands.hand.geometry import in_plane
from latent_hands.hand.skeleton import MIDDLE_MCP, MIDDLE_PIP, PALM


def project(xyz: Float[Tensor, "*batch n 3"], K: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch n 2"]:
    """Project points of the camera frame, in any unit, to pixels: (u, v) = (K X)_xy / (K X)_z."""
    uvw = xyz @ K.mT
    return uvw[..., :2] / uvw[..., 2:]


def centred_camera(focal_px: float, size_px: tuple[int, int]) -> Float[Tensor, "3 3"]:
    """Return the K of a camera with square pixels and its optical axis through the centre of the image.

    `size_px` is (height, width). The principal point is ((width - 1) / 2, (height - 1) / 2).

    Raises HandsError if the focal length is not finite and above 0 px.
    """
    return torch.from_numpy(arrays.centred_camera(focal_px, size_px))


def crop_box(
    uv_px: Float[Tensor, "*batch 21 2"], visible: Bool[Tensor, "*batch 21"], size_px: tuple[int, int]
) -> tuple[Float[Tensor, "*batch 2"], Float[Tensor, "*batch"]]:
    """Return the ground-truth crop of hand3d (Zimmermann & Brox 2017): (centre, side) of a square, in pixels.

    `uv_px` and `visible` are joints in PALM form, `size_px` is (height, width) of the image. The centre c is
    the middle MCP. The size of the hand is 2 max(max(uv) - c, c - min(uv)), over both axes and the visible
    joints, whose box is clipped to the image. It is clamped to 50..500 px, and is 200 px if no joint is
    visible. The side is 256 / s with s = 256 / size clamped to 1..10; so it lies in 50..256 px.
    """
    height, width = size_px
    centre = uv_px[..., MIDDLE_MCP, :]
    corner = uv_px.new_tensor([width, height])
    low = uv_px.where(visible[..., None], torch.inf).amin(dim=-2).clamp(min=0)
    high = uv_px.where(visible[..., None], -torch.inf).amax(dim=-2).minimum(corner)
    size = 2 * torch.maximum(high - centre, centre - low).amax(dim=-1)
    size = size.clamp(50, 500).where(visible.any(dim=-1), 200)
    return centre, 256 / (256 / size).clamp(1, 10)


def palm_box(
    xyz_mm: Float[Tensor, "*batch 21 3"], K: Float[Tensor, "*batch 3 3"]
) -> tuple[Float[Tensor, "*batch 2"], Float[Tensor, "*batch"]]:
    """Return the crop of image synthesis, the box of a scene: (centre, side) of a square, in pixels.

    `xyz_mm` are joints in PALM form, in the camera frame. The centre is the projected palm. The side is
    SCENE_BONES middle MCP-PIP bones at the depth of the palm: SCENE_BONES bone_mm sqrt(fx fy) / palm_z. The
    crop does not depend on fingers and viewpoint, so the background does not move with the pose.
    """
    palm = xyz_mm[..., PALM, :]
    bone_mm = (xyz_mm[..., MIDDLE_MCP, :] - xyz_mm[..., MIDDLE_PIP, :]).norm(dim=-1)
    focal_px = (K[..., 0, 0] * K[..., 1, 1]).sqrt()
    return project(palm[..., None, :], K).squeeze(-2), SCENE_BONES * bone_mm * focal_px / palm[..., 2]


def to_crop_units(uv_px: Float[Tensor, "*batch 2"], crop_px: int) -> Float[Tensor, "*batch 2"]:
    """Return pixels of a crop in units in which the crop spans -1..1: (uv_px - (S - 1) / 2) / (S / 2)."""
    return (uv_px - (crop_px - 1) / 2) / (crop_px / 2)


def warp_matrix(
    centre: Float[Tensor, "*batch 2"],
    side_px: float | Float[Tensor, "*batch"],
    out_px: int,
    angle: float | Float[Tensor, "*batch"] = 0.0,
    scale: float | Float[Tensor, "*batch"] = 1.0,
    shift: float | Float[Tensor, "*batch 2"] = 0.0,
    flip: bool | Bool[Tensor, "*batch"] = False,
) -> Float[Tensor, "*batch 3 3"]:
    """Return the warp W of the square of side `side_px` around `centre` to a crop of `out_px` pixels a side.

    `centre` is a pixel of the source image. In this order, the image is mirrored left to right about `centre`
    (`flip`), rotated about it by `angle` (radians, clockwise), magnified by `scale`, and moved by `shift`
    (pixels of the crop). Without these, W (u, v, 1)^T = (z u + a, z v + b, 1)^T with z = out_px / side_px,
    and `centre` lands on the centre of the crop.
    """
    batch = centre.shape[:-1]

    def each(value: float | bool | Tensor) -> Tensor:
        return torch.as_tensor(value, device=centre.device).to(centre.dtype).expand(batch)

    rotation = in_plane(each(angle))[..., :2, :2].mT
    mirror = torch.stack([1 - 2 * each(flip), torch.ones_like(each(1.0))], dim=-1)
    zoom = each(scale) * out_px / each(side_px)
    linear = zoom[..., None, None] * rotation * mirror[..., None, :]
    moved = (out_px - 1) / 2 + torch.as_tensor(shift, device=centre.device).to(centre.dtype)
    offset = moved - (linear @ centre[..., None]).squeeze(-1)
    last = centre.new_tensor([0.0, 0.0, 1.0]).expand(*batch, 1, 3)
    return torch.cat([torch.cat([linear, offset[..., None]], dim=-1), last], dim=-2)


def mirrored_warp(W: Float[Tensor, "*batch 3 3"], out_px: int) -> Float[Tensor, "*batch 3 3"]:
    """Return the warp whose crop of `out_px` pixels a side is the mirror image of that of W."""
    mirror = torch.eye(3).to(W)
    mirror[0, 0], mirror[0, 2] = -1, out_px - 1
    return mirror @ W


def warp_points(
    uv_px: Float[Tensor, "*batch n 2"], W: Float[Tensor, "*batch 3 3"]
) -> Float[Tensor, "*batch n 2"]:
    """Map pixels of the source image to pixels of the crop: (u', v', 1)^T = W (u, v, 1)^T."""
    return uv_px @ W[..., :2, :2].mT + W[..., None, :2, 2]


def warp_rotation(W: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Return what the warp does to points of the camera frame, X -> X @ R: R = Rz(angle), or Mx Rz(angle).

    The second form holds for a warp that flips; it is a reflection. Without a flip the viewpoint V becomes
    V @ R. After a flip, the handedness changes; compute the viewpoint by `geometry.canonicalise`.
    """
    linear = W[..., :2, :2].mT
    rotation = torch.eye(3).to(W).repeat(*W.shape[:-2], 1, 1)
    rotation[..., :2, :2] = linear / linear.det().abs().sqrt()[..., None, None]
    return rotation


def warp_camera(
    K: Float[Tensor, "*batch 3 3"], W: Float[Tensor, "*batch 3 3"]
) -> Float[Tensor, "*batch 3 3"]:
    """Return the camera K' = W K R of the crop, with R = warp_rotation(W).

    K' shows the points X @ R where the crop shows X, exactly:
    project(X @ warp_rotation(W), K') = warp_points(project(X, K), W).

    If the pixels of K are square (fx = fy), so are those of K'. A rotation of the image about any centre
    rotates the points about the optical axis and moves the principal point.
    """
    return W @ K @ warp_rotation(W)


def warp_images(
    images: Float[Tensor, "batch c h w"], W: Float[Tensor, "batch 3 3"], out_px: int
) -> Float[Tensor, "batch c {out_px} {out_px}"]:
    """Return the crops of the images: crop(W p) = image(p), interpolated bilinearly.

    `images` are in [-1, 1]. Pixels from outside the source image are 0, which is mid-grey.
    """
    height, width = images.shape[-2:]
    unit = W.new_tensor([[2 / width, 0, 1 / width - 1], [0, 2 / height, 1 / height - 1], [0, 0, 1]])
    across, down, start = (unit @ torch.linalg.inv(W))[:, :2].unbind(dim=-1)  # crop pixels to -1..1
    steps = torch.arange(out_px, device=W.device, dtype=W.dtype)
    planes = (across[..., None] * steps)[:, :, None] + (down[..., None] * steps)[..., None]
    grid = (planes + start[..., None, None]).permute(0, 2, 3, 1)
    return grid_sample(images, grid.to(images.dtype), align_corners=False)
