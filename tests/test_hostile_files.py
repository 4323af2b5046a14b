"""Hostile files are refused within limits of memory and processor time that the system enforces."""

import io
import json
import pickle
import struct
import zipfile
import zlib
from pathlib import Path

import pytest
from limited import SECONDS, read_limited
from PIL import Image


def chunks_of_png(parts: list[tuple[bytes, bytes]]) -> bytes:
    chunks = [struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in parts]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def png(width: int, height: int, rows: bytes) -> bytes:
    """Return a PNG file with these compressed rows, whatever its size is said to be."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return chunks_of_png([(b"IHDR", header), (b"IDAT", rows), (b"IEND", b"")])


def scans(side_px: int, count: int) -> bytes:
    """Return a progressive JPEG file with one scan many times: 23 bytes that change every block."""
    buffer = io.BytesIO()
    Image.new("L", (side_px, side_px), 128).save(buffer, "JPEG", progressive=True)
    data = buffer.getvalue()
    begin = data.index(b"\xff\xda", data.index(b"\xff\xda") + 2)
    end = data.index(b"\xff\xc4", begin)
    return data[:end] + data[begin:end] * count + data[end:]


def tiff_of_one_tile(side_px: int) -> bytes:
    """Return a TIFF file of 64x64 pixels in a tile of another size."""
    tags = {256: 64, 257: 64, 258: 8, 259: 8, 262: 1, 277: 1, 322: side_px, 323: side_px, 324: 200, 325: 99}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    head = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)
    return head.ljust(200, b"\0") + zlib.compress(bytes(10**6))


def frames(count: int, side_px: int) -> bytes:
    """Return a GIF file whose frames change one pixel of a large image."""
    head = b"GIF89a" + struct.pack("<HHBBB", side_px, side_px, 0x80, 0, 0) + bytes(6)
    pixel = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    return head + (b"\x21\xf9\x04" + bytes(5) + pixel) * count + b"\x3b"


def npz(header: str, file_size: int | None = None) -> bytes:
    """Return an archive of one array with this header and no numbers."""
    text = header.encode().ljust(117) + b"\n"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("image.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text)
    if file_size is None:
        return buffer.getvalue()
    data = bytearray(buffer.getvalue())
    at = data.index(b"PK\x01\x02") + 24
    data[at : at + 4] = struct.pack("<I", file_size)
    return bytes(data)


def matlab(zeros: int) -> bytes:
    """Return a MATLAB file whose only variable is some zeros, compressed."""
    packed = zlib.compress(bytes(zeros), 1)
    head = b"MATLAB 5.0".ljust(124) + b"\0\x01IM"
    return head + struct.pack("<II", 15, len(packed)) + packed


def shared_lists(depth: int) -> list:
    inner: list = [0.5] * 10
    for _ in range(depth):
        inner = [inner] * 10
    return inner


FILES = {
    "thin.png": (lambda: png(1, 89_000_000, zlib.compress(bytes(1000))), "limit of a side"),
    "empty.png": (lambda: png(9430, 9430, zlib.compress(bytes(1000))), "too few for its 9430x9430 pixels"),
    "scans.jpg": (lambda: scans(4096, 20_000), "decoding it takes more than 1 s"),
    "tile.tif": (lambda: tiff_of_one_tile(40_000), "its tiles have 40000x40000 pixels"),
    "frames.gif": (lambda: frames(10_001, 3000), "pages or frames; the limit is 10,000"),
    "lists.pickle": (lambda: pickle.dumps({0: shared_lists(9)}, 3), "more than 10,000,000 items"),
    "number.pickle": (lambda: pickle.dumps({10**5000: 0}, 3), "a number of 16610 bits"),
    "claims.npz": (lambda: npz("{}", 2**31), "when decompressed; the limit is"),
    "shape.npz": (
        lambda: npz("{'descr': '<f8', 'fortran_order': False, 'shape': (10000000000,)}"),
        "has no hands that",
    ),
    "zeros.mat": (lambda: matlab(70 * 2**20), "bytes when decompressed, which is the limit"),
    "deep.json": (lambda: b"[" * 10**6, "is not a JSON file: maximum recursion depth"),
    "wide.json": (lambda: b"[" + b"[]," * 10**6 + b"[]]", "read"),
    "number.json": (lambda: b"9" * 10**6, "is not a JSON file"),
    "keys.toml": (lambda: b".".join([b"a"] * 400_000) + b" = 1", "has a key of more than 16 parts"),
    "long.toml": (lambda: b"a" * 10**6 + b"a = 1", "it must have at most 1,000,000"),
    "header.safetensors": (lambda: struct.pack("<Q", 2**40) + b"{}", "header"),
}
"""File name -> its content, and a part of the answer."""


@pytest.fixture(scope="module")
def answers(tmp_path_factory) -> dict[str, tuple[str, float]]:
    folder = tmp_path_factory.mktemp("hostile")
    files: list[Path] = []
    for name, (content, _) in FILES.items():
        files.append(folder / name)
        files[-1].write_bytes(content())
    return read_limited(files)


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file_is_refused_within_limits(answers, name):
    answer, seconds = answers[name]
    print(json.dumps([name, answer[:200], round(seconds, 3)]))
    assert FILES[name][1] in answer
    assert answer.startswith("refused: ") or FILES[name][1] == "read"
    assert seconds < SECONDS
