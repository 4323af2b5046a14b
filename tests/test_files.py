"""Files are whole or not there."""

import pytest

from latent_hands.files import write_bytes, write_text, write_whole


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


def test_a_link_under_the_temporary_name_is_not_followed(tmp_path):
    precious = tmp_path / "precious.txt"
    precious.write_text("precious")
    (tmp_path / ".part-hands.txt").symlink_to(precious)
    write_text(tmp_path / "hands.txt", "left")
    assert (tmp_path / "hands.txt").read_text() == "left"
    assert precious.read_text() == "precious"
