"""Batches of crops. Their order and augmentation depend only on (seed, epoch, index)."""

from collections import deque
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from latent_hands.data.augmentation import Augmentation
from latent_hands.data.augmentation.augment import draw_images, draw_warps, move_labels
from latent_hands.data.labels import image_keys
from latent_hands.data.windows import Windows, check_keys
from latent_hands.errors import HandsError
from latent_hands.paper.modality import Batch

_AHEAD = 2  # batches that a thread prepares while one is in use


@dataclass(frozen=True)
class _Epoch:
    """Order, warps and labels of all samples of one epoch."""

    order: Tensor
    W: Tensor
    labels: Batch


class Batches:
    """The batches of some windows, epoch after epoch.

    A run that resumes at any (epoch, index) gets the batches that an uninterrupted run gets. The labels of a
    whole epoch are moved at once. Images are read only if a key requests them.

    Args:
        windows: the hands.
        crop_px: side of the crops.
        batch_size: samples in a batch.
        augmentation: ranges of the random changes. None gives the ground-truth crops.
        frame: frame of pose and viewpoint, see `augment`.
        seed: seed of all orders and changes.
        shuffle: True (training) visits the samples in a new order in each epoch and drops the last partial
            batch. False (evaluation) keeps the order and the partial batch.
        pixel_dtype: type of the images.

    Raises HandsError if no batch can be filled.
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
        if batch_size < 1 or (shuffle and batch_size > len(windows)):
            raise HandsError(
                f"batch_size is {batch_size}; for these samples, it must be between 1 and {len(windows)}"
            )
        self.windows, self.crop_px, self.batch_size = windows, crop_px, batch_size
        self.augmentation = augmentation or Augmentation.none()
        self.frame, self.seed, self.shuffle, self.pixel_dtype = frame, seed, shuffle, pixel_dtype
        self._plan = lru_cache(maxsize=2)(self._draw)

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        full, rest = divmod(len(self.windows), self.batch_size)
        return full + (rest > 0 and not self.shuffle)

    def mirrored(self) -> "Batches":
        """Return the batches of the mirror images."""
        flipped = replace(self.augmentation, flip=1.0)
        return Batches(
            self.windows,
            self.crop_px,
            self.batch_size,
            flipped,
            self.frame,
            self.seed,
            self.shuffle,
            self.pixel_dtype,
        )

    def batch(self, epoch: int, index: int, keys: Collection[str]) -> Batch:
        """Return batch `index` of `epoch` with these keys, and the samples' weights if they have any.

        See `augment` for shapes and units.
        """
        if not 0 <= index < len(self):
            raise HandsError(f"batch index is {index}; it must be between 0 and {len(self) - 1}")
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
        """Yield the batches of an epoch from index `start` on. A thread prepares the next ones."""
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
        """Yield batches without end, epoch after epoch, from batch number `start` on."""
        epoch, index = divmod(start, len(self))
        while True:
            yield from self.epoch(epoch, keys, start=index)
            epoch, index = epoch + 1, 0

    def _draw(self, epoch: int, keys: frozenset[str]) -> _Epoch:
        windows, generator = self.windows, self._generator(epoch)
        check_keys(windows, keys, self.frame)
        keys = keys | ({"weight"} & windows.labels.keys())
        count = len(self) * self.batch_size if self.shuffle else len(windows)
        device = windows.rgb.device
        order = torch.arange(len(windows), device=device)
        if self.shuffle:
            order = torch.randperm(len(windows), generator=generator, device=device)[:count]
        learnt = "side" in keys or windows.right_hands == "condition"
        augmentation = self.augmentation if learnt else replace(self.augmentation, flip=0.0)
        W = draw_warps(windows, count, self.crop_px, augmentation, generator, keys)
        return _Epoch(order, W, move_labels(windows, order, W, self.crop_px, keys, self.frame))

    def _generator(self, *place: int) -> torch.Generator:
        """Return a random generator for an epoch, or a batch of an epoch, on the device of the windows."""
        state = np.random.SeedSequence([self.seed, *place]).generate_state(1, np.uint64)
        return torch.Generator(self.windows.rgb.device).manual_seed(int(state[0] >> np.uint64(1)))
