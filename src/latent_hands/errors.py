"""Errors that a user can act on."""

import csv
import os
import re
import struct
import unicodedata
import zlib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from numbers import Integral, Number
from pathlib import Path
from typing import Any

BROKEN = (
    *(ValueError, TypeError, LookupError, AttributeError, ArithmeticError),
    *(EOFError, RecursionError, MemoryError, struct.error, zlib.error, csv.Error),
)
"""Errors of code that reads malformed content: a reader turns each of them into a HandsError."""
_LONGEST = 2000
"""Longer messages are cut in the middle: a value in them may have any length."""


_PLAIN = re.compile(r"[\n\t -~]*")


class HandsError(ValueError):
    """Wrong input. The message names it in one line: the thing, its value, what is legal, and where it is."""

    def __str__(self) -> str:
        """Return the message, printable and of limited length, whatever the names and values in it."""
        text = super().__str__()
        if len(text) > _LONGEST:
            text = f"{text[: _LONGEST // 2]} ... {text[-_LONGEST // 2 :]}"
        return printable(text)


class AbsentError(HandsError):
    """A file or folder that does not exist. One that exists but is broken raises a plain HandsError."""


class PartlyReadError(HandsError):
    """A damaged file, such as a video, of which the part before the damage was used."""


def printable(text: str) -> str:
    """Return a text in which a terminal sees no command: control characters are escaped.

    Line ends and tabs stay. Surrogates, which stand for bytes that are not UTF-8, are escaped too.

    >>> printable("a\\x1b[31m.png")
    'a\\\\x1b[31m.png'
    """
    if _PLAIN.fullmatch(text):
        return text
    return "".join(c if _is_plain(c) else c.encode("unicode_escape").decode() for c in text)


def _is_plain(character: str) -> bool:
    return character in "\n\t\u200c\u200d" or unicodedata.category(character) not in ("Cc", "Cf", "Cs")


def did_you_mean(name: object, legal: Iterable[str]) -> str:
    """Return the end of a message about an unknown name: the most similar legal name, then all of them.

    Capitals make no difference to the similarity.

    >>> did_you_mean("Colour", ["colours", "size"])
    'did you mean "colours"? Legal: colours, size'
    """
    name, legal = str(name), sorted(legal)
    same_case = {each.lower(): each for each in legal}
    near = get_close_matches(name.lower(), same_case, n=1)
    guess = f'did you mean "{same_case[near[0]]}"? ' if near else ""
    return f"{guess}Legal: {', '.join(legal)}"


def as_list(values: object, name: str, content: str) -> list[Any]:
    """Return what can be iterated over as a list. Raises HandsError for a text, a mapping and anything else.

    >>> as_list((number for number in (1, 2)), "ids", "a list of numbers")
    [1, 2]
    """
    if not isinstance(values, Iterable) or isinstance(values, str | bytes | memoryview | Mapping):
        raise HandsError(f"{name} must be {content}, not a {type(values).__name__}")
    try:
        items = iter(values)
    except TypeError as error:  # an array of one number
        raise HandsError(f"{name} must be {content}: {error}") from error
    return list(items)


def counted(number: int, name: str) -> str:
    """Return a number of things, in words.

    >>> counted(1, "hand"), counted(2000, "hand")
    ('1 hand', '2,000 hands')
    """
    return f"{number:,} {name}{'' if number == 1 else 's'}"


def as_path(value: object, name: str) -> Path:
    """Return the path that a text or a path gives. Raises HandsError for anything else.

    >>> as_path("runs/mine", "out").name
    'mine'
    """
    path = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(path, str) or "\0" in path:
        plain = value is None or isinstance(value, Number | str | bytes | Path)
        given = repr(value) if plain else f"a {type(value).__name__}"
        raise HandsError(f'{name} is {given}; it must be a text such as "folder/name", or a pathlib.Path')
    return Path(path)


def check_whole(**values: object) -> None:
    """Raise HandsError for a number that is not whole, such as 2.0 and "2".

    >>> check_whole(count=2)
    """
    for name, value in values.items():
        if not isinstance(value, Integral) or isinstance(value, bool):
            raise HandsError(f"{name} is {value!r}; it must be a whole number")
