"""Functions that all readers share: splits, limits, and going on after a broken sample."""

import logging
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import NoReturn, TypeVar

import numpy as np

from latent_hands.errors import HandsError, check_whole, counted, did_you_mean

OnBroken = Callable[[HandsError], object]
"""Receives the error of a sample that cannot be read. If it returns, the sample is left out."""
Item = TypeVar("Item")
Read = TypeVar("Read")

SPLITS = ("training", "evaluation")
MM_PER_METRE = 1000.0


def check_limit(limit: int | None) -> None:
    """Raise HandsError if a limit is below 1 or beyond the length of any list."""
    if limit is None:
        return
    check_whole(limit=limit)
    if not 1 <= limit <= sys.maxsize:
        raise HandsError(f"limit is {limit}; it must be at least 1, and at most {sys.maxsize}")


def check_split(split: str) -> None:
    """Raise HandsError if a split is unknown."""
    if split not in SPLITS:
        raise HandsError(f'unknown split "{split}"; {did_you_mean(str(split), SPLITS)}')


def warn_of_unlabelled(folder: Path, pattern: str, labelled: Collection[str]) -> None:
    """Log how many files of a folder have a name without ending that is not `labelled`."""
    bare = sum(file.stem not in labelled for file in folder.glob(pattern))
    if bare:
        logging.getLogger(__name__).warning(
            "left out %s of %s without a label", counted(bare, "image"), folder
        )


def raise_error(error: HandsError) -> NoReturn:
    """Raise the error: the default for the argument `on_broken` of readers."""
    raise error


def read_each(
    read: Callable[[Item], Read],
    items: Iterable[Item],
    on_broken: OnBroken,
    mapping: Callable[[Callable[[Item], Read | None], Iterable[Item]], Iterable[Read | None]] = map,
) -> Iterator[Read]:
    """Iterate over what `read` returns for each item. Errors go to `on_broken`, and their items are left out.

    `mapping` applies a function to all items, by default one after the other; see `Executor.map`.
    Numbers that are too large for float32 become infinite without a warning: `read` refuses them.
    """

    def attempt(item: Item) -> Read | None:
        try:
            with np.errstate(all="ignore"):
                return read(item)
        except HandsError as error:
            on_broken(error)
            return None

    return (result for result in mapping(attempt, items) if result is not None)
