"""Output of commands: tables for people, JSON for programs."""

import json
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

Rows = Sequence[Sequence[str]]


def print_table(
    headings: Sequence[str], rows: Rows, title: str = "", caption: str = "", left: Sequence[str] = ()
) -> None:
    """Print a table.

    Args:
        headings: one heading a column. If all are empty, the line of headings is left out.
        rows: one text a column.
        title: a line above the table.
        caption: lines below the table.
        left: headings of columns of text, which are aligned left and may wrap, as the first column.
    """
    table = Table(show_header=any(headings), title_justify="left", caption_justify="left")
    table.title = Text(title, style="bold") if title else None
    table.caption = Text(caption) if caption else None
    for i, heading in enumerate(headings):
        text = i == 0 or heading in left
        justify = "left" if text else "right"
        table.add_column(Text(heading), justify=justify, no_wrap=not text, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    Console().print(table)


def print_json(numbers: Any) -> None:
    """Print plain containers as indented JSON."""
    print(json.dumps(numbers, indent=2))
