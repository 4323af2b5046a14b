"""Windows: hands as training sees them, square images and labels stacked in memory."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor

from latent_hands.data.sharded_images import ShardedImages
from latent_hands.errors import HandsError, did_you_mean
from latent_hands.paper.modality import MODALITIES

LABELS = {
    "pose": "pose",
    "cpose": "pose",
    "viewpoint": "pose",
    "bone_mm": "bone_mm",
    "xyz_mm": "xyz_mm",
    "visible": "visible",
    "right": "right",
    "index": "names",
    "K": "K",
    "uv_px": "uv_px",
}
"""Batch key -> the field of Windows that it is made from."""
IMAGE_KEYS = frozenset(name for name, modality in MODALITIES.items() if modality.is_image)
"""Batch keys that are made from a window's images of the same name."""
POSE_KEYS = frozenset({"pose", "cpose", "viewpoint"})
FRAMES = ("camera", "ray")


@dataclass(frozen=True)
class ImageStack:
    """Square images of one kind. Sample i has `pixels[i]`, or if samples share them `pixels[index[i]]`.

    One channel or three; those of a packed store stay in its files until they are asked for.
    """

    pixels: UInt8[Tensor | ShardedImages, "k c size size"]
    index: Int64[Tensor, " n"] | None = None

    def of(self, samples: Int64[Tensor, " m"]) -> UInt8[Tensor, "m c size size"]:
        """Copies of the images of some samples."""
        return self.pixels.index_select(0, samples if self.index is None else self.index[samples])

    def select(self, samples: Int64[Tensor, " m"]) -> "ImageStack":
        """Those of some samples, in the given order; what samples share stays shared."""
        if self.index is not None:
            return replace(self, index=self.index[samples])
        pixels = self.pixels
        return ImageStack(pixels[samples] if isinstance(pixels, Tensor) else pixels.subset(samples))

    def to(self, device: str | torch.device) -> "ImageStack":
        """On a device."""
        return ImageStack(self.pixels.to(device), None if self.index is None else self.index.to(device))


@dataclass(frozen=True)
class Windows:
    """N hands: square images and their labels, all of the same kinds; a label that is absent is None.

    The crop is the middle of the window, of side `size / margin` pixels. `uv_px` and `K` are in pixels of the
    window. `xyz_mm`, `uv_px` and `visible` are in palm form, `pose` in units of the middle bone `bone_mm`,
    all in the camera frame. With `side="mirror"` right hands, image and labels, have become left ones;
    `right` tells which they were. `crop_side_px` is the crop's side in the source image. `images` are by
    batch key, "rgb" always among them. `block` is one number for samples that are alike (`Sample.block`).
    `convention` names where the labels place the joints, if all agree.
    """

    images: Mapping[str, ImageStack]
    names: tuple[str, ...]
    margin: float
    side: str
    crop_side_px: Float[Tensor, " n"]
    right: Bool[Tensor, " n"] | None = None
    xyz_mm: Float[Tensor, "n 21 3"] | None = None
    pose: Float[Tensor, "n 21 3"] | None = None
    bone_mm: Float[Tensor, " n"] | None = None
    uv_px: Float[Tensor, "n 21 2"] | None = None
    visible: Bool[Tensor, "n 21"] | None = None
    K: Float[Tensor, "n 3 3"] | None = None
    block: Int64[Tensor, " n"] | None = None
    convention: str | None = None

    def __len__(self) -> int:
        """How many hands."""
        return len(self.names)

    @property
    def rgb(self) -> UInt8[Tensor | ShardedImages, "n 3 size size"]:
        """The images "rgb", one a sample."""
        return self.images["rgb"].pixels

    @property
    def handed(self) -> Tensor | None:
        """Which hands are shown as right ones, for `canonicalise`; None if all are shown as left ones."""
        return self.right if self.side == "condition" else None

    def select(self, indices: Sequence[int] | Int64[Tensor, " m"]) -> "Windows":
        """Some of the samples, in the given order; what samples share stays shared."""
        index = torch.as_tensor(indices, dtype=torch.int64, device=self.rgb.device)
        changed = self._map(lambda label: label[index], lambda images: images.select(index))
        return replace(changed, names=tuple(self.names[i] for i in index.tolist()))

    def to(self, device: str | torch.device) -> "Windows":
        """All tensors on a device."""
        return self._map(lambda label: label.to(device), lambda images: images.to(device))

    def with_images(self, keys: Collection[str]) -> "Windows":
        """Without any other images than these."""
        return replace(self, images={key: each for key, each in self.images.items() if key in keys})

    def _map(
        self, label: Callable[[Tensor], Tensor], images: Callable[[ImageStack], ImageStack]
    ) -> "Windows":
        changed: dict[str, Any] = {n: label(t) for n, t in vars(self).items() if isinstance(t, Tensor)}
        return replace(self, images={key: images(each) for key, each in self.images.items()}, **changed)


def available(windows: Windows) -> tuple[str, ...]:
    """The batch keys that these windows can fill."""
    labels = (key for key, field in LABELS.items() if getattr(windows, field) is not None)
    return (*windows.images, *labels)


def check_keys(windows: Windows, keys: Collection[str], frame: str = "camera") -> None:
    """Raises HandsError for a key that is unknown or that the windows cannot fill in this frame."""
    if frame not in FRAMES:
        raise HandsError(f'unknown frame "{frame}"; {did_you_mean(frame, FRAMES)}')
    there = available(windows)
    for key in sorted(keys):
        if key not in IMAGE_KEYS and key not in LABELS:
            raise HandsError(f'unknown batch key "{key}"; {did_you_mean(key, (*IMAGE_KEYS, *LABELS))}')
        if key not in there:
            raise HandsError(f'the samples have no "{key}"; they have {", ".join(there)}')
    if frame == "ray" and windows.K is None and POSE_KEYS.intersection(keys):
        raise HandsError('frame="ray" needs the camera K, which the samples lack; legal: frame="camera"')
