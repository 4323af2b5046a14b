"""Pickles of annotations, read without executing anything that they ask for.

A pickle is a program. Here it may build plain containers, numbers, text and numpy arrays of numbers. Every
other request is refused before anything runs. The unpickler is the one written in Python, not the one in C:
its table of instructions can be restricted, and it never allocates memory that a file only announces.
"""

import io
import math
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from latent_hands.data.formats.limited import read_limited
from latent_hands.errors import HandsError

MAX_BYTES = 256 * 2**20
"""RHD's largest annotation file has 50 MB."""


def load_pickle(path: str | Path) -> Any:
    """Read a pickle of plain containers and numeric numpy arrays.

    Raises HandsError naming the file if it is truncated, is larger than MAX_BYTES, or asks for anything else.
    The error then names the refused global, and nothing of it has run.
    """
    path = Path(path)
    if not path.is_file():
        raise HandsError(f"no annotation file at {path}")
    content = read_limited(path, MAX_BYTES)
    try:
        return _Unpickler(io.BytesIO(content), encoding="latin1").load()
    except HandsError as error:
        raise HandsError(f"{path} is not a plain annotation file: {error}") from error
    except (Exception, MemoryError) as error:  # a broken program may fail in any way
        reason = f"{type(error).__name__}: {error}".rstrip(": ")
        raise HandsError(
            f"{path} ({len(content)} bytes) is truncated, "
            f"or is not a pickle of plain containers and arrays ({reason})"
        ) from error


class _Type:
    """Stand-in for numpy.dtype, a checked name: a file cannot set the internal state of a real dtype."""

    __slots__ = ("dtype",)

    def __init__(self, code: object, *_: object) -> None:
        dtype = np.dtype(code) if isinstance(code, str) else None
        if dtype is None or dtype.kind not in "biuf":
            raise HandsError(
                f"arrays of type {code!r} are refused; they must be booleans, integers or floats"
            )
        self.dtype = dtype

    def __setstate__(self, state: tuple) -> None:
        if len(state) < 5 or state[1] not in "<>|=" or any(part is not None for part in state[2:5]):
            raise HandsError(f"an array type with the state {state!r} is refused")
        self.dtype = self.dtype.newbyteorder(state[1])


class _Array(np.ndarray):
    """An array that is always created empty and receives its shape only together with its bytes."""

    def __new__(cls, *_: object) -> "_Array":
        return super().__new__(cls, (0,), np.int8)

    def __setstate__(self, state: tuple) -> None:
        _, shape, kind, fortran, data = state
        data = data.encode("latin1") if isinstance(data, str) else data
        if not isinstance(kind, _Type) or not isinstance(data, bytes):
            raise HandsError("an array without plain bytes is refused")
        if min(shape, default=0) < 0 or math.prod(shape) * kind.dtype.itemsize != len(data):
            raise HandsError(f"an array of shape {shape} does not fit its {len(data)} bytes")
        plain: Any = (1, tuple(shape), kind.dtype, bool(fortran), data)
        super().__setstate__(plain)


def _from_buffer(data: bytes, kind: _Type, shape: tuple, order: str) -> _Array:
    array = _Array()
    array.__setstate__((1, shape, kind, order == "F", data))
    return array


def _scalar(kind: _Type, data: bytes | str) -> Any:
    array = _Array()
    array.__setstate__((1, (), kind, False, data))
    return array[()]


def _encode(text: str, encoding: str) -> bytes:
    if encoding != "latin1" or not isinstance(text, str):
        raise HandsError(f"the encoding {encoding!r} is refused")
    return text.encode("latin1")


_GLOBALS: dict[str, Callable] = {
    "numpy.ndarray": _Array,
    "numpy.dtype": _Type,
    "numpy.multiarray._reconstruct": _Array,
    "numpy.multiarray.scalar": _scalar,
    "numpy.numeric._frombuffer": _from_buffer,
    "_codecs.encode": _encode,
}

_OPCODES = (
    b"\x80 \x95 . 0 1 2 ( ) t \x85 \x86 \x87 } d s u ] l a e N \x88 \x89 I L J K M \x8a \x8b F G "
    b"S U T X \x8c V B C c \x93 R b p q r g h j \x94"
).split(b" ")


def _build(unpickler: Any) -> None:
    """Allow BUILD for arrays only: without this, a file could change any object, even the functions above."""
    if not isinstance(unpickler.stack[-2], _Array | _Type):
        raise HandsError("it changes an object that is not an array")
    unpickler.load_build()


def _byte_array(unpickler: Any) -> None:
    """Read no more than the file has: BYTEARRAY8 alone would allocate any length that it announces."""
    (length,) = struct.unpack("<Q", unpickler.read(8))
    unpickler.append(unpickler.read(length))


class _Unpickler(pickle._Unpickler):
    """Python's unpickler, restricted to the instructions that containers and arrays need."""

    dispatch = {code[0]: pickle._Unpickler.dispatch[code[0]] for code in _OPCODES} | {
        pickle.BUILD[0]: _build,
        pickle.BYTEARRAY8[0]: _byte_array,
    }

    def find_class(self, module: str, name: str) -> Callable:
        """Return the stand-in for a global. Raises HandsError if it has none."""
        wanted = f"{module}.{name}"
        plain = wanted.replace("numpy.core.", "numpy.").replace("numpy._core.", "numpy.")
        if plain not in _GLOBALS:
            raise HandsError(f'it asks for "{wanted}", which is refused; only numpy arrays are read')
        return _GLOBALS[plain]
