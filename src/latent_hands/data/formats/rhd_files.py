"""File formats of the Rendered Hand Pose Dataset, RHD (Zimmermann & Brox 2017)."""

import pickle
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, UInt8

from latent_hands.data.formats.image import decode, open_image, read_rgb
from latent_hands.data.formats.png import encode_png
from latent_hands.errors import HandsError
from latent_hands.files import write_bytes

TAG, FACTOR_TAGS = "tag", ("identity_tag", "background_tag")
"""Folders of tag images: of whole scenes, and of single factors (not in every rendered set)."""
DEPTH_RANGE_M = 5.0
_DEPTH_CODES = 2**16 - 1
RIGHT_HAND = 16
"""In a mask 0 is background, 1 a person, 2..17 are the parts of a left hand, 18..33 those of a right hand."""
LAST_PART = 33


def tag_kinds(factor_tags: bool) -> tuple[str, ...]:
    """Return the folders of a set's tag images."""
    return (TAG, *FACTOR_TAGS) if factor_tags else (TAG,)


def encode_depth(depth_m: Float32[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w 3"]:
    """Return depth in metres as an RGB image, with depth = (R * 256 + G) / (2^16 - 1) * 5 m.

    Pixels without a surface (0 m) become 5 m.
    """
    depth_m = np.where(depth_m > 0, depth_m, DEPTH_RANGE_M).clip(0, DEPTH_RANGE_M)
    code = np.round(depth_m / DEPTH_RANGE_M * _DEPTH_CODES).astype(np.uint16)
    return np.stack([code >> 8, code & 255, np.zeros_like(code)], -1).astype(np.uint8)


def read_depth_mm(path: str | Path) -> Float[np.ndarray, "height width"]:
    """Read a depth image (see `encode_depth`) in millimetres. Raises HandsError as `read_rgb` does."""
    pixels = read_rgb(path).astype(np.float32)
    return (256 * pixels[..., 0] + pixels[..., 1]) * np.float32(1000 * DEPTH_RANGE_M / _DEPTH_CODES)


def read_parts(path: str | Path) -> UInt8[np.ndarray, "height width"]:
    """Read the part numbers of a mask; of an image with a palette, they are the numbers of its colours.

    Raises HandsError as `read_rgb` does, and for a mask of colours or of other numbers.
    """
    with open_image(path) as image:
        single = image.mode in ("L", "P")
        pixels = decode(path, image, image.mode if single else "RGB")
    parts = pixels if single else pixels[..., 0]
    if not single and (pixels != parts[..., None]).any():
        raise HandsError(f"{path} has colours; a mask must be a grey image of part numbers, 0 to {LAST_PART}")
    if parts.max() > LAST_PART:
        raise HandsError(f"{path} has the part {parts.max()}; the parts of a mask are 0 to {LAST_PART}")
    return parts


def encode_mask(part: UInt8[np.ndarray, "h w"], side: str) -> UInt8[np.ndarray, "h w"]:
    """Return the mask of a hand of this side. `part` has the numbers of a left hand."""
    return part if side == "left" else np.where(part > 1, part + RIGHT_HAND, part).astype(np.uint8)


def encode_annotations(records: Iterable[dict[str, Any]]) -> bytes:
    """Return the annotation pickle of records with index, K, and side, xyz_m, uv_px and visible of a hand.

    A record of several hands has them in a list "hands". Records of one index are hands of one image. The
    layout holds one left and one right hand an image: of two with the same side, the first is kept. The
    labels of an absent hand are 0, and an image without hands has no entry.
    """
    labels: dict[int, dict[str, Any]] = {}
    for record in records:
        for each in reversed(record.get("hands", [record])):
            empty = {"xyz": np.zeros((42, 3), np.float32), "uv_vis": np.zeros((42, 3), np.float32)}
            label = labels.setdefault(record["index"], empty | {"K": np.array(record["K"], np.float32)})
            hand = slice(0, 21) if each["side"] == "left" else slice(21, 42)
            label["xyz"][hand] = each["xyz_m"]
            label["uv_vis"][hand] = np.column_stack([each["uv_px"], each["visible"]])
    # numpy 1 does not have the module names of numpy 2, but numpy 2 still has those of numpy 1.
    return pickle.dumps(labels, protocol=3).replace(b"cnumpy._core.", b"cnumpy.core.")


def write_image(path: Path, pixels: UInt8[np.ndarray, "..."]) -> None:
    """Write a PNG file of grey or RGB pixels."""
    write_bytes(path, encode_png(pixels))
