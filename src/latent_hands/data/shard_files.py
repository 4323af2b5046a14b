"""The shards of a packed store: safetensors files with windows and all their labels.

Loading a shard executes no code. A header cannot make it allocate memory: tensors are views of the file.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from latent_hands.data.image_stacks import ImageStack, ShardedImages
from latent_hands.data.labels import LABELS, Label, image_keys, image_label
from latent_hands.data.readers.reading import check_limit
from latent_hands.data.store import Cut, Split, check_cut, find_splits, shard_path
from latent_hands.data.windows import Windows
from latent_hands.errors import BROKEN, HandsError

DTYPES = {torch.float32: "F32", torch.bool: "BOOL", torch.int64: "I64"}
INDEX = ".index"
"""Suffix of the tensor with the number of each sample's image, if samples share images."""


@dataclass(frozen=True)
class Part:
    """An opened shard: labels, images that stay in the file, and the names of the samples."""

    path: Path
    tensors: dict[str, Tensor]
    names: tuple[str, ...]


def encode(windows: Windows) -> bytes:
    """Return the bytes of a shard's file. The same windows give the same bytes."""
    values: dict[str, Any] = dict(windows.labels)
    values |= {key: images.pixels for key, images in windows.images.items()}
    values |= {key + INDEX: images.index for key, images in windows.images.items()}
    tensors = {name: value.contiguous() for name, value in values.items() if value is not None}
    return save(tensors, {"names": json.dumps(windows.names)})


def open_windows(root: str | Path, split: str, wanted: Cut, limit: int | None = None) -> Windows:
    """Return the windows of a split, equal to those of `build_windows`. `limit` keeps the first ones.

    `root` is a store, or a folder of stores, whose windows follow each other by the names of the stores.
    Raises HandsError if a store was not cut as `wanted`, lacks the split, or is not finished. The error
    names the file if a shard is missing, truncated or broken.
    """
    stores = find_splits(root, split)
    for store, held in stores.items():
        check_cut(f"{split} of {store}", held.cut, wanted)
    check_limit(limit)
    parts = [part for store, held in stores.items() for part in _parts(store, split, held, len(stores) > 1)]
    (convention,) = {held.labelled_in(f"{split} of {store}") for store, held in stores.items()}
    windows = replace(join(parts, wanted.margin, wanted.right_hands), convention=convention)
    windows = windows.with_images(("rgb", *wanted.images))
    return windows if limit is None or limit >= len(windows) else windows.select(range(limit))


def _parts(store: Path, split: str, held: Split, several: bool) -> list[Part]:
    """Open the shards of a store. Blocks of `several` stores get numbers that the stores do not share."""
    parts = [
        read_part(shard_path(store, split, number), shard.samples, shard.bytes, held.cut.window_px)
        for number, shard in enumerate(held.shards)
    ]
    if not several:
        return parts
    key = int(held.source[:14], 16)
    return [
        replace(part, tensors={n: t ^ key if n == "block" else t for n, t in part.tensors.items()})
        for part in parts
    ]


def read_part(path: Path, samples: int, size: int, window_px: int) -> Part:
    """Open a shard. Raises HandsError naming the file if it does not have this many samples and bytes."""
    if not path.is_file():
        raise HandsError(f"{path} is missing: repeat the store's `latent-hands prepare`")
    if (found := path.stat().st_size) != size:
        raise HandsError(f"{path} has {found} bytes, not {size}: repeat the store's `latent-hands prepare`")
    try:
        with safe_open(path, framework="pt") as file:
            held = file.keys()
            for name in held:
                _check_header(name, file.get_slice(name), held, samples, window_px)
            tensors = {name: file.get_tensor(name) for name in held}
            names = _names(file.metadata()["names"], samples)
        _check_content(tensors)
    except (SafetensorError, *BROKEN) as error:
        raise HandsError(f"{path} is not a shard of a packed store: {error}") from error
    return Part(path, tensors, names)


def join(parts: Sequence[Part], margin: float, right_hands: str) -> Windows:
    """Return the windows of several shards, in order. Labels are copied, images stay in their files.

    A label that all hands of a shard lack is unknown (`Label.of_unknown`). Raises HandsError for a shard that
    lacks anything else.
    """
    names = dict.fromkeys(name for part in parts for name in part.tensors)
    columns = {name: [_column(part, name, parts) for part in parts] for name in names}
    images = {key: _join_images(key, columns) for key in columns if key in image_keys()}
    labels = {name: torch.cat(column) for name, column in columns.items() if _is_stored(name)}
    names = tuple(name for part in parts for name in part.names)
    return Windows(images, names, margin, right_hands, labels)


def _column(part: Part, name: str, parts: Sequence[Part]) -> Tensor:
    """Return a tensor of a shard."""
    if name in part.tensors:
        return part.tensors[name]
    label = LABELS.get(name)
    if isinstance(label, Label) and (unknown := label.of_unknown()) is not None:
        return unknown.expand(len(part.names), *label.shape)
    other = next(each for each in parts if name in each.tensors)
    labels, others = (", ".join(sorted(each.tensors)) for each in (part, other))
    raise HandsError(f"{part.path} contains {labels}, but {other.path.name} contains {others}")


def _join_images(key: str, columns: dict[str, list[Tensor]]) -> ImageStack:
    images = ShardedImages.of(tuple(columns[key]))
    if key + INDEX not in columns:
        return ImageStack(images)
    before = torch.tensor([0, *map(len, columns[key])]).cumsum(0)[:-1]
    return ImageStack(
        images, torch.cat([i + start for i, start in zip(columns[key + INDEX], before, strict=True)])
    )


def _check_header(name: str, piece: Any, held: Collection[str], samples: int, window_px: int) -> None:
    """Raise ValueError for a tensor that is not in the table of labels, or not of its type and shape."""
    shape = tuple(piece.get_shape())
    if name in image_keys():
        rows = (shape[:1] or (1,)) if name + INDEX in held else (samples,)
        dtype, wanted = "U8", (*rows, image_label(name).modality.channels, window_px, window_px)
    elif name.removesuffix(INDEX) in image_keys() & set(held):
        dtype, wanted = "I64", (samples,)
    elif _is_stored(name) and isinstance(label := LABELS[name], Label):
        dtype, wanted = DTYPES[label.dtype], (samples, *label.shape)
    else:
        raise ValueError(f'unknown tensor "{name}"')
    if piece.get_dtype() != dtype or shape != wanted:
        raise ValueError(f'"{name}" is {piece.get_dtype()} {shape}, not {dtype} {wanted}')


def _is_stored(name: str) -> bool:
    label = LABELS.get(name)
    return isinstance(label, Label) and label.derive is None


def _names(text: str, samples: int) -> tuple[str, ...]:
    names = json.loads(text)
    if not isinstance(names, list) or len(names) != samples or not all(isinstance(n, str) for n in names):
        raise ValueError(f"it does not name its {samples} samples")
    return tuple(names)


def _check_content(tensors: dict[str, Tensor]) -> None:
    if not {"rgb", "crop_side_px"} <= tensors.keys() or "rgb" + INDEX in tensors:
        raise ValueError(
            f"it contains {', '.join(sorted(tensors)) or 'nothing'}; rgb and crop_side_px are needed"
        )
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and tensor.isinf().any():  # NaN is an unknown label
            raise ValueError(f'"{name}" has infinite values')
        if name.endswith(INDEX):
            low, high = tensor.aminmax()
            if low < 0 or high >= len(tensors[name.removesuffix(INDEX)]):
                raise ValueError(f'"{name}" points beyond the images')
