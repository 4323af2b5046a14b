"""Conversion between TOML tables and typed, frozen dataclasses. Every error names its place in the file."""

import json
import re
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from latent_hands.errors import BROKEN, HandsError, did_you_mean

Table = dict[str, Any]
T = TypeVar("T")

_PLAIN = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}


@dataclass(frozen=True)
class Range:
    """The legal values of a number, both ends included: `Annotated[int, Range(1, 10)]`."""

    low: int | float
    high: int | float


MAX_BYTES = 1_000_000
MAX_PARTS = 16
"""Parts of a dotted key. The time and the memory of the parser grow with their square."""
_TEXTS = re.compile(
    r"""#[^\n]*|\"{3}(?:\\.|[^\\])*?\"{3}|'{3}.*?'{3}|"(?:\\.|[^"\\\n])*"|'[^'\n]*'""", re.DOTALL
)
"""Comments and texts, in which dots mean nothing."""
_LONG_KEY = re.compile(rf"(?<![\w-])(?:[\w-]++[ \t]*+\.[ \t]*+){{{MAX_PARTS},}}")


def read_toml(path: Path) -> Table:
    """Parse a TOML file in UTF-8. Raises HandsError if it is missing, too large or not valid."""
    if not path.is_file():
        raise HandsError(f"no file at {path}")
    if (size := path.stat().st_size) > MAX_BYTES:
        raise HandsError(f"{path} has {size:,} bytes; it must have at most {MAX_BYTES:,}")
    try:
        return parse(path.read_text(encoding="utf-8-sig"), str(path))
    except UnicodeDecodeError as error:
        raise HandsError(f"{path} is not a text in UTF-8: {error}") from error


def parse(text: str, where: str) -> Table:
    """Parse a TOML text. Raises HandsError with line and column if it is not valid."""
    if _LONG_KEY.search(_TEXTS.sub("x", text)):
        raise HandsError(f"{where} has a key of more than {MAX_PARTS} parts, joined by dots")
    try:
        return tomllib.loads(text)
    except BROKEN as error:
        raise HandsError(f"{where} is not valid TOML: {error}") from error


def read(cls: type[T], table: object, where: str, section: str = "") -> T:
    """Convert a table to a dataclass.

    `where` names the file and `section` the table in error messages.
    Raises HandsError for unknown and missing keys, and for values of a wrong type or out of range.
    """
    place = f"{where}, [{section}]" if section else where
    if not isinstance(table, Mapping):
        raise HandsError(f"{place}: {table!r} is not a table")
    hints = get_type_hints(cls, include_extras=True)
    for key in table:
        if key not in hints:
            variant = f' of "{table["name"]}"' if get_origin(hints.get("name")) is Literal else ""
            raise HandsError(f'{place}: unknown key "{key}"{variant}; {did_you_mean(key, hints)}')
    values = {}
    for field in fields(cls):  # pyright: ignore[reportArgumentType]
        inner = f"{section}.{field.name}" if section else field.name
        if field.name in table:
            values[field.name] = convert(hints[field.name], table[field.name], where, inner)
        elif field.default is MISSING and field.default_factory is MISSING:
            raise HandsError(f'{place}: "{field.name}" is missing')
    try:
        return cls(**values)
    except HandsError as error:
        raise HandsError(f"{place}: {error}") from error


def convert(hint: Any, value: Any, where: str, key: str) -> Any:
    """Convert a TOML value to the type of a hint. `where` and `key` name the value in error messages."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        number = convert(arguments[0], value, where, key)
        legal: Range = arguments[1]
        if not legal.low <= number <= legal.high:
            raise HandsError(f"{where}: {key} is {number}; it must be between {legal.low} and {legal.high}")
        return number
    if origin in (Union, UnionType):
        members = [argument for argument in arguments if argument is not NoneType]
        member = members[0] if len(members) == 1 else _variant(hint, value, where, key)
        return convert(member, value, where, key)
    if origin is Literal:
        if value not in arguments:
            raise HandsError(f"{where}: {key} is {value!r}; {did_you_mean(str(value), arguments)}")
        return value
    if origin is dict:
        if not isinstance(value, Mapping):
            raise HandsError(f"{where}: {key} is {value!r}, not a table")
        return {name: convert(arguments[1], each, where, f"{key}.{name}") for name, each in value.items()}
    if origin is tuple:
        return convert_list(arguments, value, where, key)
    if is_dataclass(hint):
        return read(hint, value, where, key)  # pyright: ignore[reportArgumentType]
    if hint is float and type(value) is int:
        if abs(value) > sys.float_info.max:
            raise HandsError(f"{where}: {key} is {value}; numbers must be below 1.8e308")
        return float(value)
    if type(value) is not hint:
        raise HandsError(f"{where}: {key} is {value!r}, which is not {_PLAIN[hint]}")
    return value


def variants(union: Any) -> dict[str, type]:
    """Return the dataclasses of a union by the value of their field `name`, which is a Literal."""
    return {get_args(get_type_hints(cls)["name"])[0]: cls for cls in get_args(union)}


def _variant(union: Any, value: Any, where: str, key: str) -> type:
    """Return the dataclass that a table's "name" selects. Raises HandsError for a missing or unknown name."""
    legal = variants(union)
    if not isinstance(value, Mapping) or "name" not in value:
        raise HandsError(f'{where}, [{key}]: "name" is missing; it must be one of {", ".join(legal)}')
    name = value["name"]
    if not isinstance(name, str) or name not in legal:
        raise HandsError(f"{where}: {key}.name is {name!r}; {did_you_mean(str(name), legal)}")
    return legal[name]


def convert_list(arguments: tuple[Any, ...], value: Any, where: str, key: str) -> tuple[Any, ...]:
    """Convert a TOML list to `tuple[X, ...]` or to a tuple of fixed length."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise HandsError(f"{where}: {key} is {value!r}, not a list")
    hints = (arguments[0],) * len(value) if arguments[-1] is Ellipsis else arguments
    if len(hints) != len(value):
        raise HandsError(f"{where}: {key} has {len(value)} entries; it must have {len(hints)}")
    return tuple(
        convert(h, v, where, f"{key}[{i}]") for i, (h, v) in enumerate(zip(hints, value, strict=True))
    )


def override(table: Table, arguments: Sequence[str]) -> Table:
    """Return a copy of a table with values set by command line arguments.

    An argument is `--section.key value` or `--section.key=value`, to any depth. Dashes are treated as
    underscores. A value that is not TOML is text: `--data.root hands --algorithm.encode '["rgb"]'`.
    Raises HandsError for other arguments, and for bytes that are not UTF-8, which no TOML file can hold.
    """
    table = {key: dict(value) if isinstance(value, dict) else value for key, value in table.items()}
    pending = list(arguments)
    while pending:
        option = pending.pop(0)
        name, equals, text = option.partition("=")
        if not name.startswith("--") or "." not in name:
            raise HandsError(f'"{option}" is not an option; options are --section.key value')
        if not equals:
            if not pending:
                raise HandsError(f"{option} has no value; write {option} VALUE")
            text = pending.pop(0)
        if any("\ud800" <= character <= "\udfff" for character in name + text):
            raise HandsError(f"{name} is {text}, which is not a text in UTF-8")
        *path, key = name[2:].replace("-", "_").split(".")
        inner = table
        for part in path:
            held = inner.get(part, {})
            if not isinstance(held, dict):
                raise HandsError(f'{option}: "{part}" is {held!r}, not a table')
            inner[part] = dict(held)
            inner = inner[part]
        inner[key] = value_of(text)
    return table


def value_of(text: str) -> Any:
    """Parse a TOML value. Return the text itself if it is not TOML."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except BROKEN:
        return text


def to_table(instance: Any) -> Any:
    """Convert a dataclass to tables and lists. Values that are None are left out."""
    if is_dataclass(instance):
        return {key: to_table(value) for key, value in vars(instance).items() if value is not None}
    if isinstance(instance, Mapping):
        return {key: to_table(value) for key, value in instance.items()}
    if isinstance(instance, (list, tuple)):
        return [to_table(value) for value in instance]
    return instance


def write(table: Table) -> str:
    """Write a table of sections as TOML. Tables within sections are written inline."""
    parts = []
    for section, values in table.items():
        lines = [f"{write_key(key)} = {write_value(value)}" for key, value in values.items()]
        parts.append("\n".join([f"[{write_key(section)}]", *lines]) + "\n")
    return "\n".join(parts)


def write_value(value: Any) -> str:
    """Write one value on one line."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{write_key(k)} = {write_value(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(write_value(v) for v in value) + "]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return json.dumps(value)


def write_key(key: str) -> str:
    """Write a bare key where TOML allows it, and else a quoted one."""
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else write_value(key)
