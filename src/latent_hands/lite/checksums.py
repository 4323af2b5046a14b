"""Checksums of an exported model, which reveal changed files and files of another model."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from latent_hands.errors import HandsError

DESCRIPTION = "model.json"
KEY = "sha256"


def checksum(content: bytes) -> str:
    """Return the SHA-256 of bytes in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def sealed(about: Mapping[str, Any], files: Mapping[str, Any]) -> dict[str, Any]:
    """Return a description with the checksums of the other files, by their names, and its own."""
    about = {**about, KEY: dict(files)}
    own = checksum(json.dumps(about).encode())  # unsorted: the order of factors has a meaning
    return {**about, KEY: {**files, DESCRIPTION: own}}


def check_sealed(about: dict[str, Any], path: Path) -> dict[str, Any]:
    """Return a description, which `path` holds. Raises HandsError if it is not as it was written."""
    sums = about.get(KEY)
    if not isinstance(sums, dict) or sealed(about, _others(sums)) != about:
        raise HandsError(f"{path} was changed after the export, or is damaged; export the model again")
    return about


def check_content(path: Path, content: bytes, about: Mapping[str, Any]) -> None:
    """Raise HandsError if a file is not the one that was written with the description."""
    if checksum(content) != about[KEY].get(path.name):
        raise HandsError(f"{path} is damaged, or belongs to another model; export the model again")


def _others(sums: Mapping[str, Any]) -> dict[str, Any]:
    return {name: each for name, each in sums.items() if name != DESCRIPTION}
