"""A sheet for visual inspection: labels over images, and the 3D joints from the front and the side."""

import math
from collections.abc import Sequence

import numpy as np

from latent_hands import draw
from latent_hands.data import read_rgb
from latent_hands.data.crops import cut_square
from latent_hands.doctor.files import Inspected

COLUMNS = ("image", "hand", "3D, front", "3D, side")
ROWS = 12
_CELL_PX = 192
_ROOM = 1.4


def draw_sheet(inspected: Sequence[Inspected], first: Sequence[str] = ()) -> draw.ImageArray:
    """Return an image with a row for each of `ROWS` samples.

    Up to half of them are those named in `first`; the others are evenly spread over the rest.
    """
    named = [each for each in inspected if each.name in set(first)][: ROWS // 2]
    rest = [each for each in inspected if each not in named]
    step = max(len(rest) / max(ROWS - len(named), 1), 1)
    chosen = named + [rest[int(i * step)] for i in range(min(ROWS - len(named), len(rest)))]
    headings = [each.name.replace("evaluation/", "e/").replace("training/", "t/") for each in chosen]
    return draw.grid([_row(each) for each in chosen], COLUMNS, headings, _CELL_PX)


def _row(each: Inspected) -> list[draw.ImageArray | None]:
    image, sample = read_rgb(each.sample.image), each.sample
    row: list[draw.ImageArray | None] = [image, None, None, None]
    if sample.uv_px is not None and np.isfinite(sample.uv_px).all():
        far = 4.0 * max(each.size_px)  # Pillow cannot draw lines beyond the range of its integers
        uv_px = np.clip(sample.uv_px.astype(np.float64), -far, far)
        row[:2] = draw.overlay(image, uv_px), _close_up(image, uv_px)
    if sample.xyz_mm is not None and np.ptp(sample.xyz_mm):
        xyz_mm = sample.xyz_mm.astype(np.float64)
        row[2:] = draw.skeleton(xyz_mm, "front", _CELL_PX), draw.skeleton(xyz_mm, "side", _CELL_PX)
    return row


def _close_up(image: draw.ImageArray, uv_px: np.ndarray) -> draw.ImageArray:
    """Return the square around the joints, with the joints drawn over it."""
    low, high = uv_px.min(axis=0), uv_px.max(axis=0)
    centre, side_px = (low + high) / 2, max(float((high - low).max()) * _ROOM, 8.0)
    out_px = min(math.ceil(side_px * 2), 320)
    cut = cut_square(image, (centre[0], centre[1]), side_px, out_px, flip=False)
    moved = (uv_px - centre) * (out_px / side_px) + (out_px - 1) / 2
    return draw.overlay(cut.numpy().transpose(1, 2, 0).copy(), moved)
