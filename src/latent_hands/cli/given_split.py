"""The option --split for data sets that have no splits."""

from collections.abc import Sequence
from itertools import pairwise

from latent_hands.data.readers import WITHOUT_SPLITS
from latent_hands.errors import HandsError

FOR_SEVERAL = ("check", "prepare")
"""Commands that take several splits: --split then names what they write, not what they read."""


def refuse_split(command: str, arguments: Sequence[str]) -> None:
    """Raise HandsError if a command line names a split of a data set that has none."""
    split, data = (_value(option, arguments) for option in ("--split", "--data"))
    if split is not None and data in WITHOUT_SPLITS and command not in FOR_SEVERAL:
        raise HandsError(
            f'--split is {split}, but the data set "{data}" has no splits: leave --split out to read all its '
            "images, or give --root the folder of some"
        )


def _value(option: str, arguments: Sequence[str]) -> str | None:
    """Return the last value of an option, which is the next argument or follows "="."""
    value = None
    for argument, following in pairwise([*arguments, ""]):
        name, equals, attached = argument.partition("=")
        if name == option:
            value = attached if equals else following
    return value
