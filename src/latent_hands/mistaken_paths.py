"""Paths that lead nowhere: what the user may have meant."""

import os
import re
from difflib import get_close_matches
from glob import has_magic
from itertools import islice
from pathlib import Path

_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")
_MOST_NAMES = 10_000


def meant(path: str | Path) -> str:
    """Return the end of a message about a path that does not exist: what it may mean; "" without a guess.

    >>> meant("D:\\\\sets\\\\rhd")
    '; it is a path of Windows: write D:/sets/rhd on Windows, or /mnt/d/sets/rhd in WSL'
    """
    text = str(path)
    bare = text.strip().strip("\"'")
    if bare and bare != text and Path(bare).exists():
        return f'; "{bare}" exists: leave out the spaces or quotes around it'
    if _WINDOWS.match(text):
        plain = text.replace("\\", "/")
        return f"; it is a path of Windows: write {plain} on Windows, or {_in_wsl(plain)} in WSL"
    if text.startswith("~"):
        home = Path(text).expanduser() if text.startswith("~/") else text.replace("~", "/home/", 1)
        return f"; the shell replaces ~ only at the start of a word without quotes: write {home}"
    if has_magic(text) and len(text) < 1000:
        return f"; it is a pattern that the shell did not replace: {_matches(text)}"
    if "\\" in text and Path(text.replace("\\", "/")).exists():
        return f"; {text.replace(chr(92), '/')} exists: write / between folders"
    return _similar(Path(text))


def _in_wsl(plain: str) -> str:
    return f"/mnt/{plain[0].lower()}{plain[2:]}" if plain[1:2] == ":" else plain


def _matches(pattern: str) -> str:
    start = Path(Path(pattern).anchor or ".")
    matches = start.glob(str(Path(pattern).relative_to(start))) if "**" not in pattern else iter(())
    found = sorted(map(str, islice(matches, 100)))
    more = ", .." if len(found) > 3 else ""
    return f"it matches {', '.join(found[:3])}{more}" if found else "nothing matches it"


def _similar(path: Path) -> str:
    """Return the name beside the path that is most similar, or the first part of the path that is missing."""
    missing = path
    while not missing.parent.exists() and missing.parent != missing:
        missing = missing.parent
    if not missing.parent.is_dir():
        return f"; {missing.parent} is a file" if missing.parent.exists() else ""
    try:
        names = [each.name for each in islice(os.scandir(missing.parent), _MOST_NAMES)]
    except OSError:
        return f"; {missing.parent} cannot be read"
    near = get_close_matches(missing.name, names, n=1, cutoff=0.6)
    if near and near[0] != missing.name:
        return f"; did you mean {missing.parent / near[0] / path.relative_to(missing)}?"
    return f"; {missing.parent} has no {missing.name}" if missing != path else ""
