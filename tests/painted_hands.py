"""Hands on disk, in black images with one bright dot at a keypoint, which the labels must follow."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from latent_hands.data.sample import Sample
from latent_hands.hand import camera

DOT = 12  # the middle MCP: the centre of the crop
IMAGE_PX = (200, 240)  # height, width


def painted_hand(
    folder: Path, name: str, side: str | None = "left", seed: int = 0, dot: int = DOT, size_mm: float = 30.0
) -> Sample:
    """Return a random hand in front of a camera, whose image has a dot at one of its joints.

    Its middle bone (joints 12 to 11) has the length 4/3 of `size_mm`.
    """
    rng = np.random.default_rng(seed)
    xyz_mm = (rng.normal(size=(21, 3)) * size_mm + [20, -15, 500]).astype(np.float32)
    bone = xyz_mm[11] - xyz_mm[12]
    xyz_mm[11] = xyz_mm[12] + 4 / 3 * size_mm * bone / np.linalg.norm(bone)
    K = np.array([[300, 0, 121], [0, 300, 97], [0, 0, 1]], np.float32)
    uv_px = camera.project(torch.from_numpy(xyz_mm), torch.from_numpy(K)).numpy()
    path = folder / f"{name}.png"
    paint_dot(path, tuple(uv_px[dot]))
    return Sample(name, path, side, xyz_mm, uv_px, rng.random(21) < 0.8, K)


def painted_hands(folder: Path, count: int, sides: str = "lr") -> list[Sample]:
    names = {"l": "left", "r": "right"}
    return [painted_hand(folder, f"{i}", names[sides[i % len(sides)]], i) for i in range(count)]


def paint_dot(path: Path, at_px: tuple[float, float], size_px: tuple[int, int] = IMAGE_PX) -> None:
    v, u = np.mgrid[: size_px[0], : size_px[1]]
    level = 255 * np.exp(-((u - at_px[0]) ** 2 + (v - at_px[1]) ** 2) / 8)
    Image.fromarray(np.repeat(level[..., None], 3, axis=2).astype(np.uint8)).save(path)


def find_dots(images: torch.Tensor) -> torch.Tensor:
    """Return the centre of mass of the brightest spot of each window (B, 3, H, W): (B, 2) pixels."""
    grey = (images == 128).all(dim=1)  # beyond the image
    light = images.float().mean(dim=1).masked_fill(grey, 0)
    light = light * (light > 0.75 * light.amax(dim=(1, 2), keepdim=True))
    v, u = torch.meshgrid(*(torch.arange(n, dtype=torch.float32) for n in light.shape[1:]), indexing="ij")
    return torch.stack([(light * axis).sum((1, 2)) / light.sum((1, 2)) for axis in (u, v)], dim=1)
