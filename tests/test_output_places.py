"""Every command finds out before its work that its outputs cannot be written."""

import inspect
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from latent_hands.cli import COMMANDS, find_command
from latent_hands.cli.outputs import FILES, FOLDERS, INPUTS, OTHERS, with_places_checked
from latent_hands.cli.sources import check_outputs
from latent_hands.errors import HandsError
from latent_hands.files import check_file, check_folder

OUTPUTS = FILES | FOLDERS


@contextmanager
def full_disk() -> Iterator[None]:
    """Let no file have content in the block, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def call(name: str, place: Path) -> list[Path]:
    """Return the places that the work of a command received; the work itself is a stub."""
    received: list[Path] = []

    def work(out: Path | None = None, sheet=None, record=None, picture=None, dry_run=None) -> None:
        received.extend(each for each in (out, sheet, record, picture, dry_run) if each is not None)

    with_places_checked(name, work)(**{OUTPUTS[name]: place})
    return received


def test_the_tables_name_every_command_that_writes_to_a_place_it_is_given():
    written = ("out", "sheet", "record", "picture", "dry_run")
    found = {
        (name, option)
        for name in COMMANDS
        for option in inspect.signature(find_command(name)).parameters
        if option in written
    }
    assert found == {*(OUTPUTS | OTHERS).items()}


@pytest.mark.parametrize("name", OUTPUTS)
def test_work_does_not_start_where_a_part_of_the_place_is_a_file(name, tmp_path: Path):
    (tmp_path / "file").write_text("kept")
    with pytest.raises(HandsError, match="file is a file"):
        call(name, tmp_path / "file" / "deep" / "out.png")
    assert (tmp_path / "file").read_text() == "kept"


@pytest.mark.parametrize("name", OUTPUTS)
def test_work_does_not_start_on_a_full_disk_and_nothing_is_left(name, tmp_path: Path):
    with (
        pytest.raises(HandsError, match=f"{tmp_path}/new/out.png cannot be written, because of {tmp_path}: "),
        full_disk(),
    ):
        call(name, tmp_path / "new" / "out.png")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", OUTPUTS)
def test_work_starts_where_outputs_can_be_written_and_nothing_is_left_by_the_check(name, tmp_path: Path):
    assert call(name, tmp_path / "new" / "out.png") == [tmp_path / "new" / "out.png"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write into read-only folders")
def test_read_only_folders_are_refused(tmp_path: Path):
    tmp_path.chmod(0o500)
    for check in (check_file, check_folder):
        with pytest.raises(HandsError, match="Permission denied"):
            check(tmp_path / "out")
    tmp_path.chmod(0o700)


@pytest.mark.parametrize("name", FILES)
def test_a_folder_in_the_place_of_a_file_is_refused(name, tmp_path: Path):
    with pytest.raises(HandsError, match="is a folder; give the name of a file"):
        call(name, tmp_path)


@pytest.mark.parametrize("name", FOLDERS)
def test_a_file_in_the_place_of_a_folder_is_refused(name, tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(HandsError, match="file is a file; give a folder for the outputs"):
        call(name, tmp_path / "file")


def test_the_outputs_of_images_and_films_are_checked_too(tmp_path: Path):
    with pytest.raises(HandsError, match="cannot be written"), full_disk():
        check_outputs([], [], [tmp_path / "walk.png"])


@pytest.mark.parametrize("name", INPUTS)
def test_outputs_in_an_input_folder_are_refused(name, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    output, given = (FOLDERS | OTHERS)[name], INPUTS[name]
    assert given in inspect.signature(find_command(name)).parameters
    Path("hands").mkdir()
    started = []

    def work(**places: object) -> None:
        started.append(places)

    work.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(each, inspect.Parameter.KEYWORD_ONLY) for each in (output, given)]
    )
    inputs = {"runs": ("estimation", "hands"), "run": "hands"}.get(given, Path("hands"))
    for place in (Path("hands/deep/out"), Path("hands"), tmp_path / "hands" / ".." / "hands" / "out"):
        with pytest.raises(HandsError, match="is in the input folder hands; give a folder outside it"):
            with_places_checked(name, work)(**{output: place, given: inputs})
    assert not started
    with_places_checked(name, work)(**{output: Path("hands2"), given: inputs})
    assert len(started) == 1
    assert list(Path("hands").iterdir()) == []
