"""Errors of packed stores: one line that names the file, for broken, foreign and different stores."""

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


def test_folders_with_other_windows_data_or_files_are_refused(samples, store, tmp_path, monkeypatch):
    with pytest.raises(HandsError, match=r"prepared with margin = 1\.75; requested is margin = 1\.5"):
        prepare("images", store, {"training": replace(CUT, margin=1.5)})
    register(monkeypatch, READERS, "painted", lambda *_, **__: samples[::-1])
    with pytest.raises(HandsError, match="was cut from other data"):
        prepare("others", store, {"training": CUT})
    other_tags = [replace(sample, tag=sample.image) for sample in samples]
    register(monkeypatch, READERS, "painted", lambda *_, **__: other_tags)
    with pytest.raises(HandsError, match="was cut from other data"):
        prepare("others", store, {"training": CUT})
    other_sizes = [replace(sample, size_px=(64, 48)) for sample in samples]
    register(monkeypatch, READERS, "painted", lambda *_, **__: other_sizes)
    with pytest.raises(HandsError, match="the labels are for an image of 64x48 pixels, but the image has"):
        prepare("images", store, {"training": CUT})
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(HandsError, match="exists and is not a packed store"):
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
    """Tensors are ordered by the size of their type, then by name: block, tag index, camera."""
    struct.pack_into(kind, data, 8 + struct.unpack("<Q", data[:8])[0] + place, value)


BROKEN = {
    "is missing": lambda path: path.unlink(),
    r"has \d+ bytes, not \d+": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "is not a shard .* header": lambda path: rewrite(path, lambda d: put(d, d[:8], struct.pack("<Q", 2**60))),
    "is not a shard": lambda path: rewrite(path, lambda d: put(d, b'"shape":[3]', b'"shape":[8]')),
    "is not a shard .* U8": lambda path: rewrite(path, lambda d: put(d, b"[3,3,32,32]", b"[9,1,32,32]")),
    "is not a shard .* unknown tensor": lambda path: rewrite(path, lambda d: put(d, b'"pose"', b'"nose"')),
    "is not a shard .*name its 3": lambda path: rewrite(path, lambda d: put(d, b'[\\"3\\"', b"[    3")),
    "is not a shard .* points beyond the images": lambda path: rewrite(
        path, lambda d: set_payload(d, 3 * 8, 9, "<q")
    ),
    "is not a shard .*K.* infinite": lambda path: rewrite(
        path, lambda d: set_payload(d, 2 * 3 * 8, math.inf, "<f")
    ),
}


@pytest.mark.parametrize("message", BROKEN)
def test_a_broken_shard_is_named(store, message):
    path = store / "training" / "00001.safetensors"
    BROKEN[message](path)
    with pytest.raises(HandsError, match=message) as error:
        open_windows(store, "training", CUT)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_any_changed_byte_of_a_header_raises_hands_error_or_opens(store):
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
    ("change", "message"),
    [
        ({"format": 1}, "has the format 1; this version of latent-hands reads 3: prepare again"),
        ({"format": None}, "has the format None"),
        ({"splits": {"training": {}}}, r'\[splits.training\]: "cut" is missing'),
        ({"splits": {}}, 'has no split "training"; it has: none'),
        ({"more": 1}, 'unknown key "more"'),
    ],
)
def test_a_manifest_with_wrong_content_is_an_error(store, change, message):
    path = store / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(HandsError, match=message):
        open_windows(store, "training", CUT)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "[]", "\xff", '{"format": 1e999}'])
def test_a_manifest_that_is_not_json_of_a_table_is_an_error(store, text):
    (store / MANIFEST).write_bytes(text.encode("latin1"))
    with pytest.raises(HandsError, match=MANIFEST):
        read_manifest(store)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"window_px": 0}, "window_px is 0; it must be between 8 and 1024"),
        ({"window_px": 10**400}, "must be between 8 and 1024"),
        ({"margin": math.nan}, "margin is nan"),
    ],
)
def test_a_cut_out_of_range_is_refused_before_anything_is_written(tmp_path, change, message):
    with pytest.raises(HandsError, match=message):
        prepare(tmp_path / "absent", tmp_path / "store", {"training": replace(CUT, **change)}, workers=1)
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("workers", [0, -1])
def test_a_store_needs_a_worker(tmp_path, workers):
    with pytest.raises(HandsError, match=f"workers is {workers}; it must be at least 1"):
        prepare(tmp_path / "absent", tmp_path / "store", {"training": CUT}, workers=workers)
    assert not (tmp_path / "store").exists()


def test_labels_that_training_refuses_are_not_packed(samples, tmp_path, monkeypatch):
    name_painted([replace(sample, xyz_mm=sample.xyz_mm / 1000) for sample in samples], monkeypatch)
    with pytest.raises(HandsError, match="The labels look like metres, not millimetres"):
        prepare("images", tmp_path / "store", {"training": CUT})
    assert not list(tmp_path.rglob("*.safetensors"))
