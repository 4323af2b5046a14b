"""Augmentation: the crops that training sees, image and labels moved by one and the same warp."""

import math
from collections.abc import Collection

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from latent_hands.data.augmentation import Augmentation, appearance
from latent_hands.data.augmentation.jpeg import jpeg
from latent_hands.data.augmentation.occluders import occlude
from latent_hands.data.windows import IMAGE_KEYS, LABELS, POSE_KEYS, Windows, available, check_keys
from latent_hands.errors import HandsError
from latent_hands.hand import camera, geometry
from latent_hands.pixels import GREY_LEVELS

Batch = dict[str, Tensor]

_MADE = IMAGE_KEYS | POSE_KEYS | {"index"}
_PART, _PART_ON_GPU = (
    8,
    64,
)  # images worked on at once: few stay in the cache, three times as fast


def augment(
    windows: Windows,
    indices: Int64[Tensor, " batch"],
    crop_px: int,
    augmentation: Augmentation,
    generator: torch.Generator,
    keys: Collection[str] | None = None,
    frame: str = "camera",
    pixel_dtype: torch.dtype = torch.float32,
) -> Batch:
    """A batch of `keys` (default: all there are), on the windows' device, determined by the generator.

    rgb and tags (B, 3, crop_px, crop_px), depth (B, 1, crop_px, crop_px) in -1..1, channels last; pose and
    cpose (B, 21, 3) in bones; viewpoint (B, 3, 3); bone_mm (B,); xyz_mm (B, 21, 3) absolute, camera frame;
    uv_px (B, 21, 2) and K (B, 3, 3) of the crop; visible (B, 21), right (B,), index (B,). With `frame="ray"`
    pose and viewpoint are those of the ray frame of the crop's centre (`geometry.ray_rotation`); nothing else
    depends on it.
    Raises HandsError for an unknown key and for one whose label the samples lack.
    """
    keys = available(windows) if keys is None else keys
    check_keys(windows, keys, frame)
    W = draw_warps(windows, len(indices), crop_px, augmentation, generator)
    batch = move_labels(windows, indices, W, crop_px, keys, frame)
    return batch | draw_images(windows, indices, W, crop_px, augmentation, generator, keys, pixel_dtype)


def draw_warps(
    windows: Windows, count: int, crop_px: int, augmentation: Augmentation, generator: torch.Generator
) -> Float[Tensor, "count 3 3"]:
    """Random warps from window to crop. Raises HandsError for a flip or occluders without what they need."""
    _check(windows, augmentation)
    window_px = windows.rgb.shape[-1]
    draw = torch.rand(count, 5, generator=generator, device=generator.device)
    low, high = augmentation.scale
    return camera.warp_matrix(
        draw.new_full((count, 2), (window_px - 1) / 2),
        window_px / windows.margin,
        crop_px,
        angle=math.radians(augmentation.rotation_deg) * (2 * draw[:, 0] - 1),
        scale=low + (high - low) * draw[:, 1],
        shift=augmentation.shift * crop_px * (2 * draw[:, 2:4] - 1),
        flip=draw[:, 4] < augmentation.flip,
    )


def move_labels(
    windows: Windows,
    indices: Int64[Tensor, " batch"],
    W: Float[Tensor, "batch 3 3"],
    crop_px: int,
    keys: Collection[str],
    frame: str = "camera",
) -> Batch:
    """The labels among `keys`, as the crops show them: X becomes X @ warp_rotation(W), uv and K follow W."""
    batch = {key: getattr(windows, LABELS[key])[indices] for key in keys if key not in _MADE}
    if "index" in keys:
        batch["index"] = indices
    if "right" in batch:
        batch["right"] = batch["right"] ^ _flips(W)
    if "xyz_mm" in batch:
        batch["xyz_mm"] = batch["xyz_mm"] @ camera.warp_rotation(W)
    if "uv_px" in batch:
        batch["uv_px"] = camera.warp_points(batch["uv_px"], W)
    if "K" in batch:
        batch["K"] = camera.warp_camera(batch["K"], W)
    return batch | _poses(windows, indices, W, crop_px, keys, frame)


def draw_images(
    windows: Windows,
    indices: Int64[Tensor, " batch"],
    W: Float[Tensor, "batch 3 3"],
    crop_px: int,
    augmentation: Augmentation,
    generator: torch.Generator,
    keys: Collection[str],
    pixel_dtype: torch.dtype = torch.float32,
) -> Batch:
    """The images among `keys`, warped by W, with random colours; "rgb" as a random sensor sees it."""
    device = generator.device
    spread = 2 * torch.rand(4, len(indices), generator=generator, device=device) - 1
    saturation = 1 + augmentation.saturation * spread[2]
    if augmentation.grey:
        coloured = torch.rand(len(indices), generator=generator, device=device) >= augmentation.grey
        saturation = saturation * coloured
    matrix = appearance.colour_matrix(
        1 + augmentation.contrast * spread[0], augmentation.hue * spread[1], saturation
    )
    offset = augmentation.brightness * spread[3]
    chosen = {key: windows.images[key] for key in windows.images if key in keys}
    batch = {
        key: torch.empty(
            (len(indices), stack.pixels.shape[1], crop_px, crop_px),
            dtype=pixel_dtype,
            device=device,
            memory_format=torch.channels_last,
        )
        for key, stack in chosen.items()
    }
    size = _PART if device.type == "cpu" else _PART_ON_GPU
    parts = [slice(i, i + size) for i in range(0, len(indices), size)]
    resolutions = _resolutions(augmentation, len(parts), generator)
    for part, resolution in zip(parts, resolutions, strict=True):
        for key, stack in chosen.items():
            cut = stack.of(indices[part])
            if key == "rgb":
                seen = appearance.resample(cut, W[part], crop_px, resolution)
                if augmentation.occluders and windows.uv_px is not None:
                    uv_px = camera.warp_points(windows.uv_px[indices[part]], W[part])
                    seen = _occlude(seen, uv_px, augmentation, generator)
                seen = appearance.recolour(seen, matrix[part], offset[part])
                seen = _degrade(seen, augmentation, generator)
            elif cut.shape[1] == 3:
                seen = appearance.resample(cut, W[part], crop_px)
                seen = appearance.recolour(seen, matrix[part], offset[part])
            else:  # depth: beyond the window lies what is far, not mid-grey
                seen = camera.warp_images(cut.float().div_(GREY_LEVELS), W[part], crop_px).sub_(1)
            batch[key][part] = seen.clamp_(-1, 1)
    return batch


def _poses(
    windows: Windows, indices: Tensor, W: Tensor, crop_px: int, keys: Collection[str], frame: str
) -> Batch:
    """pose, cpose and viewpoint, as far as they are among the keys."""
    wanted = POSE_KEYS.intersection(keys)
    if windows.pose is None or not wanted:
        return {}
    R = camera.warp_rotation(W)
    if frame == "ray" and windows.K is not None:
        K = camera.warp_camera(windows.K[indices], W)
        R = R @ geometry.ray_rotation(K, K.new_full((len(K), 2), (crop_px - 1) / 2))
    pose = windows.pose[indices] @ R
    right = None if windows.handed is None else windows.handed[indices] ^ _flips(W)
    cpose, viewpoint = geometry.canonicalise(pose, right)
    return {k: x for k, x in (("pose", pose), ("cpose", cpose), ("viewpoint", viewpoint)) if k in wanted}


def _check(windows: Windows, augmentation: Augmentation) -> None:
    flip, occluders = augmentation.flip, augmentation.occluders
    if flip and windows.side == "mirror":
        raise HandsError(f'augmentation flip = {flip}, but side="mirror" knows left hands alone; legal: 0')
    if flip and windows.right is None:
        raise HandsError(f"augmentation flip = {flip}, but the samples tell no side; legal: 0")
    if occluders and windows.uv_px is None:
        raise HandsError(f'augmentation occluders = {occluders}, but the samples have no "uv_px"; legal: 0')


def _flips(W: Tensor) -> Tensor:
    return W[:, :2, :2].det() < 0


def _resolutions(augmentation: Augmentation, count: int, generator: torch.Generator) -> list[float]:
    """One for each part of a batch, and full for a third of them."""
    draw = torch.rand(count, generator=generator, device=generator.device).tolist()
    lowest = augmentation.downsample
    return [min(1.0, lowest + 1.5 * (1 - lowest) * x) for x in draw]


def _drawn(probability: float, count: int, generator: torch.Generator) -> Int64[Tensor, " drawn"]:
    """Which of a part's images something of this probability happens to."""
    return (torch.rand(count, generator=generator, device=generator.device) < probability).nonzero()[:, 0]


def _occlude(images: Tensor, uv_px: Tensor, augmentation: Augmentation, generator: torch.Generator) -> Tensor:
    """Occluders before some of the images, in place."""
    drawn = _drawn(augmentation.occluders, len(images), generator)
    others = images[drawn - 1].flip(-1)  # mirrored: an image on its own has another one, too
    number, size = augmentation.occluder_number, augmentation.occluder_size
    images[drawn] = occlude(images[drawn], others, uv_px[drawn], number, size, generator)
    return images


def _degrade(images: Tensor, augmentation: Augmentation, generator: torch.Generator) -> Tensor:
    """Blur of every other image, noise on all, JPEG on some; in place."""
    strength = torch.rand(2, len(images), generator=generator, device=generator.device)
    if augmentation.blur_px:
        sigma_px = augmentation.blur_px * strength[0, ::2]
        images[::2] = appearance.blur(images[::2], sigma_px, augmentation.blur_px)
    if augmentation.noise:
        weight = augmentation.noise * strength[1, :, None, None, None]
        images.addcmul_(appearance.byte_noise(images, generator), weight)
    if augmentation.jpeg:
        drawn = _drawn(augmentation.jpeg, len(images), generator)
        low, high = augmentation.jpeg_quality
        quality = low + (high - low) * torch.rand(len(drawn), generator=generator, device=generator.device)
        images[drawn] = jpeg(images[drawn].clamp_(-1, 1), quality)
    return images
