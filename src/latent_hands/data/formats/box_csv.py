"""Boxes in a CSV file: one line a hand."""

from pathlib import Path

from latent_hands.data.formats.box_label import BoxLabel, check_box, check_side
from latent_hands.data.formats.csv_file import Row, load_csv
from latent_hands.errors import HandsError

COLUMNS = ("file", "x", "y", "width", "height")
HEADER = f"{','.join(COLUMNS)}[,handedness]"
_SIDES = ("handedness", "side", "hand")
MAX_BYTES = 64 * 2**20


def read_box_csv(path: Path) -> dict[str, list[BoxLabel]]:
    """Read a CSV file with the columns file, x, y, width, height and, optionally, handedness.

    "side" or "hand" may stand for "handedness". Other columns are ignored. A line with empty numbers says
    that the image has no hand.
    Raises HandsError naming the line for other columns and for boxes that `check_box` refuses.
    """
    table, boxes = load_csv(path, MAX_BYTES), dict[str, list[BoxLabel]]()
    if missing := [name for name in COLUMNS if name not in table.columns]:
        raise HandsError(
            f'{path} has no column {", ".join(missing)}; its first line is "{table.first[:80]}", '
            f"and must be {HEADER}"
        )
    for number, row in table.rows:
        _add(boxes, row, f"{path}, line {number}")
    return boxes


def _add(boxes: dict[str, list[BoxLabel]], row: Row, where: str) -> None:
    name, *numbers = (row[column] for column in COLUMNS)
    if not name:
        raise HandsError(f"{where} has no file name; it must be {HEADER}")
    hands = boxes.setdefault(name, [])
    if any(numbers):
        side = next((row[name] for name in _SIDES if row.get(name)), None)
        hands.append(BoxLabel(check_box(numbers, f"{where}: the box", None), check_side(side, where)))
