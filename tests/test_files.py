"""Files are whole or not there."""

import errno
import os
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest

from latent_hands.files import copy_file, link_files, new_temporary, write_bytes, write_text, write_whole


def test_what_was_there_stays_until_the_new_file_is_whole(tmp_path):
    path = tmp_path / "hands.txt"
    write_text(path, "\u2190 left")

    def stopping(temporary):
        temporary.write_text("half")
        assert path.read_text("utf-8") == "\u2190 left"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_whole(path, stopping)
    assert path.read_bytes() == "\u2190 left".encode()
    write_bytes(path, b"right")
    assert path.read_bytes() == b"right"
    assert list(tmp_path.iterdir()) == [path]


def test_threads_that_write_one_file_leave_one_of_their_versions(tmp_path):
    path, versions = tmp_path / "hands.bin", [bytes([value]) * 100_000 for value in range(16)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write_bytes, [path] * 64, versions * 4))
    assert path.read_bytes() in versions
    assert list(tmp_path.iterdir()) == [path]


def test_temporary_names_cannot_be_foreseen_and_modes_follow_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        first, second = new_temporary(tmp_path / "a.png"), new_temporary(tmp_path / "a.png")
        write_text(tmp_path / "b.txt", "left")
    finally:
        os.umask(before)
    assert first != second
    assert first.suffix == ".png"
    modes = {each.stat().st_mode & 0o777 for each in tmp_path.iterdir()}
    assert modes == {0o640}


def test_only_old_temporary_files_are_removed(tmp_path):
    new, old, other = (tmp_path / name for name in (".part-1.png", ".part-2.png", "part-3.png"))
    for each in (new, old, other):
        each.write_bytes(b"half")
        os.utime(each, (0, 0) if each != new else None)
    write_text(tmp_path / "hands.txt", "left")
    assert sorted(each.name for each in tmp_path.iterdir()) == [".part-1.png", "hands.txt", "part-3.png"]


@pytest.mark.parametrize("linked", [False, True])
def test_an_error_of_a_copy_names_the_file_that_is_written(linked, tmp_path, monkeypatch):
    def full(source, _):
        raise OSError(errno.ENOSPC, "No space left on device", str(source))

    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()
    source, target = tmp_path / "old/a.txt", tmp_path / "new/a.txt"
    source.touch()
    monkeypatch.setattr(os, "link", full)
    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(OSError, match="No space") as error:
        link_files(source.parent, target.parent, bool) if linked else copy_file(source, target)
    assert error.value.filename == str(target)
    assert not list(target.parent.iterdir())
