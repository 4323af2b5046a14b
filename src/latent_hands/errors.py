"""Errors that a user can act on."""

from collections.abc import Iterable
from difflib import get_close_matches


class HandsError(ValueError):
    """Wrong input. The message names it in one line: the thing, its value, what is legal, and where it is."""


class AbsentError(HandsError):
    """A file or folder that does not exist. One that exists but is broken raises a plain HandsError."""


def did_you_mean(name: str, legal: Iterable[str]) -> str:
    """Return the end of a message about an unknown name: the most similar legal name, then all of them.

    >>> did_you_mean("colour", ["colours", "size"])
    'did you mean "colours"? Legal: colours, size'
    """
    legal = sorted(legal)
    near = get_close_matches(name, legal, n=1)
    guess = f'did you mean "{near[0]}"? ' if near else ""
    return f"{guess}Legal: {', '.join(legal)}"
