"""MATLAB files, read for arrays of numbers by name and nothing else.

A file need not hold as much as it announces, and its parts may be compressed a thousandfold. So the parts are
decompressed here, up to a limit, and no array is built before its announced shape is the expected one.
"""

import io
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from latent_hands.data.formats.limited import read_limited
from latent_hands.errors import HandsError

MAX_BYTES = 64 * 2**20
"""STB's largest label file has 760 kB."""
MAX_PARTS = 1000
"""Limit of the variables and their parts. Each takes time, and an empty one has 8 bytes."""
_HEADER, _TAG, _COMPRESSED = 128, 8, 15
_NUMBERS = {"double", "single", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))}

Shape = tuple[int | None, ...]


def load_mat(path: Path, shapes: Mapping[str, Shape]) -> dict[str, Float32[np.ndarray, "..."]]:
    """Read the arrays of these names and shapes. None in a shape stands for any length.

    Raises HandsError naming the file if it is missing, is not a MATLAB file of version 5 to 7, or has more
    than MAX_BYTES, also when decompressed. Raises it too if an array is missing, has another shape or
    contains values that are not finite.
    """
    if not path.is_file():
        raise HandsError(f"no label file at {path}")
    content = read_limited(path, MAX_BYTES)
    from scipy.io import loadmat, whosmat  # takes 0.1 s, which --help should not wait for

    try:
        plain = _decompressed(content)
        found = {name: (shape, kind) for name, shape, kind in whosmat(io.BytesIO(plain))}
        for name, expected in shapes.items():
            _check(name, found, expected)
        arrays: Any = loadmat(io.BytesIO(plain), variable_names=list(shapes))
        return {name: _numbers(name, arrays[name]) for name in shapes}
    except HandsError as error:
        raise HandsError(f"{path}: {error}") from error
    except Exception as error:  # scipy raises almost every type on broken files
        reason = " ".join(f"{type(error).__name__} {error}".split())
        raise HandsError(f"{path} is not a MATLAB file of version 5 to 7: {reason}") from error


def _decompressed(data: bytes) -> bytes:
    """Return the same file with no part compressed."""
    order = "big" if data[126:128] == b"MI" else "little"
    parts, start, left = [data[:_HEADER]], _HEADER, MAX_BYTES - _HEADER
    while start < len(data):
        kind, size = (int.from_bytes(data[start + at : start + at + 4], order) for at in (0, 4))
        end = start + _TAG + size
        part = _inflate(data[start + _TAG : end], left) if kind == _COMPRESSED else data[start:end]
        parts.append(part)
        start, left = end, left - len(part)
        if len(parts) > MAX_PARTS:
            raise HandsError(f"it has more than {MAX_PARTS:,} variables, which is the limit")
    return b"".join(parts)


def _inflate(data: bytes, left: int) -> bytes:
    """Decompress a part to at most `left` bytes, which remain of MAX_BYTES."""
    inflated = zlib.decompressobj().decompress(data, max(left, 0) + 1)
    if len(inflated) > left:
        raise HandsError(f"it has more than {MAX_BYTES:,} bytes when decompressed, which is the limit")
    return inflated


def _check(name: str, found: Mapping[str, tuple[Shape, str]], expected: Shape) -> None:
    if name not in found:
        raise HandsError(f'it has no array "{name}", only {", ".join(found) or "an empty content"}')
    shape, kind = found[name]
    fits = len(shape) == len(expected) and all(b in (None, a) for a, b in zip(shape, expected, strict=True))
    if not fits or kind not in _NUMBERS:
        wanted = " x ".join("n" if side is None else str(side) for side in expected)
        raise HandsError(f'"{name}" is {kind} of shape {shape}; it must be {wanted} numbers')


def _numbers(name: str, array: Any) -> np.ndarray:
    if array.dtype.kind not in "iuf" or not np.isfinite(array).all():
        raise HandsError(f'"{name}" contains values that are not finite real numbers')
    return array.astype(np.float32)
