"""Windows: hands as training sees them, square pictures and labels stacked in memory."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor

from latent_hands.data.sharded_images import ShardedImages
from latent_hands.errors import HandsError, did_you_mean

SOURCES = {
    "rgb": "images",
    "tag": "tags",
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
IMAGE_KEYS = frozenset({"rgb", "tag"})
POSE_KEYS = frozenset({"pose", "cpose", "viewpoint"})
FRAMES = ("camera", "ray")


@dataclass(frozen=True)
class Windows:
    """N hands: square pictures and their labels, all of the same kinds; a label that is absent is None.

    The crop is the middle of the window, of side `size / margin` pixels. `uv_px` and `K` are in pixels of the
    window. `xyz_mm`, `uv_px` and `visible` are in palm form, `pose` in units of the middle bone `bone_mm`,
    all in the camera frame. With `side="mirror"` right hands, picture and labels, have become left ones;
    `right` tells which they were. `crop_side_px` is the crop's side in the source picture. The tag of sample
    i is `tags[tag_index[i]]`: samples of one scene share it. Pictures of a packed store stay in its files
    until they are asked for. `convention` names where the labels place the joints, if all agree.
    """

    images: UInt8[Tensor | ShardedImages, "n 3 size size"]
    names: tuple[str, ...]
    margin: float
    side: str
    crop_side_px: Float[Tensor, " n"]
    right: Bool[Tensor, " n"] | None = None
    tags: UInt8[Tensor | ShardedImages, "tags 3 size size"] | None = None
    tag_index: Int64[Tensor, " n"] | None = None
    xyz_mm: Float[Tensor, "n 21 3"] | None = None
    pose: Float[Tensor, "n 21 3"] | None = None
    bone_mm: Float[Tensor, " n"] | None = None
    uv_px: Float[Tensor, "n 21 2"] | None = None
    visible: Bool[Tensor, "n 21"] | None = None
    K: Float[Tensor, "n 3 3"] | None = None
    convention: str | None = None

    def __len__(self) -> int:
        """How many hands."""
        return len(self.names)

    @property
    def handed(self) -> Tensor | None:
        """Which hands are shown as right ones, for `canonicalise`; None if all are shown as left ones."""
        return self.right if self.side == "condition" else None

    def select(self, indices: Sequence[int] | Int64[Tensor, " m"]) -> "Windows":
        """Some of the samples, in the given order; the tags stay shared."""
        index = torch.as_tensor(indices, dtype=torch.int64, device=self.images.device)

        def chosen(name: str, each: Tensor | ShardedImages) -> Tensor | ShardedImages:
            if name == "tags":
                return each
            return each[index] if isinstance(each, Tensor) else each.subset(index)

        return self._map(chosen, index.tolist())

    def to(self, device: str | torch.device) -> "Windows":
        """All tensors on a device."""
        return self._map(lambda name, each: each.to(device), range(len(self)))

    def _map(self, change: Callable[[str, Any], Tensor | ShardedImages], kept: Sequence[int]) -> "Windows":
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        tensors = {n: value for n, value in values.items() if isinstance(value, Tensor | ShardedImages)}
        changed: dict[str, Any] = {name: change(name, each) for name, each in tensors.items()}
        return replace(self, names=tuple(self.names[i] for i in kept), **changed)


def available(windows: Windows) -> tuple[str, ...]:
    """The batch keys that these windows can fill."""
    return tuple(key for key, field in SOURCES.items() if getattr(windows, field) is not None)


def check_keys(windows: Windows, keys: Collection[str], frame: str = "camera") -> None:
    """Raises HandsError for a key that is unknown or that the windows cannot fill in this frame."""
    if frame not in FRAMES:
        raise HandsError(f'unknown frame "{frame}"; {did_you_mean(frame, FRAMES)}')
    there = available(windows)
    for key in sorted(keys):
        if key not in SOURCES:
            raise HandsError(f'unknown batch key "{key}"; {did_you_mean(key, SOURCES)}')
        if key not in there:
            raise HandsError(f'the samples have no "{key}"; they have {", ".join(there)}')
    if frame == "ray" and windows.K is None and POSE_KEYS.intersection(keys):
        raise HandsError('frame="ray" needs the camera K, which the samples lack; legal: frame="camera"')
