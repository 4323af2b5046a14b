"""MATLAB files from strangers: arrays of numbers by name, and nothing else.

A file announces sizes that nothing need hold it to, and its parts may be compressed a thousandfold. So the
parts are unpacked here, up to a limit, and no array is built before its announced shape is the expected one.
"""

import io
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from latent_hands.errors import HandsError

MAX_BYTES = 64 * 2**20
"""The largest label file of STB has 760 kB."""
_HEADER, _TAG, _COMPRESSED = 128, 8, 15
_NUMBERS = {"double", "single", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))}

Shape = tuple[int | None, ...]


def load_mat(path: Path, shapes: Mapping[str, Shape]) -> dict[str, Float32[np.ndarray, "..."]]:
    """The arrays of these names and shapes; None in a shape stands for any length.

    Raises HandsError naming the file if it is missing, larger than MAX_BYTES (unpacked, too), no MATLAB file
    of version 5 to 7, or if an array is missing, of another shape or holds values that are not finite.
    """
    if not path.is_file():
        raise HandsError(f"no label file at {path}")
    if path.stat().st_size > MAX_BYTES:
        raise HandsError(f"{path} has more than {MAX_BYTES:,} bytes, the most that is read")
    from scipy.io import loadmat, whosmat  # a tenth of a second, which help need not wait for

    try:
        plain = _unpacked(path.read_bytes())
        kinds = {name: (shape, kind) for name, shape, kind in whosmat(io.BytesIO(plain))}
        for name, legal in shapes.items():
            _check(name, kinds, legal)
        arrays: Any = loadmat(io.BytesIO(plain), variable_names=list(shapes))
        return {name: _numbers(name, arrays[name]) for name in shapes}
    except HandsError as error:
        raise HandsError(f"{path}: {error}") from error
    except Exception as error:  # a broken file fails in any way
        told = " ".join(f"{type(error).__name__} {error}".split())
        raise HandsError(f"{path} is no MATLAB file of version 5 to 7: {told}") from error


def _unpacked(data: bytes) -> bytes:
    """The same file with no part compressed."""
    order = "big" if data[126:128] == b"MI" else "little"
    parts, start, left = [data[:_HEADER]], _HEADER, MAX_BYTES - _HEADER
    while start < len(data):
        kind, size = (int.from_bytes(data[start + at : start + at + 4], order) for at in (0, 4))
        end = start + _TAG + size
        part = _inflate(data[start + _TAG : end], left) if kind == _COMPRESSED else data[start:end]
        parts.append(part)
        start, left = end, left - len(part)
    return b"".join(parts)


def _inflate(data: bytes, left: int) -> bytes:
    """The part unpacked, up to the bytes that are left of MAX_BYTES."""
    inflated = zlib.decompressobj().decompress(data, max(left, 0) + 1)
    if len(inflated) > left:
        raise HandsError(f"unpacked it has more than {MAX_BYTES:,} bytes, the most that is read")
    return inflated


def _check(name: str, kinds: Mapping[str, tuple[Shape, str]], legal: Shape) -> None:
    if name not in kinds:
        raise HandsError(f'there is no array "{name}"; there is {", ".join(kinds) or "nothing"}')
    shape, kind = kinds[name]
    fits = len(shape) == len(legal) and all(b in (None, a) for a, b in zip(shape, legal, strict=True))
    if not fits or kind not in _NUMBERS:
        wanted = " x ".join("n" if side is None else str(side) for side in legal)
        raise HandsError(f'"{name}" is {kind} of shape {shape}; legal: {wanted} numbers')


def _numbers(name: str, array: Any) -> np.ndarray:
    if array.dtype.kind not in "iuf" or not np.isfinite(array).all():
        raise HandsError(f'"{name}" holds values that are not finite real numbers')
    return array.astype(np.float32)
