"""Depth as images: one byte a pixel, how far in front of or behind the palm's plane the surface lies.

Depth is a further modality x^ of the paper, embedded into a finished latent by Eq. 7 and Eq. 8.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from latent_hands.data.formats.rhd_files import read_depth_mm
from latent_hands.data.palm import palm_xyz_mm
from latent_hands.data.sample import Sample

REACH_MM = 150.0
"""Range of depth in front of and behind the palm. All joints of a hand lie in it, except one in 4,000."""
PALM_LEVEL, LEVELS = 128, 127


def depth_levels(
    depth_mm: Float[np.ndarray, "height width"], palm_mm: float
) -> UInt8[np.ndarray, "height width"]:
    """Return depth as grey levels. Nearer is brighter; a level is 1.18 mm.

    The palm's depth is 128. REACH_MM in front of it, and nearer, is 255; REACH_MM behind it is 1. Surfaces
    farther away and pixels without measurement (0 mm) are 0, the background. So interpolated images fade at
    the rim of the hand, as colour images do.
    """
    level = PALM_LEVEL - (depth_mm - palm_mm) * (LEVELS / REACH_MM)
    return np.where(depth_mm > 0, level.round().clip(0, 255), 0).astype(np.uint8)


def palm_depth_mm(
    sample: Sample, depth_mm: Float[np.ndarray, "height width"], square: tuple[float, float, float]
) -> float:
    """Return the depth of the palm: its label, or else `surface_depth_mm` of the crop (cx, cy, side)."""
    xyz_mm = palm_xyz_mm(sample)
    return surface_depth_mm(depth_mm, square) if xyz_mm is None else float(xyz_mm[0, 2])


def surface_depth_mm(
    depth_mm: Float[np.ndarray, "height width"], square: tuple[float, float, float]
) -> float:
    """Return the median depth of the hand in the middle ninth of the crop (cx, cy, side).

    The hand is everything within REACH_MM of the nearest surface. Without any measurement, return 0.
    """
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
    """Read a sample's depth image as grey levels about its palm (`depth_levels`)."""
    depth_mm = read_depth_mm(path)
    return depth_levels(depth_mm, palm_depth_mm(sample, depth_mm, square))
