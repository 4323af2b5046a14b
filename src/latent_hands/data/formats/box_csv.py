"""Boxes in a CSV file: one line a hand."""

import csv
import io
from pathlib import Path

from latent_hands.data.formats.box_label import BoxLabel, check_box, check_side
from latent_hands.data.formats.limited import read_limited
from latent_hands.errors import HandsError

COLUMNS = ("file", "x", "y", "width", "height")
HEADER = f"{','.join(COLUMNS)}[,handedness]"
MAX_BYTES = 64 * 2**20


def read_box_csv(path: Path) -> dict[str, list[BoxLabel]]:
    """Read a CSV file with the columns file, x, y, width, height and, optionally, handedness.

    Other columns are ignored. A line with empty numbers says that the image has no hand.
    Raises HandsError naming the line for other columns and for boxes that `check_box` refuses.
    """
    try:
        text = read_limited(path, MAX_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise HandsError(f"{path} is not a text file in UTF-8: {error}") from error
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    lines = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    boxes: dict[str, list[BoxLabel]] = {}
    try:
        if missing := [name for name in COLUMNS if name not in (lines.fieldnames or ())]:
            raise HandsError(
                f'{path} has no column {", ".join(missing)}; its first line is "{first.strip()[:80]}", '
                f"and must be {HEADER}"
            )
        for line in lines:
            _add(boxes, line, f"{path}, line {lines.line_num}")
    except csv.Error as error:
        raise HandsError(f"{path} is not a CSV file: {error}") from error
    return boxes


def _add(boxes: dict[str, list[BoxLabel]], line: dict[str, str | None], where: str) -> None:
    name, *numbers = ((line[column] or "").strip() for column in COLUMNS)
    if not name:
        raise HandsError(f"{where} has no file name; it must be {HEADER}")
    hands = boxes.setdefault(name, [])
    if any(numbers):
        hands.append(
            BoxLabel(check_box(numbers, f"{where}: the box", None), check_side(line.get("handedness"), where))
        )
