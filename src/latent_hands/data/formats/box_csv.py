"""Boxes in a CSV file: one line a hand."""

import logging
from pathlib import Path

from latent_hands.data.formats.box_label import SIDE_COLUMNS, BoxLabel, check_box, side_of, side_of_row
from latent_hands.data.formats.csv_file import Row, Table, load_csv
from latent_hands.errors import HandsError

COLUMNS = ("file", "x", "y", "width", "height")
HEADER = f"{','.join(COLUMNS)}[,handedness]"
_CLASSES = ("category", "class", "label")
_LONGEST = 20
"""Longer cells that mention a side are names of files, or notes."""
MAX_BYTES = 64 * 2**20
_LOG = logging.getLogger(__name__)


def read_box_csv(path: Path) -> dict[str, list[BoxLabel]]:
    """Read a CSV file with the columns file, x, y, width, height and, optionally, handedness.

    "side" or "hand" may stand for "handedness". Other columns are ignored; a warning names those that may say
    what a box is. A line with empty numbers says that the image has no hand.
    Raises HandsError naming the line for other columns, two sides, and boxes that `check_box` refuses.
    """
    table, boxes = load_csv(path, MAX_BYTES), dict[str, list[BoxLabel]]()
    if missing := [name for name in COLUMNS if name not in table.columns]:
        raise HandsError(
            f'{path} has no column {", ".join(missing)}; its first line is "{table.first[:80]}", '
            f"and must be {HEADER}"
        )
    if ignored := [name for name in table.columns if _may_say_what(name, table)]:
        _LOG.warning(
            "%s: ignored columns: %s; every line is a hand, and the column of its side is %s",
            *(path, ", ".join(ignored), " or ".join(SIDE_COLUMNS)),
        )
    for number, row in table.rows:
        _add(boxes, row, f"{path}, line {number}")
    return boxes


def _may_say_what(column: str, table: Table) -> bool:
    """Return whether a column that is not read seems to state classes or sides."""
    if column in (*COLUMNS, *SIDE_COLUMNS):
        return False
    cells = (row[column] for _, row in table.rows if len(row[column]) <= _LONGEST)
    return column in _CLASSES or side_of(column) is not None or any(map(side_of, cells))


def _add(boxes: dict[str, list[BoxLabel]], row: Row, where: str) -> None:
    name, *numbers = (row[column] for column in COLUMNS)
    if not name:
        raise HandsError(f"{where} has no file name; it must be {HEADER}")
    hands = boxes.setdefault(name, [])
    if any(numbers):
        side = side_of_row(row, where)
        hands.append(BoxLabel(check_box(numbers, f"{where}: the box", None), side))
