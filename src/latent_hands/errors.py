"""Errors that a user can act on."""

from collections.abc import Iterable
from difflib import get_close_matches


class HandsError(ValueError):
    """Bad input, told in one line: the thing, its value, what is legal, and where it was found."""


class AbsentError(HandsError):
    """What was asked for is not there at all; where it is there but broken, a plain HandsError says so."""


def did_you_mean(name: str, legal: Iterable[str]) -> str:
    """The sentence that follows an unknown name: the nearest legal one, then all of them.

    >>> did_you_mean("colour", ["colours", "size"])
    'did you mean "colours"? Legal: colours, size'
    """
    legal = sorted(legal)
    near = get_close_matches(name, legal, n=1)
    guess = f'did you mean "{near[0]}"? ' if near else ""
    return f"{guess}Legal: {', '.join(legal)}"
