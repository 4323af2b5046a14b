"""Numbers of files and options, as people and programs write them."""

import re
from typing import Any

import numpy as np

from latent_hands.shapes import Float64

_PLAIN = re.compile(r"\s*[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|nan|inf(?:inity)?)\s*", re.ASCII | re.I)


def number_of(value: object) -> float:
    """Return a number, or the number that a text writes in decimal digits, such as "-1.5e3" or "nan".

    Raises ValueError for texts that only Python takes for numbers, such as "1_0" and digits that are not
    ASCII, and TypeError for booleans: they are mistakes of whatever wrote them.

    >>> number_of("+5"), number_of(" .5 ")
    (5.0, 0.5)
    """
    if isinstance(value, bool | np.bool_):
        raise TypeError(f"{value} is not a number")
    if isinstance(value, str) and not _PLAIN.fullmatch(value):
        raise ValueError(f'"{value[:60]}" is not a number')
    return float(value)  # pyright: ignore[reportArgumentType]


def integer_of(value: object) -> int:
    """Return a number that must be whole. Raises ValueError and TypeError as `number_of` does.

    >>> integer_of("12"), integer_of(12.0)
    (12, 12)
    """
    number = number_of(value)
    if not number.is_integer():
        raise ValueError(f"{value} is not a whole number")
    return int(number)


def typed_integer(text: str) -> int:
    """Return the whole number of any size that a text writes. Raises ValueError for other texts."""
    if not re.fullmatch(r"[+-]?\d+", text, re.ASCII):
        raise ValueError(f'"{text[:60]}" is not a whole number')
    return int(text)


def array_of(value: object) -> Float64[np.ndarray, "..."]:
    """Return lists of numbers, lists of such lists, and so on, as an array; None becomes NaN.

    Raises ValueError and TypeError as `number_of` does, and for lists of different lengths.
    """
    if isinstance(value, np.ndarray) and value.dtype.kind in "iuf":
        return value.astype(np.float64)
    items: np.ndarray[Any, Any] = np.array(value, object)
    if set(map(type, items.flat)) <= {int, float}:
        return items.astype(np.float64)
    numbers = [np.nan if item is None else number_of(item) for item in items.flat]
    return np.array(numbers, np.float64).reshape(items.shape)
