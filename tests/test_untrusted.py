"""Files that cost more than they seem to are refused in one line."""

import json
import pickle
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from refusals import refuse
from scipy.io import savemat

from latent_hands.data.formats import json_file, mat_file, safe_pickle
from latent_hands.data.formats.json_file import load_json, parse_json
from latent_hands.data.formats.mat_file import load_mat
from latent_hands.data.formats.safe_pickle import load_pickle
from latent_hands.predictions import npz_file, read_npz
from latent_hands.typed_toml import parse

NESTED = 100_000


# Pickles


def shared_lists(depth: int) -> list:
    inner: list = [0.5] * 10
    for _ in range(depth):
        inner = [inner] * 10
    return inner


def shared_tuples() -> bytes:
    """A dictionary whose key is a tuple of 2^60 items: its hash would never end."""
    return b"\x80\x03})" + b"2\x86" * 60 + b"K\x00s."


def bytes_of_one_text() -> bytes:
    """One text of 1 MB, encoded 1,000 times."""
    text = b"X" + struct.pack("<I", 2**20) + bytes(2**20) + b"q\x00"
    once = b"c_codecs\nencode\n(h\x00X\x06\x00\x00\x00latin1tR"
    return b"\x80\x03(" + text + once * 1000 + b"l."


PICKLES = {
    "more than 10,000,000 items": lambda: pickle.dumps({0: shared_lists(9)}, 3),
    "a number of 1329 bits is refused": lambda: pickle.dumps({0: 10**400}, 3),
    "a number of 16610 bits is refused": lambda: pickle.dumps({10**5000: 0}, 3),
    "nested deeper than 32": lambda: b"\x80\x03" + b"]" * 9999 + b"a" * 9998 + b".",
    "keys that are neither text nor numbers": shared_tuples,
    "arrays and texts of more than": bytes_of_one_text,
    "more than 1,000 instructions": lambda: b"\x80\x04" + b"N0" * 1000 + b"N.",
    "more than 1,000 instructions ": lambda: (
        b"\x80\x04\x95" + struct.pack("<Q", 2002) + b"N0" * 1000 + b"N."
    ),
}


@pytest.mark.parametrize("message", PICKLES)
def test_pickles_cost_a_limited_amount(tmp_path: Path, monkeypatch, message):
    if "instructions" in message:
        monkeypatch.setattr(safe_pickle, "MAX_READS", 1000)
    (tmp_path / "anno.pickle").write_bytes(PICKLES[message]())
    refuse(load_pickle, tmp_path / "anno.pickle", match=rf"anno\.pickle.*{message.strip()}")


def test_a_list_that_contains_itself_is_refused(tmp_path: Path):
    (tmp_path / "a.pickle").write_bytes(b"\x80\x03]q\x00h\x00a.")
    refuse(load_pickle, tmp_path / "a.pickle", match="nested deeper")


# JSON, MATLAB, NPZ


@pytest.mark.parametrize(
    "text", ["[" * NESTED, "[" * 40 + "]" * 40, '{"a":' * NESTED, "9" * 5000, "{", "", '"\ud800', "nul"]
)
def test_json_is_shallow_and_short(text):
    refuse(parse_json, text, "a.json", match=r"a\.json")


def test_json_has_a_limited_number_of_containers(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(json_file, "MAX_CONTAINERS", 3)
    (tmp_path / "a.json").write_text("[[], {}]")
    assert load_json(tmp_path / "a.json") == [[], {}]
    (tmp_path / "a.json").write_text("[[], {}, []]")
    refuse(load_json, tmp_path / "a.json", match="more than 3 lists and tables")


def test_json_may_have_a_byte_order_mark(tmp_path: Path):
    (tmp_path / "a.json").write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert load_json(tmp_path / "a.json") == {"a": 1}


def test_json_that_is_not_utf_8_is_refused(tmp_path: Path):
    (tmp_path / "a.json").write_bytes(b'{"a": "\xff"}')
    refuse(load_json, tmp_path / "a.json", match=r"a\.json is not a JSON file")


def test_matlab_files_have_a_limited_number_of_parts(tmp_path: Path):
    savemat(tmp_path / "a.mat", {"a": np.zeros((1, 4))})
    with (tmp_path / "a.mat").open("ab") as file:
        file.write(bytes(8) * (mat_file.MAX_PARTS + 1))
    refuse(load_mat, tmp_path / "a.mat", {"a": (1, 4)}, match="more than 1,000 variables")


def test_arrays_are_not_decompressed_beyond_a_limit(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(npz_file, "MAX_BYTES", 10_000)
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("image.npy", bytes(20_000))
    refuse(read_npz, tmp_path / "a.npz", match="has 20,000 bytes when decompressed; the limit is 10,000")


# TOML and experiments


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * NESTED,
        "a = " + "{a = " * NESTED,
        "a = " + "9" * 5000,
        ".".join("a" * NESTED) + " = 1",
        ".".join(['"a"'] * NESTED) + " = 1",
        " . ".join(["'a'"] * NESTED) + " = 1",
        f"[{'.'.join('a' * NESTED)}]",
        f"x = {{ y = 1, {'.'.join('a' * NESTED)} = 1 }}",
        f'x = """\n"""\n{".".join("a" * NESTED)} = 1',
        f'# """\n{".".join("a" * NESTED)} = 1\n# """',
    ],
)
def test_toml_is_shallow_and_short(text):
    refuse(parse, text, "a.toml", match=r"a\.toml (is not valid TOML|has a key of more than 16 parts)")


def test_dots_in_texts_comments_and_numbers_are_no_keys():
    dots = ".".join("a" * 100)
    table = parse(f'a = "{dots}" # {dots}\nb = [{", ".join(["1.5"] * 100)}]\nc = """\n{dots}"""\n', "a.toml")
    assert table["a"] == table["c"] == dots


def test_time_grows_with_the_length_alone():
    for text in ("a" * 200_000, "a " * 100_000, "a" + " " * 200_000, '"' * 200_000, "'''" * 70_000):
        refuse(parse, text, "a.toml", match="is not valid TOML")


@pytest.mark.parametrize("name", ["keys", "items", "training", "a.b", "", "a b", "x" * 65, "\x1b[31m", "1"])
@pytest.mark.parametrize("section", ["encoders", "decoders"])
def test_arrows_have_names_of_modules(section, name):
    arrow = '{ reads = "rgb", factors = ["pose"] }'
    arrow = arrow if section == "encoders" else arrow.replace("reads", "writes")
    text = tiny_toml() + f"\n[{section}]\n{json.dumps(name)} = {arrow}\n"
    refuse(load, text, match="cannot have the name")


def tiny_toml() -> str:
    return '[latent]\npose = 4\n[algorithm]\nname = "cross_modal"\nencode = ["rgb"]\n'


def load(text: str) -> None:
    from latent_hands.configuration import Experiment
    from latent_hands.typed_toml import read

    table = parse(text, "a.toml")
    read(Experiment, {"encoders": {}, "decoders": {}} | table, "a.toml")


def test_there_are_a_limited_number_of_factors():
    factors = "\n".join(f"f{i} = 1" for i in range(65))
    refuse(load, tiny_toml().replace("pose = 4", factors), match="65 factors; there can be at most 64")


def test_a_name_of_100_kilobytes_gives_a_short_message():
    refuse(load, tiny_toml() + f"[training]\n{'x' * 100_000} = 1", match="unknown key")


# Memory


LIMITED = """
import resource, sys
from latent_hands.data.formats.safe_pickle import load_pickle
resource.setrlimit(resource.RLIMIT_DATA, (2**30, 2**30))
load_pickle(sys.argv[1])
"""


def test_a_list_bomb_is_refused_within_a_gigabyte(tmp_path: Path):
    (tmp_path / "anno.pickle").write_bytes(pickle.dumps({0: {"xyz": shared_lists(9)}}, 3))
    command = [sys.executable, "-c", LIMITED, str(tmp_path / "anno.pickle")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert "HandsError" in done.stderr
    assert "more than 10,000,000 items" in done.stderr
