"""Keys of earlier versions: those in run folders are converted, those in files of users are refused."""

from collections.abc import Iterator
from typing import Any, get_type_hints

from latent_hands.configuration.algorithm import Algorithm
from latent_hands.errors import HandsError
from latent_hands.hand.conventions import RHD, read_recorded
from latent_hands.typed_toml import Table, variants

MOVED = {
    ("data", "side"): ("data", "right_hands"),
    ("networks", "backbone"): ("networks", "image_encoder"),
    ("algorithm", "agree"): ("objectives", "agreement"),
    ("algorithm", "features"): ("objectives", "features"),
    ("algorithm", "refine"): ("objectives", "rereading"),
    ("phases", "joint"): ("phases", "simultaneous"),
}
"""Old section and key -> new section and key."""
UNUSED: dict[str, Any] = {"embed": [], "noise": {}, "noise_steps": 1, "finished": False}
"""Keys of [algorithm] that earlier versions wrote for every algorithm, and the values without effect."""


def refuse_renamed(table: Table, where: str) -> None:
    """Raise HandsError, naming the new key, if a table has a key of an earlier version."""
    for old, new in _renamed(table):
        raise HandsError(f"{where}: {old} was renamed: use {new}")


def named(table: Table, where: str, earlier: bool) -> Table:
    """Return the table with the name of its joint convention in the place of its recorded text.

    `earlier` is true for run folders, where a name without a checksum is that of an earlier version.
    """
    data = _section(table, "data")
    text = data.get("convention", RHD if earlier else None)
    broken = not isinstance(table.get("data", {}), dict) or not isinstance(text, str)
    if broken or (":" not in text and not earlier):
        return table
    return table | {"data": data | {"convention": read_recorded(text, where)}}


def converted(table: Table) -> Table:
    """Return the table of an earlier version's run folder with today's keys."""
    table = {name: dict(each) if isinstance(each, dict) else each for name, each in table.items()}
    for (section, key), (new_section, new_key) in MOVED.items():
        if key in _section(table, section):
            value = table[section].pop(key)
            if value or new_section != "objectives":
                table.setdefault(new_section, {})[new_key] = value
    for name, arrow in _section(table, "encoders").items():
        if isinstance(arrow, dict) and "backbone" in arrow:
            table["encoders"][name] = {("network" if k == "backbone" else k): v for k, v in arrow.items()}
    algorithm = _section(table, "algorithm")
    if algorithm.get("name") == "joint":
        algorithm["name"] = "simultaneous"
    legal = {name: get_type_hints(cls) for name, cls in variants(Algorithm).items()}
    for key, value in UNUSED.items():
        if algorithm.get(key) == value and key not in legal.get(str(algorithm.get("name")), UNUSED):
            del algorithm[key]
    if _section(table, "handedness").get("posterior") == []:
        del table["handedness"]["posterior"]
    return table


def _renamed(table: Table) -> Iterator[tuple[str, str]]:
    """Yield (old, new) of each old key, in words."""
    for (section, key), (new_section, new_key) in MOVED.items():
        if key in _section(table, section):
            yield f"[{section}] {key}", f"[{new_section}] {new_key}"
    for name, arrow in _section(table, "encoders").items():
        if isinstance(arrow, dict) and "backbone" in arrow:
            yield f"[encoders] {name}.backbone", f"{name}.network"
    if _section(table, "algorithm").get("name") == "joint":
        yield '[algorithm] name = "joint"', '"simultaneous"'


def _section(table: Table, name: str) -> Table:
    """Return a section, or an empty table if it is absent or no table, which `typed_toml.read` reports."""
    section = table.get(name)
    return section if isinstance(section, dict) else {}
