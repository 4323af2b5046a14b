"""Output of commands: tables for people, JSON for programs."""

import json
import math
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from latent_hands.errors import HandsError, PartlyReadError

Rows = Sequence[Sequence[str]]
LEAST_TEXT = 12
"""Least width of a column of text, if a text is as long."""
MOST_COLUMNS = 400
"""Largest width of a table that is not written to a terminal."""


def complaint(error: HandsError) -> str:
    """Return the line about a file that could not be read, or only in part."""
    what = "read in part" if isinstance(error, PartlyReadError) else "skipped"
    return f"latent-hands: {what}: {' '.join(str(error).split())}"


def print_table(
    headings: Sequence[str], rows: Rows, title: str = "", caption: str = "", left: Sequence[str] = ()
) -> None:
    """Print a table.

    Args:
        headings: one heading a column. If all are empty, the line of headings is left out.
        rows: one text a column.
        title: a line above the table.
        caption: lines below the table.
        left: headings of columns of text, which are aligned left, as the first column. In a terminal, cells
            wrap where the table is too wide.
    """
    table = Table(show_header=any(headings), title_justify="left", caption_justify="left")
    table.title = Text(title, style="bold") if title else None
    table.caption = Text(caption) if caption else None
    for i, heading in enumerate(headings):
        text = i == 0 or heading in left
        longest = max(len(heading), *(len(row[i]) for row in rows), 0)
        least = min(longest, LEAST_TEXT) if text else None
        justify = "left" if text else "right"
        table.add_column(Text(heading), justify=justify, overflow="fold", min_width=least)
    for row in rows:
        table.add_row(*map(Text, row))
    console = Console()
    if not console.is_terminal:  # a file or another program gets whole lines
        console.width = max(console.width, _natural_width(console, table))
    console.print(table)


def _natural_width(console: Console, table: Table) -> int:
    """Return the width that a table has without wrapping, up to `MOST_COLUMNS`."""
    options = console.options.update(max_width=MOST_COLUMNS)
    return console.measure(table, options=options).maximum


def print_json(numbers: Any) -> None:
    """Print plain containers as indented JSON. Numbers that are not finite, which JSON lacks, are null."""
    print(json.dumps(_without_nan(numbers), indent=2))


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
