"""The data set "painted" for tests of packed stores: hands in scenes with tags, three in each shard."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from painted_hands import IMAGE_PX, painted_hands
from PIL import Image
from registries import register

from latent_hands.data import READERS, Sample
from latent_hands.data import prepare as prepare_module
from latent_hands.data.formats.rhd_files import encode_depth
from latent_hands.data.store import Cut
from latent_hands.data.windows import Windows

COUNT, WINDOW_PX = 11, 32
CUT = Cut("painted", "box", "mirror", 1.75, WINDOW_PX, images=("tag", "depth"))


def painted_scenes(folder: Path) -> list[Sample]:
    """Return hands of four scenes, which do not end where shards end. A scene's tag is one of its images.

    Depth increases from hand to hand, and from left to right.
    """
    scenes = [(100.0 + i, 90.0, 120.0 - i) for i in range(4)]
    samples = []
    for i, sample in enumerate(painted_hands(folder, COUNT)):
        depth_m = np.tile(np.linspace(0.4, 0.6 + i / 100, IMAGE_PX[1], dtype=np.float32), (IMAGE_PX[0], 1))
        depth = folder / f"depth{i}.png"
        Image.fromarray(encode_depth(depth_m)).save(depth)
        scene = (i + 1) // 3
        samples.append(replace(sample, scene_box=scenes[scene], tag=folder / f"{scene}.png"))
        samples[-1] = replace(samples[-1], depth=depth, block=f"scene {scene}")
    return samples


def name_painted(samples: list[Sample], monkeypatch: pytest.MonkeyPatch) -> None:
    """Register the samples as a data set, for any folder, and let shards contain three windows."""
    register(monkeypatch, READERS, "painted", lambda root, split, limit, *, on_broken: samples[:limit])
    monkeypatch.setattr(prepare_module, "SHARD_BYTES", 3 * 3 * WINDOW_PX**2)


def contents(windows: Windows) -> dict[str, Any]:
    values = {field.name: getattr(windows, field.name) for field in fields(windows)}
    everyone = torch.arange(len(windows))
    images = {key: stack.of(everyone) for key, stack in values.pop("images").items()}
    labels = dict(values.pop("labels"))
    return values | images | labels


def same(a: Windows, b: Windows) -> bool:
    """Return whether windows are equal bit by bit. Images are compared sample by sample."""
    one, other = contents(a), contents(b)
    pairs = ((one[name], other[name]) for name in one)
    return one.keys() == other.keys() and all(
        torch.equal(x, y) if isinstance(x, torch.Tensor) else x == y for x, y in pairs
    )


def damage(path: Path) -> None:
    """Change the last byte."""
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
