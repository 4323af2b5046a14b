"""RHD's file formats (Zimmermann & Brox 2017), written atomically: a file is whole or not there."""

import io
import pickle
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image

from latent_hands.files import write_bytes

TAG, FACTOR_TAGS = "tag", ("identity_tag", "background_tag")
"""Folders of images of whole scenes, and of their factors alone, which not every rendered set has."""
DEPTH_RANGE_M = 5.0
RIGHT_HAND = 16
"""RHD's masks: 0 background, 1 person, 2..17 the parts of a left hand, 18..33 those of a right hand."""


def tag_kinds(factor_tags: bool) -> tuple[str, ...]:
    """The folders of a set's tag images."""
    return (TAG, *FACTOR_TAGS) if factor_tags else (TAG,)


def encode_depth(depth_m: Float32[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w 3"]:
    """Depth as (R * 256 + G) / (2^16 - 1) * 5 m; where nothing was hit (0) it is 5 m."""
    depth_m = np.where(depth_m > 0, depth_m, DEPTH_RANGE_M).clip(0, DEPTH_RANGE_M)
    code = np.round(depth_m / DEPTH_RANGE_M * (2**16 - 1)).astype(np.uint16)
    return np.stack([code >> 8, code & 255, np.zeros_like(code)], -1).astype(np.uint8)


def encode_mask(part: UInt8[np.ndarray, "h w"], side: str) -> UInt8[np.ndarray, "h w"]:
    """Left-hand parts in the numbers of the hand's side."""
    return part if side == "left" else np.where(part > 1, part + RIGHT_HAND, part).astype(np.uint8)


def encode_annotations(records: Iterable[dict[str, Any]]) -> bytes:
    """The annotation pickle of records (index, side, xyz_m, uv_px, visible, K); the absent hand is 0."""
    labels = {}
    for record in records:
        hand = slice(0, 21) if record["side"] == "left" else slice(21, 42)
        xyz, uv_vis = np.zeros((2, 42, 3), np.float32)
        xyz[hand] = record["xyz_m"]
        uv_vis[hand] = np.column_stack([record["uv_px"], record["visible"]])
        labels[record["index"]] = {"xyz": xyz, "uv_vis": uv_vis, "K": np.array(record["K"], np.float32)}
    # The names of numpy 1, which numpy 2 still knows: every reader of RHD can open the file.
    return pickle.dumps(labels, protocol=3).replace(b"cnumpy._core.", b"cnumpy.core.")


def write_image(path: Path, pixels: UInt8[np.ndarray, "..."]) -> None:
    """Write a PNG."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    write_bytes(path, buffer.getvalue())
