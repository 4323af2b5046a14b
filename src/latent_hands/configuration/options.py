"""Values of Python as the options of the command line that set them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from latent_hands.errors import HandsError
from latent_hands.typed_toml import to_table, write_value


def as_options(sections: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the values of sections as options, such as "--training.epochs=3".

    Raises HandsError for a value that TOML cannot hold.
    """
    return [option for section, values in sections.items() for option in _option(section, values)]


def _option(place: str, value: Any) -> list[str]:
    """Return a value, or the values of a table, as options of the command line.

    Raises HandsError for a value that TOML cannot hold.
    """
    if isinstance(value, Mapping) and value:
        return [option for key, each in value.items() for option in _option(f"{place}.{key}", each)]
    try:
        return [f"--{place}={write_value(to_table(_plain(value)))}"]
    except TypeError as error:
        raise HandsError(f"{place} is {value!r}, which is not a number, text, list or table") from error


def _plain(value: Any) -> Any:
    """Return a path as text, and a NumPy number or array as Python's."""
    if value is None:
        raise TypeError("TOML has no None")
    if isinstance(value, Path):
        return str(value)
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value
