"""CSV files: what scripts and spreadsheets write is read alike, and shifted cells are refused."""

from pathlib import Path

import pytest

from latent_hands.cli.fine_tune import read_groups
from latent_hands.data.formats import csv_file
from latent_hands.data.formats.csv_file import load_csv
from latent_hands.errors import HandsError

ROWS = [(2, {"file": "a.png", "x": "1"}), (3, {"file": "b.png", "x": ""})]


@pytest.mark.parametrize(
    "data",
    [
        b"file,x\na.png,1\nb.png,\n",
        b"\xef\xbb\xbffile,x\r\na.png,1\r\nb.png\r\n",
        b"file;x\ra.png;1\rb.png;",
        b"file\tx\na.png\t1\nb.png\t\n",
        b'file, x\n"a.png", 1 ,\nb.png,,\n',
    ],
)
def test_habits_of_writers_change_nothing(data: bytes, tmp_path: Path):
    (tmp_path / "a.csv").write_bytes(data)
    table = load_csv(tmp_path / "a.csv")
    assert table.columns == ("file", "x")
    assert table.rows == ROWS


def test_empty_lines_before_the_first_one_are_left_out(tmp_path: Path):
    (tmp_path / "a.csv").write_bytes(b"\nfile,x\n\na.png,1\n")
    table = load_csv(tmp_path / "a.csv")
    assert (table.columns, table.rows) == (("file", "x"), [(4, {"file": "a.png", "x": "1"})])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            b"file,x,y\na.png,1,5,2\n",
            r'line 2 has 4 cells for 3 columns of .* "file,x,y"; .* quote',
        ),
        (
            b"sep=,\nfile,x,y\n",
            'line 2 has 3 cells for 2 columns of the first line, "sep=,"; it must',
        ),
        (b"file,x,x\na.png,1,2\n", r'a\.csv has the column "x" 2 times'),
        ("file,x\n".encode("utf-16"), "is not a CSV file in UTF-8: .*; save it as UTF-8"),
        (b'file\n"' + b"a" * 200_000 + b'"\n', "is not a CSV file in UTF-8: field larger"),
        (b"file,x\n" + b"a,1\n" * 300, "has 1,207 bytes; the limit is 1,000"),
    ],
)
def test_files_whose_cells_would_be_misread_are_refused(data: bytes, message: str, tmp_path: Path):
    (tmp_path / "a.csv").write_bytes(data)
    limit = 1000 if b"a,1\n" * 300 in data else csv_file.MAX_BYTES
    with pytest.raises(HandsError, match=message):
        load_csv(tmp_path / "a.csv", limit)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,group\na,x\na,y\n", r'line 3: "a" is in two groups, "x" and "y"'),
        ("name,group\na,\n", "line 2 has no group"),
        ("name,person\na,x\n", "must be a CSV file with the columns name,group"),
    ],
)
def test_groups_are_those_of_the_file_or_refused(text: str, message: str, tmp_path: Path):
    path = tmp_path / "groups.csv"
    path.write_text("name,group\na,x\nb,y\na,x\n")
    assert read_groups(path) == {"a": "x", "b": "y"}
    path.write_text(text)
    with pytest.raises(HandsError, match=message):
        read_groups(path)
