"""Cutting windows: the neighbourhood of every hand, out of its image once and for all.

A window is a square around the ground-truth crop, larger by `margin` so that turned and moved crops still
find image at their corners. Beyond the image's border lies mid-grey. The labels move with the pixels.
"""

import math
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any

import torch
from torch import Tensor

from latent_hands.data.formats.image import read_rgb
from latent_hands.data.image_files import check_images, cut_images, cut_square, for_all, whole_square
from latent_hands.data.palm import crop_square, palm_uv_px, palm_visible, palm_xyz_mm, scene_square
from latent_hands.data.sample import FAR_PX, Sample
from latent_hands.data.windows import ImageStack, Windows
from latent_hands.errors import HandsError, did_you_mean
from latent_hands.hand import camera, geometry

CROPS = ("box", "scene")
SIDES = ("mirror", "condition")
_LABELS: dict[str, Callable[[Sample], Tensor | None]] = {
    "xyz_mm": palm_xyz_mm,
    "uv_px": palm_uv_px,
    "visible": palm_visible,
    "K": lambda sample: None if sample.K is None else torch.from_numpy(sample.K),
}


def build_windows(
    samples: Sequence[Sample],
    crop: str = "box",
    margin: float = 1.75,
    window_px: int = 192,
    side: str = "mirror",
    images: Sequence[str] = (),
    workers: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> Windows:
    """Cut the window of every sample.

    `crop="box"` is the ground-truth box of hand3d (`camera.crop_box`); samples without 2D keypoints take
    their own `window`, and without that the whole image padded to a square. `crop="scene"` is the sample's
    `window`, the same for every pose of a scene, and in sets without scenes the square about the palm
    (`camera.palm_box`). `margin` is the side of the window over that of the crop (1: no headroom); shrinking
    averages over areas. `side="condition"` leaves right hands as they are. `images` are further ones to
    cut, by the same window (`images.KINDS`). `workers` threads read; `progress` is told (done, all).

    Raises HandsError naming the sample for labels that are not finite or degenerate, for a label that some
    samples have and others lack, and for a missing window or image.
    """
    _check_options(samples, crop, side, margin, window_px)
    check_images(samples, images)
    labels = {key: _stack(samples, key) for key in _LABELS}
    right = _right(samples)
    flip = right if right is not None and side == "mirror" else torch.zeros(len(samples), dtype=torch.bool)
    pixels = torch.empty(len(samples), 3, window_px, window_px, dtype=torch.uint8)
    squares = torch.empty(len(samples), 3)

    def cut(i: int) -> None:
        rgb = read_rgb(samples[i].image)
        cx, cy, crop_px = _crop(samples[i], crop, rgb.shape[:2])
        squares[i] = torch.tensor([cx, cy, crop_px])
        pixels[i] = cut_square(rgb, (cx, cy), crop_px * margin, window_px, bool(flip[i]))

    for_all(len(samples), cut, workers, progress)
    further = (key for key in images if key != "rgb")
    shown = {key: cut_images(samples, key, squares, flip, margin, window_px, workers) for key in further}
    W = camera.warp_matrix(squares[:, :2], squares[:, 2] * margin, window_px, flip=flip)
    return Windows(
        images={"rgb": ImageStack(pixels)} | shown,
        names=tuple(sample.name for sample in samples),
        margin=margin,
        side=side,
        crop_side_px=squares[:, 2],
        right=right,
        block=_blocks(samples),
        convention=convention_of(samples),
        **_move(labels, W, [sample.where for sample in samples]),
    )


def convention_of(samples: Sequence[Sample]) -> str | None:
    """The joint convention of the labels; None if it is not known or they differ."""
    found = {sample.convention for sample in samples}
    return found.pop() if len(found) == 1 else None


def _check_options(samples: Sequence[Sample], crop: str, side: str, margin: float, window_px: int) -> None:
    for name, value, legal in (("crop", crop, CROPS), ("side", side, SIDES)):
        if value not in legal:
            raise HandsError(f'unknown {name} "{value}"; {did_you_mean(value, legal)}')
    if not 1 <= margin <= 4 or not 8 <= window_px <= 1024:
        raise HandsError(f"window of margin {margin} and {window_px} px; legal: 1 .. 4 and 8 .. 1024 px")
    if not samples:
        raise HandsError("there is no sample to cut a window for; legal: 1 or more")


def _stack(samples: Sequence[Sample], key: str) -> Tensor | None:
    """One label of all samples, in palm form; None if none has it."""
    labels = [_LABELS[key](sample) for sample in samples]
    present = [label for label in labels if label is not None]
    if not present:
        return None
    if len(present) < len(labels):
        absent = next(sample for sample, label in zip(samples, labels, strict=True) if label is None)
        raise HandsError(f"{absent.where} has no {key}, but others have; build them apart")
    stacked = torch.stack(present)
    bad = ~stacked.isfinite().flatten(1).all(dim=1)
    if bad.any():
        raise HandsError(f"{samples[int(bad.nonzero()[0])].where}: {key} holds values that are not finite")
    return stacked


def _blocks(samples: Sequence[Sample]) -> Tensor | None:
    """A number for each sample's block, the same in all shards of a store; None if a sample has none."""
    names = [sample.block for sample in samples]
    digests = [blake2b(name.encode(), digest_size=7).digest() for name in names if name is not None]
    if len(digests) < len(names):
        return None
    return torch.tensor([int.from_bytes(digest) for digest in digests])


def _right(samples: Sequence[Sample]) -> Tensor | None:
    """Which hands are right ones; None if no side is known."""
    sides = [sample.side for sample in samples]
    if not any(sides):
        return None
    for sample in samples:
        if sample.side not in ("left", "right"):
            raise HandsError(f"{sample.where} has the side {sample.side!r}; legal: left, right")
    return torch.tensor([side == "right" for side in sides])


def _crop(sample: Sample, crop: str, size_px: tuple[int, int]) -> tuple[float, float, float]:
    """Centre and side of the crop, in pixels of the image."""
    if crop == "scene":
        square = scene_square(sample)
    else:
        square = crop_square(sample, size_px) or sample.scene_box or whole_square(size_px)
    if square is None:
        raise HandsError(
            f"{sample.where} has neither a scene window nor 3D joints and a camera (xyz_mm, K), of which "
            'crop="scene" needs one; legal: crop="box"'
        )
    cx, cy, side_px = square
    if not (math.hypot(cx, cy) < FAR_PX and 0 < side_px < FAR_PX):
        raise HandsError(
            f"{sample.where} has the window {square}; legal: (cx, cy, side) in pixels, below {FAR_PX:.0e}"
        )
    return float(cx), float(cy), float(side_px)


def _move(labels: dict[str, Tensor | None], W: Tensor, where: list[str]) -> dict[str, Any]:
    """The labels, which are in palm form, as the windows show them."""
    moved: dict[str, Any] = {}
    if (K := labels["K"]) is not None:
        moved["K"] = camera.warp_camera(K, W)
    if (uv_px := labels["uv_px"]) is not None:
        moved["uv_px"] = camera.warp_points(uv_px, W)
    if (visible := labels["visible"]) is not None:
        moved["visible"] = visible
    if (xyz_mm := labels["xyz_mm"]) is not None:
        moved["xyz_mm"] = xyz_mm @ camera.warp_rotation(W)
        moved["pose"], moved["bone_mm"] = _normalise(moved["xyz_mm"], where)
    return moved


def _normalise(xyz_mm: Tensor, where: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Pose and scale of hands of which all have a canonical frame."""
    try:
        pose, bone_mm = geometry.normalise(xyz_mm)
        geometry.canonicalise(pose)
        return pose, bone_mm
    except HandsError as error:
        if len(where) == 1:
            raise HandsError(f"{where[0]}: {error}") from error
        for i in range(len(where)):
            _normalise(xyz_mm[i : i + 1], where[i : i + 1])
        raise
