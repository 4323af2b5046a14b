"""MATLAB files: arrays of numbers are read, everything else is an error."""

import struct
import zlib

import numpy as np
import pytest
from scipy.io import savemat

from latent_hands.data.formats import mat_file
from latent_hands.data.formats.mat_file import load_mat
from latent_hands.errors import HandsError


@pytest.mark.parametrize("do_compression", [False, True])
def test_arrays_of_numbers_are_read(tmp_path, do_compression):
    a, b = np.random.default_rng(0).normal(size=(3, 21, 5)), np.arange(6, dtype=np.uint8).reshape(2, 3)
    savemat(tmp_path / "a.mat", {"a": a, "b": b, "text": "left"}, do_compression=do_compression)
    read = load_mat(tmp_path / "a.mat", {"a": (3, 21, None), "b": (2, 3)})
    np.testing.assert_array_equal(read["a"], a.astype(np.float32))
    np.testing.assert_array_equal(read["b"], b)


REFUSED = {
    "has 8,184 bytes; the limit is 1,000": {"a": np.zeros(1000)},
    'it has no array "a", only b': {"b": np.zeros((1, 4))},
    r'"a" is double of shape \(1, 5\); it must be n x 4 numbers': {"a": np.zeros((1, 5))},
    '"a" is cell': {"a": np.array([[1, "x", 2, 3]], object)},
    '"a" is struct': {"a": {"b": 1}},
    '"a" is char': {"a": np.array(["abcd"])},
    '"a" contains values that are not finite': {"a": np.full((1, 4), np.nan)},
    '"a" contains values that are not finite real': {"a": np.full((1, 4), 1j)},
}


@pytest.mark.parametrize("message", REFUSED)
def test_everything_else_is_an_error(tmp_path, monkeypatch, message):
    monkeypatch.setattr(mat_file, "MAX_BYTES", 1000)
    savemat(tmp_path / "a.mat", REFUSED[message])
    with pytest.raises(HandsError, match=rf"a\.mat.*{message}"):
        load_mat(tmp_path / "a.mat", {"a": (None, 4)})


def test_broken_files_are_errors(tmp_path):
    savemat(tmp_path / "good.mat", {"a": np.zeros((3, 4))}, do_compression=True)
    good = (tmp_path / "good.mat").read_bytes()
    for name, data in {"empty": b"", "text": b"hello" * 50, "cut": good[:-9], "hdf": b"\x89HDF" * 90}.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(HandsError, match=f"{name}.* is not a MATLAB file"):
            load_mat(tmp_path / name, {"a": (3, 4)})
    with pytest.raises(HandsError, match="no label file at"):
        load_mat(tmp_path / "none.mat", {"a": (3, 4)})


def test_decompression_is_limited(tmp_path, monkeypatch):
    monkeypatch.setattr(mat_file, "MAX_BYTES", 10_000)
    savemat(tmp_path / "a.mat", {"a": np.zeros((1, 4))})
    bomb = zlib.compress(bytes(100_000))
    header = (tmp_path / "a.mat").read_bytes()[:128]
    (tmp_path / "a.mat").write_bytes(header + struct.pack("<II", 15, len(bomb)) + bomb)
    with pytest.raises(HandsError, match="it has more than 10,000 bytes when decompressed"):
        load_mat(tmp_path / "a.mat", {"a": (1, 4)})


def test_decompression_of_all_parts_together_is_limited(tmp_path, monkeypatch):
    monkeypatch.setattr(mat_file, "MAX_BYTES", 10_000)
    savemat(tmp_path / "a.mat", {"a": np.zeros((1, 4))})
    part = zlib.compress(bytes(4_000))
    header = (tmp_path / "a.mat").read_bytes()[:128]
    (tmp_path / "a.mat").write_bytes(header + 3 * (struct.pack("<II", 15, len(part)) + part))
    with pytest.raises(HandsError, match="it has more than 10,000 bytes when decompressed"):
        load_mat(tmp_path / "a.mat", {"a": (1, 4)})
