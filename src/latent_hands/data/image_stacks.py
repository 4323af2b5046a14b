"""Stacks of square images, one for each sample: in memory, or in the files of a packed store."""

from bisect import bisect_right
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

_COPIED_AT_ONCE = 256  # images copied to another device


@dataclass(frozen=True)
class ShardedImages:
    """N square images of bytes that lie in several tensors; `rows` selects them, counted over all `shards`.

    It can be indexed like one tensor (n, c, size, size), and returns copies of the selected images only.
    Shards that are mapped from files stay on disk. Processes that read the same files share their memory.
    """

    shards: tuple[UInt8[Tensor, "_ c size size"], ...]
    rows: Int64[Tensor, " n"]

    @classmethod
    def of(cls, shards: tuple[Tensor, ...]) -> "ShardedImages":
        """Select all images of the shards, in order."""
        return cls(shards, torch.arange(sum(len(shard) for shard in shards)))

    @property
    def shape(self) -> torch.Size:
        """Return (n, c, size, size)."""
        return torch.Size((len(self.rows), *self.shards[0].shape[1:]))

    @property
    def dtype(self) -> torch.dtype:
        """Return uint8."""
        return self.shards[0].dtype

    @property
    def device(self) -> torch.device:
        """Return the CPU: files are mapped into main memory."""
        return self.rows.device

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *accumulate(len(shard) for shard in self.shards)]

    def __len__(self) -> int:
        """Return the number of selected images."""
        return len(self.rows)

    def __getitem__(self, index: slice | Int64[Tensor, " m"]) -> UInt8[Tensor, "m c size size"]:
        """Return copies of some images."""
        return torch.stack([self._image(row) for row in self.rows[index].tolist()])

    def index_select(self, dim: int, index: Int64[Tensor, " m"]) -> UInt8[Tensor, "m c size size"]:
        """Return copies of some images, as `Tensor.index_select` does. `dim` is 0."""
        return self[index]

    def subset(self, index: Int64[Tensor, " m"]) -> "ShardedImages":
        """Select some of the images without reading them."""
        return ShardedImages(self.shards, self.rows[index])

    def to(self, device: str | torch.device) -> "ShardedImages | Tensor":
        """Return itself for the CPU. For any other device, return all images as one tensor."""
        if torch.device(device) == self.device:
            return self
        whole = torch.empty(self.shape, dtype=self.dtype, device=device)
        for start in range(0, len(self), _COPIED_AT_ONCE):
            part = slice(start, start + _COPIED_AT_ONCE)
            whole[part] = self[part].to(device)
        return whole

    def _image(self, row: int) -> Tensor:
        shard = bisect_right(self._starts, row) - 1
        return self.shards[shard][row - self._starts[shard]]


@dataclass(frozen=True)
class ImageStack:
    """Square images of one kind. Sample i has `pixels[i]`, or `pixels[index[i]]` if samples share images.

    They have one channel or three. Those of a packed store stay in its files until they are used.
    """

    pixels: UInt8[Tensor | ShardedImages, "k c size size"]
    index: Int64[Tensor, " n"] | None = None

    def of(self, samples: Int64[Tensor, " m"]) -> UInt8[Tensor, "m c size size"]:
        """Return copies of the images of some samples."""
        return self.pixels.index_select(0, samples if self.index is None else self.index[samples])

    def select(self, samples: Int64[Tensor, " m"]) -> "ImageStack":
        """Return the stack of some samples, in the given order. Shared images stay shared."""
        if self.index is not None:
            return replace(self, index=self.index[samples])
        pixels = self.pixels
        return ImageStack(pixels[samples] if isinstance(pixels, Tensor) else pixels.subset(samples))

    def to(self, device: str | torch.device) -> "ImageStack":
        """Return the stack on a device."""
        return ImageStack(self.pixels.to(device), None if self.index is None else self.index.to(device))
