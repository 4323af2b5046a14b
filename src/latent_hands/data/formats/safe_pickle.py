"""Pickles of annotations, read without executing anything that they ask for.

A pickle is a program. Here it may build plain containers, numbers, text and numpy arrays of numbers. Every
other request is refused before anything runs. The unpickler is the one written in Python, not the one in C:
its table of instructions can be restricted, and it never allocates memory that a file only announces.
"""

import io
import itertools
import math
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from types import NoneType
from typing import Any

import numpy as np

from latent_hands.data.formats.limited import check_depth, read_limited
from latent_hands.errors import HandsError

MAX_BYTES = 128 * 2**20
"""Limit of the file, and again of the arrays and texts that it builds. RHD's largest file has 50 MB."""
MAX_READS = 20_000_000
"""Limit of the instructions and their arguments. RHD's largest file has about 6,000,000."""
MAX_ITEMS = 10_000_000
"""Limit of the items in all containers, where one that is shared counts each time."""


def load_pickle(path: str | Path) -> Any:
    """Read a pickle of plain containers and numeric numpy arrays.

    Raises HandsError naming the file if it is truncated, exceeds a limit of this module, or asks for anything
    else. The error then names the refused global, and nothing of it has run.
    """
    path = Path(path)
    if not path.is_file():
        raise HandsError(f"no annotation file at {path}")
    content = read_limited(path, MAX_BYTES)
    try:
        plain = _Unpickler(_Program(content), encoding="latin1").load()
        check_depth(plain)
        _count_items(plain, {})
        return plain
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
    b"\x80 . 0 1 2 ( ) t \x85 \x86 \x87 } d s u ] l a e N \x88 \x89 I L J K M \x8a \x8b F G "
    b"S U T X \x8c V B C c \x93 R b p q r g h j \x94"
).split(b" ")


_KEYS = (str, bytes, int, float, NoneType)


def _count_items(value: Any, known: dict[int, int]) -> int:
    """Return the number of items in nested containers.

    Raises HandsError above MAX_ITEMS, and for a number of more than 64 bits. Few bytes can describe lists
    that share lists, and so any number of items.
    """
    if isinstance(value, int) and value.bit_length() > 64:
        raise HandsError(f"a number of {value.bit_length()} bits is refused; it must have at most 64")
    if not isinstance(value, dict | list | tuple):
        return 1
    if id(value) not in known:
        inner = itertools.chain(value, value.values()) if isinstance(value, dict) else value
        count = 1
        for each in inner:
            count += _count_items(each, known)
            if count > MAX_ITEMS:
                raise HandsError(f"its containers have more than {MAX_ITEMS:,} items")
        known[id(value)] = count
    return known[id(value)]


def _build(unpickler: Any) -> None:
    """Allow BUILD for arrays only: without this, a file could change any object, even the functions above."""
    if not isinstance(unpickler.stack[-2], _Array | _Type):
        raise HandsError("it changes an object that is not an array")
    unpickler.load_build()
    unpickler.spend(unpickler.stack[-1])


def _reduce(unpickler: Any) -> None:
    unpickler.load_reduce()
    unpickler.spend(unpickler.stack[-1])


def _set_item(unpickler: Any) -> None:
    value, key = unpickler.stack.pop(), unpickler.stack.pop()
    _put(unpickler, [key, value])


def _set_items(unpickler: Any) -> None:
    _put(unpickler, unpickler.pop_mark())


def _dict(unpickler: Any) -> None:
    items = unpickler.pop_mark()
    unpickler.append({})
    _put(unpickler, items)


def _put(unpickler: Any, items: list[Any]) -> None:
    """Allow plain keys only: the hash of tuples that share tuples never ends."""
    target = unpickler.stack[-1]
    if not isinstance(target, dict) or not all(isinstance(key, _KEYS) for key in items[::2]):
        raise HandsError("it has keys that are neither text nor numbers")
    target.update(zip(items[::2], items[1::2], strict=True))


def _byte_array(unpickler: Any) -> None:
    """Read no more than the file has: BYTEARRAY8 alone would allocate any length that it announces."""
    (length,) = struct.unpack("<Q", unpickler.read(8))
    unpickler.append(unpickler.read(length))


def _skip_frame(unpickler: Any) -> None:
    """Read the instructions of a frame from the file, one by one, so that they are counted."""
    unpickler.read(8)


class _Program(io.BytesIO):
    """The bytes of a pickle, of which only a limited number of pieces is read."""

    reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """Read a piece. Raises HandsError after MAX_READS."""
        self.reads += 1
        if self.reads > MAX_READS:
            raise HandsError(f"it has more than {MAX_READS:,} instructions")
        return super().read(size)


class _Unpickler(pickle._Unpickler):
    """Python's unpickler, restricted to the instructions that containers and arrays need."""

    dispatch = {code[0]: pickle._Unpickler.dispatch[code[0]] for code in _OPCODES} | {
        pickle.FRAME[0]: _skip_frame,
        pickle.BUILD[0]: _build,
        pickle.REDUCE[0]: _reduce,
        pickle.SETITEM[0]: _set_item,
        pickle.SETITEMS[0]: _set_items,
        pickle.DICT[0]: _dict,
        pickle.BYTEARRAY8[0]: _byte_array,
    }
    left = MAX_BYTES

    def spend(self, built: object) -> None:
        """Count the bytes of an array or text that an instruction has built."""
        if isinstance(built, np.ndarray):
            self.left -= built.nbytes
        elif isinstance(built, bytes):
            self.left -= len(built)
        if self.left < 0:
            raise HandsError(f"it builds arrays and texts of more than {MAX_BYTES:,} bytes")

    def find_class(self, module: str, name: str) -> Callable:
        """Return the stand-in for a global. Raises HandsError if it has none."""
        wanted = f"{module}.{name}"
        plain = wanted.replace("numpy.core.", "numpy.").replace("numpy._core.", "numpy.")
        if plain not in _GLOBALS:
            raise HandsError(f'it asks for "{wanted}", which is refused; only numpy arrays are read')
        return _GLOBALS[plain]
