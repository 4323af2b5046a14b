"""Batches in an order and with an augmentation that depend on (seed, epoch, index) alone."""

from collections import deque
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from latent_hands.data.augment import draw_images, draw_warps, move_labels
from latent_hands.data.augmentation import Augmentation
from latent_hands.data.labels import image_keys
from latent_hands.data.windows import Windows, check_keys
from latent_hands.errors import HandsError
from latent_hands.paper.modality import Batch

_AHEAD = 2  # batches prepared while one is in use


@dataclass(frozen=True)
class _Epoch:
    """Everything of one epoch but its images."""

    order: Tensor
    W: Tensor
    labels: Batch


class Batches:
    """The batches of some windows, epoch after epoch.

    With `shuffle` (training) every epoch visits the samples in a new order, each at most once, and drops the
    last partial batch; without (evaluation) they come in their order and the partial batch is kept. A run
    that resumes at any (epoch, index) sees what it would have seen. Labels are moved for a whole epoch at
    once, and images are touched only if a key asks for them.
    """

    def __init__(
        self,
        windows: Windows,
        crop_px: int,
        batch_size: int,
        augmentation: Augmentation | None = None,
        frame: str = "camera",
        seed: int = 0,
        shuffle: bool = True,
        pixel_dtype: torch.dtype = torch.float32,
    ) -> None:
        """`augmentation=None` is the ground-truth crop. See `augment` for the keys, their shapes and `frame`.

        Raises HandsError if not a single batch can be filled.
        """
        if batch_size < 1 or (shuffle and batch_size > len(windows)):
            raise HandsError(f"batch_size is {batch_size}; legal for these samples: 1 .. {len(windows)}")
        self.windows, self.crop_px, self.batch_size = windows, crop_px, batch_size
        self.augmentation = augmentation or Augmentation.none()
        self.frame, self.seed, self.shuffle, self.pixel_dtype = frame, seed, shuffle, pixel_dtype
        self._plan = lru_cache(maxsize=2)(self._draw)

    def __len__(self) -> int:
        """Batches in an epoch."""
        full, rest = divmod(len(self.windows), self.batch_size)
        return full + (rest > 0 and not self.shuffle)

    def batch(self, epoch: int, index: int, keys: Collection[str]) -> Batch:
        """Batch `index` of `epoch`, with these keys: a pure function of (seed, epoch, index)."""
        if not 0 <= index < len(self):
            raise HandsError(f"batch index is {index}; legal: 0 .. {len(self) - 1}")
        plan = self._plan(epoch, frozenset(keys))
        part = slice(index * self.batch_size, (index + 1) * self.batch_size)
        batch = {key: label[part] for key, label in plan.labels.items()}
        if image_keys().isdisjoint(keys):
            return batch
        chosen, W, generator = plan.order[part], plan.W[part], self._generator(epoch, index)
        return batch | draw_images(
            self.windows, chosen, W, self.crop_px, self.augmentation, generator, keys, self.pixel_dtype
        )

    def epoch(self, epoch: int, keys: Collection[str], start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch from index `start` on; a thread prepares the next ones."""
        keys, indices = frozenset(keys), iter(range(start, len(self)))
        if image_keys().isdisjoint(keys):
            yield from (self.batch(epoch, index, keys) for index in indices)
            return
        with ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            ahead = deque(pool.submit(self.batch, epoch, index, keys) for index in islice(indices, _AHEAD))
            while ahead:
                batch = ahead.popleft().result()
                ahead.extend(pool.submit(self.batch, epoch, index, keys) for index in islice(indices, 1))
                yield batch

    def stream(self, keys: Collection[str], start: int = 0) -> Iterator[Batch]:
        """Batches without end, epoch after epoch, from the one of that number on."""
        epoch, index = divmod(start, len(self))
        while True:
            yield from self.epoch(epoch, keys, start=index)
            epoch, index = epoch + 1, 0

    def _draw(self, epoch: int, keys: frozenset[str]) -> _Epoch:
        windows, generator = self.windows, self._generator(epoch)
        check_keys(windows, keys, self.frame)
        count = len(self) * self.batch_size if self.shuffle else len(windows)
        device = windows.rgb.device
        order = torch.arange(len(windows), device=device)
        if self.shuffle:
            order = torch.randperm(len(windows), generator=generator, device=device)[:count]
        W = draw_warps(windows, count, self.crop_px, self.augmentation, generator)
        return _Epoch(order, W, move_labels(windows, order, W, self.crop_px, keys, self.frame))

    def _generator(self, *place: int) -> torch.Generator:
        """One stream of random numbers a place, on the windows' device."""
        state = np.random.SeedSequence([self.seed, *place]).generate_state(1, np.uint64)
        return torch.Generator(self.windows.rgb.device).manual_seed(int(state[0] >> np.uint64(1)))
