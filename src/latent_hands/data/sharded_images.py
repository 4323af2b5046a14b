"""Images that lie in several files: read when they are asked for, never as a whole."""

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

_AT_ONCE = 256  # images copied to another device


@dataclass(frozen=True)
class ShardedImages:
    """N square images, out of those that lie one after another in several tensors: `rows` says which.

    It answers as one tensor (n, c, size, size) would, with copies of what is asked for. Shards that are
    mapped into memory take none of it for good, and processes that read the same files share it.
    """

    shards: tuple[UInt8[Tensor, "_ c size size"], ...]
    rows: Int64[Tensor, " n"]

    @classmethod
    def of(cls, shards: tuple[Tensor, ...]) -> "ShardedImages":
        """All images, in order."""
        return cls(shards, torch.arange(sum(len(shard) for shard in shards)))

    @property
    def shape(self) -> torch.Size:
        """(n, c, size, size)."""
        return torch.Size((len(self.rows), *self.shards[0].shape[1:]))

    @property
    def dtype(self) -> torch.dtype:
        """Bytes."""
        return self.shards[0].dtype

    @property
    def device(self) -> torch.device:
        """Files lie in main memory."""
        return self.rows.device

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *accumulate(len(shard) for shard in self.shards)]

    def __len__(self) -> int:
        """How many images."""
        return len(self.rows)

    def __getitem__(self, index: slice | Int64[Tensor, " m"]) -> UInt8[Tensor, "m c size size"]:
        """Copies of some images."""
        return torch.stack([self._image(row) for row in self.rows[index].tolist()])

    def index_select(self, dim: int, index: Int64[Tensor, " m"]) -> UInt8[Tensor, "m c size size"]:
        """Copies of some images; `dim` is 0."""
        return self[index]

    def subset(self, index: Int64[Tensor, " m"]) -> "ShardedImages":
        """Some of the images, still in their files."""
        return ShardedImages(self.shards, self.rows[index])

    def to(self, device: str | torch.device) -> "ShardedImages | Tensor":
        """Itself in main memory; on any other device all images as one tensor."""
        if torch.device(device) == self.device:
            return self
        whole = torch.empty(self.shape, dtype=self.dtype, device=device)
        for start in range(0, len(self), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            whole[part] = self[part].to(device)
        return whole

    def _image(self, row: int) -> Tensor:
        shard = bisect_right(self._starts, row) - 1
        return self.shards[shard][row - self._starts[shard]]
