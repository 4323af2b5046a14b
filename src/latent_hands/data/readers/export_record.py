"""The record export.json of a set that `latent-hands export` wrote."""

from pathlib import Path
from typing import Any

from latent_hands.data.formats.json_file import load_json
from latent_hands.errors import HandsError
from latent_hands.hand.conventions import read_recorded

RECORD = "export.json"


def read_record(root: Path, layout: str) -> dict[str, Any] | None:
    """Return the record of an exported set; None if the set was not exported in this layout.

    Its "convention" is the name of a joint convention, or None. Raises HandsError if the record is broken.
    """
    path = root / RECORD
    if not path.is_file():
        return None
    content = load_json(path)
    if not isinstance(content, dict):
        raise HandsError(f"{path} is not a record of an export: it must be a table")
    convention = content.get("convention")
    if not isinstance(convention, str | None):
        raise HandsError(f"{path} has the convention {convention!r}; it must be a name or null")
    if convention is not None:
        content = content | {"convention": read_recorded(convention, path)}
    return content if content.get("layout", layout) == layout else None
