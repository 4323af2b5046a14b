"""docs/experiments.md lists every key of an experiment with its default, and no other."""

import re
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

import pytest

from latent_hands.experiment import Experiment
from latent_hands.typed_toml import to_table, write_value

PAGE = Path(__file__).parents[1] / "docs" / "experiments.md"
SECTIONS = dict(re.findall(r"^## \[(\w+)\]\n(.*?)(?=^## |\Z)", PAGE.read_text(), flags=re.M | re.S))


def section_class(hint: Any) -> type | None:
    """The dataclass of a section, or of each entry of a section of named entries."""
    if is_dataclass(hint):
        return hint
    inner = get_args(hint)[1:] if get_origin(hint) is dict else get_args(hint)
    known = (get_origin(hint) is dict) or isinstance(hint, UnionType)
    return next((each for each in inner if is_dataclass(each)), None) if known else None


def told_default(field: Any) -> str:
    if field.default is MISSING and field.default_factory is MISSING:
        return "required"
    value = field.default if field.default_factory is MISSING else field.default_factory()
    return "none" if value is None else f"`{write_value(to_table(value))}`"


def test_every_section_is_there():
    assert set(SECTIONS) == {field.name for field in fields(Experiment)}


@pytest.mark.parametrize("section", SECTIONS)
def test_every_key_is_there_with_its_default(section: str):
    chosen = section_class(get_type_hints(Experiment)[section])
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \|", SECTIONS[section], flags=re.M)
    expected = [] if chosen is None else [(field.name, told_default(field)) for field in fields(chosen)]
    assert rows == expected
