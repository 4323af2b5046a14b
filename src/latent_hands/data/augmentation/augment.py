"""Random crops for training: one warp moves the image and its labels, then the image changes its look."""

import math
from collections.abc import Collection

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from latent_hands.data.augmentation import Augmentation, appearance
from latent_hands.data.augmentation.jpeg import jpeg
from latent_hands.data.augmentation.occluders import occlude
from latent_hands.data.labels import LABELS, Crops, ImageLabel, Label, image_keys
from latent_hands.data.motion import Motion
from latent_hands.data.windows import Windows, available, check_keys
from latent_hands.errors import HandsError
from latent_hands.hand import camera, geometry
from latent_hands.paper.modality import Batch
from latent_hands.pixels import GREY_LEVELS

_PART, _PART_ON_GPU = 8, 64
"""Images processed at once. Eight stay in a processor's cache, which is three times as fast."""


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
    """Return a batch of randomly warped crops, on the device of the windows.

    Images are (batch, channels, crop_px, crop_px) in [-1, 1], channels last. Labels have the shapes and units
    of `data.labels.LABELS`. "index" is the number of each sample in `windows`.

    Args:
        windows: the hands.
        indices: which of them, in the order of the batch.
        crop_px: side of the crops.
        augmentation: the ranges of all random changes.
        generator: determines the batch. Its device must be that of the windows.
        keys: what the batch contains, by default everything that the windows have.
        frame: "camera", or "ray" for a pose and viewpoint in the ray frame of the crop's centre
            (`geometry.ray_rotation`). Nothing else depends on the frame.
        pixel_dtype: type of the images.

    Raises HandsError for an unknown key, and for a label that the samples lack.
    """
    keys = available(windows) if keys is None else keys
    check_keys(windows, keys, frame)
    W = draw_warps(windows, len(indices), crop_px, augmentation, generator, keys)
    batch = move_labels(windows, indices, W, crop_px, keys, frame)
    return batch | draw_images(windows, indices, W, crop_px, augmentation, generator, keys, pixel_dtype)


def draw_warps(
    windows: Windows,
    count: int,
    crop_px: int,
    augmentation: Augmentation,
    generator: torch.Generator,
    keys: Collection[str] = (),
) -> Float[Tensor, "count 3 3"]:
    """Return random warps from window to crop.

    Raises HandsError if flips or occluders need a label that the windows lack, and for flips of hands that
    are all left ones, unless `keys` ask for their side.
    """
    _check(windows, augmentation, keys)
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
    """Return the labels among `keys` for crops that are warped by W (`Label.move`, `Label.derive`).

    Where the windows show left hands alone (`right_hands="mirror"`), a warp that mirrors shows a hand of the
    other side. Its labels are those of the mirror image. If `keys` include images, which do not show them,
    everything that a network may predict is unknown (NaN) but the side and the presence of a hand.
    Of crops without a hand, everything but that is unknown.
    """
    entries = {key: LABELS[key] for key in keys if key in LABELS}
    derived = {key: each for key, each in entries.items() if isinstance(each, Label) and each.derive}
    stored = {key for key, each in entries.items() if isinstance(each, Label)} - derived.keys()
    handed, other_side = windows.handed, None
    if windows.right_hands == "mirror":
        other_side = W[:, :2, :2].det() < 0
        W = torch.where(other_side[:, None, None], camera.mirrored_warp(W, crop_px), W)
    motion = Motion(W, _to_ray(windows, indices, W, crop_px) if frame == "ray" else None)
    batch: Batch = {}
    for key in {*stored, *(need for each in derived.values() for need in each.needs)}:
        label, values = LABELS[key], windows.labels.get(key)
        if values is not None and isinstance(label, Label):
            batch[key] = label.move(values[indices], motion)
    crops = Crops(crop_px, None if handed is None else handed[indices] ^ motion.flips, other_side)
    for derive in {each.derive for each in derived.values() if each.derive}:
        batch |= derive(batch, crops)
    found = {key: batch[key] for key in keys if key in batch}
    if other_side is not None and not image_keys().isdisjoint(keys):
        found = _hidden(found, other_side, but=("side", "presence"))
    if windows.presence is not None:
        found = _hidden(found, windows.presence[indices, 0] == 0, but=("presence",))
    return found | ({"index": indices} if "index" in keys else {})


def _hidden(batch: Batch, rows: Bool[Tensor, " batch"], but: Collection[str]) -> Batch:
    """Return the batch with NaN in some rows of the labels that networks predict, except the keys `but`."""
    found = dict(batch)
    for key in batch.keys() - set(but):
        label, values = LABELS[key], batch[key]
        if isinstance(label, Label) and label.modality is not None:
            found[key] = values.masked_fill(rows.view(-1, *[1] * (values.dim() - 1)), math.nan)
    return found


def _to_ray(windows: Windows, indices: Tensor, W: Tensor, crop_px: int) -> Tensor | None:
    """Return the rotations from the crops' camera frames into their ray frames, None without cameras."""
    if windows.K is None:
        return None
    return geometry.crop_ray_rotation(camera.warp_camera(windows.K[indices], W), crop_px)


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
    """Return the images among `keys`, warped by W and changed as their `ImageLabel.appearance` states.

    All images of a sample have the same random colours. Blur, noise, occluders and compression change only
    images of the appearance "sensor".
    """
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
            if _appearance(key) == "sensor":
                crops = appearance.resample(cut, W[part], crop_px, resolution)
                if augmentation.occluders and windows.uv_px is not None:
                    uv_px = camera.warp_points(windows.uv_px[indices[part]], W[part])
                    crops = _occlude(crops, uv_px, augmentation, generator)
                crops = appearance.recolour(crops, matrix[part], offset[part])
                crops = _degrade(crops, augmentation, generator)
            elif _appearance(key) == "colour":
                crops = appearance.resample(cut, W[part], crop_px)
                crops = appearance.recolour(crops, matrix[part], offset[part])
            else:  # pixels beyond the window become 0, not mid-grey
                crops = camera.warp_images(cut.float().div_(GREY_LEVELS), W[part], crop_px).sub_(1)
            batch[key][part] = crops.clamp_(-1, 1)
    return batch


def _appearance(key: str) -> str:
    """Return which changes of appearance an image has."""
    label = LABELS[key]
    return label.appearance if isinstance(label, ImageLabel) else "values"


def _check(windows: Windows, augmentation: Augmentation, keys: Collection[str]) -> None:
    """Raise HandsError if flips or occluders cannot be applied to these windows."""
    flip, occluders = augmentation.flip, augmentation.occluders
    if flip and windows.right_hands == "mirror" and "side" not in keys and not image_keys().isdisjoint(keys):
        raise HandsError(
            f'augmentation flip = {flip}, but right_hands="mirror" leaves only left hands, and no decoder '
            "writes their side: flip must be 0, or the graph needs the modality side"
        )
    if flip and windows.right_hands == "condition" and windows.right is None:
        raise HandsError(f"augmentation flip = {flip}, but the samples have no side; flip must be 0")
    if occluders and windows.uv_px is None:
        raise HandsError(
            f'augmentation occluders = {occluders}, but the samples have no "uv_px"; occluders must be 0'
        )


def _resolutions(augmentation: Augmentation, count: int, generator: torch.Generator) -> list[float]:
    """Return a random resolution for each part of a batch. A third of the parts keeps the full resolution."""
    draw = torch.rand(count, generator=generator, device=generator.device).tolist()
    lowest = augmentation.downsample
    return [min(1.0, lowest + 1.5 * (1 - lowest) * x) for x in draw]


def _drawn(probability: float, count: int, generator: torch.Generator) -> Int64[Tensor, " drawn"]:
    """Return which of `count` images change, each with this probability."""
    return (torch.rand(count, generator=generator, device=generator.device) < probability).nonzero()[:, 0]


def _occlude(images: Tensor, uv_px: Tensor, augmentation: Augmentation, generator: torch.Generator) -> Tensor:
    """Paste occluders in front of some of the hands, in place."""
    drawn = _drawn(augmentation.occluders, len(images), generator)
    others = images[drawn - 1].flip(-1)  # mirrored: a single image then has a different texture too
    number, size = augmentation.occluder_number, augmentation.occluder_size
    images[drawn] = occlude(images[drawn], others, uv_px[drawn], number, size, generator)
    return images


def _degrade(images: Tensor, augmentation: Augmentation, generator: torch.Generator) -> Tensor:
    """Blur every other image, add noise to all of them, and compress some as JPEG, in place."""
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
