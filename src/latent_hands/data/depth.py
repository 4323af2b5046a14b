"""Depth as images: one byte a pixel, how far before or behind the palm's plane the surface lies.

It is a further modality x^ of the paper, embedded into a finished latent by Eq. 7 and Eq. 8.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from latent_hands.data.palm import palm_xyz_mm
from latent_hands.data.sample import Sample, read_rgb

REACH_MM = 150.0
"""The depth on either side of the palm that is told apart: all joints of a hand, but for one in 4,000."""
PALM_LEVEL, LEVELS = 128, 127
RHD_RANGE_MM = 5000.0


def read_depth_mm(path: str | Path) -> Float[np.ndarray, "height width"]:
    """Depth in RHD's coding, (R * 256 + G) / (2^16 - 1) * 5 m, in mm; HandsError as `read_rgb` raises it."""
    pixels = read_rgb(path).astype(np.float32)
    return (256 * pixels[..., 0] + pixels[..., 1]) * np.float32(RHD_RANGE_MM / (2**16 - 1))


def depth_levels(
    depth_mm: Float[np.ndarray, "height width"], palm_mm: float
) -> UInt8[np.ndarray, "height width"]:
    """Nearer is brighter: 128 at the palm's depth, 255 REACH_MM before it and nearer, 1 REACH_MM behind it.

    A level is 1.18 mm. 0 is the background: what lies farther, and where nothing was measured (0 mm). So a
    image that is interpolated fades at the hand's rim as one of colours does.
    """
    level = PALM_LEVEL - (depth_mm - palm_mm) * (LEVELS / REACH_MM)
    return np.where(depth_mm > 0, level.round().clip(0, 255), 0).astype(np.uint8)


def palm_depth_mm(
    sample: Sample, depth_mm: Float[np.ndarray, "height width"], square: tuple[float, float, float]
) -> float:
    """The label's depth of the palm; without one the `surface_depth_mm` of the crop (cx, cy, side)."""
    xyz_mm = palm_xyz_mm(sample)
    return surface_depth_mm(depth_mm, square) if xyz_mm is None else float(xyz_mm[0, 2])


def surface_depth_mm(
    depth_mm: Float[np.ndarray, "height width"], square: tuple[float, float, float]
) -> float:
    """The median depth of what lies within REACH_MM of the nearest surface in the crop's middle ninth."""
    cx, cy, side_px = square
    columns, rows = (
        slice(max(0, round(c - side_px / 6)), max(0, round(c + side_px / 6)) + 1) for c in (cx, cy)
    )
    middle = depth_mm[rows, columns]
    measured = middle[middle > 0]
    if not len(measured):
        return 0.0
    return float(np.median(measured[measured < measured.min() + REACH_MM]))


def read_levels(
    path: Path, sample: Sample, square: tuple[float, float, float]
) -> UInt8[np.ndarray, "height width"]:
    """A sample's depth image as levels about its palm."""
    depth_mm = read_depth_mm(path)
    return depth_levels(depth_mm, palm_depth_mm(sample, depth_mm, square))
