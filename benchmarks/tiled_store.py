"""Packed stores of any number of hands that take the disk space of one shard: further shards are links."""

import hashlib
import os
from pathlib import Path

import torch

from latent_hands.data.prepare import shard_samples
from latent_hands.data.shard_files import encode
from latent_hands.data.store import MANIFEST, Cut, Manifest, Shard, Split, read_manifest, shard_path, stated
from latent_hands.data.windows import Windows


def write_tiled_store(out: Path, windows: Windows, cut: Cut, count: int) -> None:
    """Write a store with a split "training" of at least `count` hands: these windows again and again.

    All shards are full, and hard links to one file.
    """
    size = shard_samples(cut)
    full = windows.select(torch.arange(size) % len(windows))
    data = encode(full)
    shards = -(-count // size)
    (out / "training").mkdir(parents=True)
    first = shard_path(out, "training", 0)
    first.write_bytes(data)
    for number in range(1, shards):
        os.link(first, shard_path(out, "training", number))
    shard = Shard(size, len(data), hashlib.sha256(data).hexdigest())
    convention = stated(cut.name, windows.convention)
    split = Split(cut, "0" * 64, 1, size * shards, (shard,) * shards, convention)
    (out / MANIFEST).write_text(Manifest(splits={"training": split}).as_json())


def convention_option(store: Path) -> str:
    """Return the option of `train` that names the joint convention of a store."""
    return f"--data.convention={read_manifest(store).splits['training'].labelled_in(str(store))}"
