"""Images for people to judge: labels over images, and the hand from the front and the side."""

import math
from collections.abc import Sequence

import numpy as np

from latent_hands import draw
from latent_hands.data import read_rgb
from latent_hands.data.crops import cut_square
from latent_hands.doctor.files import Looked

COLUMNS = ("image", "hand", "3D, front", "3D, side")
_CELL_PX = 192
_ROOM = 1.4


def check_sheet(looked: Sequence[Looked], first: Sequence[str] = (), count: int = 12) -> draw.ImageArray:
    """A row for each of `count` samples: those named first, then others, evenly spread."""
    named = [each for each in looked if each.name in set(first)][: count // 2]
    rest = [each for each in looked if each not in named]
    step = max(len(rest) / max(count - len(named), 1), 1)
    chosen = named + [rest[int(i * step)] for i in range(min(count - len(named), len(rest)))]
    headings = [each.name.replace("evaluation/", "e/").replace("training/", "t/") for each in chosen]
    return draw.grid([_row(each) for each in chosen], COLUMNS, headings, _CELL_PX)


def _row(looked: Looked) -> list[draw.ImageArray | None]:
    image, sample = read_rgb(looked.sample.image), looked.sample
    row: list[draw.ImageArray | None] = [image, None, None, None]
    if sample.uv_px is not None and np.isfinite(sample.uv_px).all():
        far = 4.0 * max(looked.size_px)  # Pillow's lines end where its integers do
        uv_px = np.clip(sample.uv_px.astype(np.float64), -far, far)
        row[:2] = draw.overlay(image, uv_px), _close_up(image, uv_px)
    if sample.xyz_mm is not None and np.ptp(sample.xyz_mm):
        xyz_mm = sample.xyz_mm.astype(np.float64)
        row[2:] = draw.skeleton(xyz_mm, "front", _CELL_PX), draw.skeleton(xyz_mm, "side", _CELL_PX)
    return row


def _close_up(image: draw.ImageArray, uv_px: np.ndarray) -> draw.ImageArray:
    """The square around the joints."""
    low, high = uv_px.min(axis=0), uv_px.max(axis=0)
    centre, side_px = (low + high) / 2, max(float((high - low).max()) * _ROOM, 8.0)
    out_px = min(math.ceil(side_px * 2), 320)
    cut = cut_square(image, (centre[0], centre[1]), side_px, out_px, flip=False)
    moved = (uv_px - centre) * (out_px / side_px) + (out_px - 1) / 2
    return draw.overlay(cut.numpy().transpose(1, 2, 0).copy(), moved)
