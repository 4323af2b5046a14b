"""Files of comma-separated values, as scripts and spreadsheets write them."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from latent_hands.data.formats.limited import read_limited
from latent_hands.errors import BROKEN, HandsError, counted

MAX_BYTES = 256 * 2**20
SEPARATORS = ",;\t"
Row = dict[str, str]


@dataclass(frozen=True)
class Table:
    """The content of a file: its first line, its columns, and each line by column, with its number.

    Empty lines are left out, also before the first one. Columns are in small letters. Cells have no spaces
    around them. A cell that a line lacks is empty.
    """

    first: str
    columns: tuple[str, ...]
    rows: list[tuple[int, Row]]


def load_csv(path: Path, max_bytes: int = MAX_BYTES) -> Table:
    """Read a file in UTF-8, with or without a byte-order mark, separated by commas, semicolons or tabs.

    Raises HandsError if it is larger than `max_bytes` or no such file, if a column is there twice, and for a
    line with more cells than the first one: with a decimal comma, for example, its cells belong to other
    columns.
    """
    try:
        text = read_limited(path, max_bytes).decode("utf-8-sig")
        first = text.strip().splitlines()[0].strip() if text.strip() else ""
        delimiter = max(SEPARATORS, key=first.count)
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
        numbered = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except UnicodeDecodeError as error:
        advice = 'save it as UTF-8 (in Excel: "CSV UTF-8")'
        raise HandsError(f"{path} is not a CSV file in UTF-8: {error}; {advice}") from error
    except (csv.Error, *BROKEN) as error:
        raise HandsError(f"{path} is not a CSV file in UTF-8: {error}") from error
    lines = [(number, cells) for number, cells in numbered if any(cells)]
    columns = tuple(name.lower() for name in lines[0][1]) if lines else ()
    for name in filter(None, columns):
        if columns.count(name) > 1:
            raise HandsError(f'{path} has the column "{name}" {columns.count(name)} times; keep one of them')
    for number, cells in lines:
        if any(cells[len(columns) :]):
            raise HandsError(
                f"{path}, line {number} has {len(cells)} cells for {counted(len(columns), 'column')} of the "
                f'first line, "{first[:80]}"; it must name all columns: quote cells that contain '
                f'"{delimiter}", and write decimal points'
            )
    return Table(first, columns, [(number, _by_column(columns, cells)) for number, cells in lines[1:]])


def _by_column(columns: tuple[str, ...], cells: list[str]) -> Row:
    return dict.fromkeys(columns, "") | dict(zip(columns, cells, strict=False))
