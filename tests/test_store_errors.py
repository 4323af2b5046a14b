"""What cannot be a packed store, or not the one that is wanted, is one line that names the file."""

import contextlib
import json
import math
import struct
from dataclasses import replace

import pytest
import torch
from packed_hands import CUT, name_painted, painted_scenes
from registries import register

from latent_hands.data import READERS, open_data
from latent_hands.data.prepare import prepare
from latent_hands.data.shard_files import open_windows
from latent_hands.data.store import MANIFEST, read_manifest
from latent_hands.errors import HandsError


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    return painted_scenes(tmp_path_factory.mktemp("images"))


@pytest.fixture
def store(samples, tmp_path, monkeypatch):
    name_painted(samples, monkeypatch)
    prepare("images", tmp_path / "store", {"training": CUT})
    return tmp_path / "store"


def test_a_folder_of_something_else_is_refused(samples, store, tmp_path, monkeypatch):
    with pytest.raises(HandsError, match=r"prepared with margin = 1\.75; asked for is margin = 1\.5"):
        prepare("images", store, {"training": replace(CUT, margin=1.5)})
    register(monkeypatch, READERS, "painted", lambda *_, **__: samples[::-1])
    with pytest.raises(HandsError, match="was cut from other data"):
        prepare("others", store, {"training": CUT})
    other_tags = [replace(sample, tag=sample.image) for sample in samples]
    register(monkeypatch, READERS, "painted", lambda *_, **__: other_tags)
    with pytest.raises(HandsError, match="was cut from other data"):
        prepare("others", store, {"training": CUT})
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(HandsError, match="exists and is no packed store"):
        prepare("images", tmp_path, {"training": CUT})
    with pytest.raises(HandsError, match="is a packed store, which contains windows"):
        open_data("painted", store, "training")


def rewrite(path, change):
    """Change a file without its size."""
    data = bytearray(path.read_bytes())
    change(data)
    path.write_bytes(data)


def put(data, old, new):
    at = bytes(data).index(old)
    data[at : at + len(old)] = new


def set_payload(data, place, value, kind):
    """Numbers of blocks, of tags, then cameras: larger types first, each in order of its names."""
    struct.pack_into(kind, data, 8 + struct.unpack("<Q", data[:8])[0] + place, value)


BROKEN = {
    "is missing": lambda path: path.unlink(),
    r"has \d+ bytes, not \d+": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "is no shard .* header": lambda path: rewrite(path, lambda d: put(d, d[:8], struct.pack("<Q", 2**60))),
    "is no shard": lambda path: rewrite(path, lambda d: put(d, b'"shape":[3]', b'"shape":[8]')),
    "is no shard .* U8": lambda path: rewrite(path, lambda d: put(d, b"[3,3,32,32]", b"[9,1,32,32]")),
    "is no shard .* unknown tensor": lambda path: rewrite(path, lambda d: put(d, b'"pose"', b'"nose"')),
    "is no shard .*name its 3": lambda path: rewrite(path, lambda d: put(d, b'[\\"3\\"', b"[    3")),
    "is no shard .* points beyond the images": lambda path: rewrite(
        path, lambda d: set_payload(d, 3 * 8, 9, "<q")
    ),
    "is no shard .*K.* not finite": lambda path: rewrite(
        path, lambda d: set_payload(d, 2 * 3 * 8, math.nan, "<f")
    ),
}


@pytest.mark.parametrize("told", BROKEN)
def test_a_broken_shard_is_named(store, told):
    path = store / "training" / "00001.safetensors"
    BROKEN[told](path)
    with pytest.raises(HandsError, match=told) as error:
        open_windows(store, "training", CUT)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_whatever_a_header_says_is_an_error_or_harmless(store):
    path = store / "training" / "00000.safetensors"
    whole = path.read_bytes()
    length = 8 + struct.unpack("<Q", whole[:8])[0]
    generator = torch.Generator().manual_seed(0)
    for place in torch.randint(length, (300,), generator=generator).tolist():
        damaged = bytearray(whole)
        damaged[place] = int(torch.randint(256, (1,), generator=generator))
        path.write_bytes(damaged)
        with contextlib.suppress(HandsError):
            open_windows(store, "training", CUT).rgb[:]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"format": 1}, "has the format 1; this version of latent-hands reads 3: prepare it anew"),
        ({"format": None}, "has the format None"),
        ({"splits": {"training": {}}}, r'\[splits.training\]: "cut" is missing'),
        ({"splits": {}}, 'has no split "training"; it has: none'),
        ({"more": 1}, 'unknown key "more"'),
    ],
)
def test_a_manifest_that_cannot_be_is_told(store, change, told):
    path = store / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(HandsError, match=told):
        open_windows(store, "training", CUT)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "[]", "\xff", '{"format": 1e999}'])
def test_a_manifest_that_is_none_is_told(store, text):
    (store / MANIFEST).write_bytes(text.encode("latin1"))
    with pytest.raises(HandsError, match=MANIFEST):
        read_manifest(store)
