"""What images may cost: sizes that files only announce, pages, and pixels that threads decode at once."""

import struct
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from latent_hands.data.formats import image as limits
from latent_hands.data.formats.image import read_rgb
from latent_hands.errors import HandsError
from latent_hands.predictor.cameras import camera_of_image

EPS = "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n%%EndComments\nshowpage\n%%EOF\n"


def thin_png(width: int, height: int) -> bytes:
    """Return a file of 74 bytes that claims to be a large image."""
    parts = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))]
    parts += [(b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")]
    chunks = [struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in parts]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def test_an_image_starts_no_program(tmp_path: Path, monkeypatch):
    program = tmp_path / "gs"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/CALLED\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    (tmp_path / "hand.jpg").write_text(EPS)
    with pytest.raises(HandsError, match=r"hand\.jpg .* is not a readable image"):
        read_rgb(tmp_path / "hand.jpg")
    with pytest.raises(HandsError, match=r"hand\.jpg .* is not a readable image"):
        camera_of_image(tmp_path / "hand.jpg", (64, 64))
    assert not (tmp_path / "CALLED").exists()


def test_a_file_too_small_for_its_pixels_is_not_decoded(tmp_path: Path, monkeypatch):
    (tmp_path / "thin.png").write_bytes(thin_png(9430, 9430))
    monkeypatch.setattr(limits, "to_pixels", None)
    with pytest.raises(HandsError, match="has 74 bytes, too few for its 9430x9430 pixels: it is truncated"):
        read_rgb(tmp_path / "thin.png")


@pytest.mark.parametrize("mode", ["1", "RGB"])
def test_the_smallest_legal_png_is_decoded(tmp_path: Path, mode):
    Image.new(mode, (2000, 2000)).save(tmp_path / "black.png", optimize=True)
    assert not read_rgb(tmp_path / "black.png").any()


@pytest.mark.parametrize(("pages", "counted"), [(3, 3), (4, None)])
def test_pages_are_counted_to_a_limit(tmp_path: Path, monkeypatch, pages, counted):
    monkeypatch.setattr(limits, "MAX_PAGES", 3)
    first, *others = [Image.fromarray(np.full((8, 8, 3), 60 * i, np.uint8)) for i in range(pages)]
    first.save(tmp_path / "a.gif", save_all=True, append_images=others)
    if counted is None:
        with pytest.raises(HandsError, match=r"a\.gif: it has 4 pages or frames; the limit is 3"):
            read_rgb(tmp_path / "a.gif")
    else:
        assert not read_rgb(tmp_path / "a.gif").any()


def test_threads_together_decode_no_more_than_the_limit(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(limits, "_DECODING", limits._Budget(100))
    Image.new("RGB", (6, 10)).save(tmp_path / "a.png")
    Image.new("RGB", (20, 10)).save(tmp_path / "large.png")
    at_once, peaks, lock = [], [], threading.Lock()

    def to_pixels(image: Image.Image, mode: str, name: str) -> np.ndarray:
        with lock:
            at_once.append(image.size)
            peaks.append(len(at_once))
        time.sleep(0.002)
        with lock:
            at_once.remove(image.size)
        return np.array(image.convert(mode))

    monkeypatch.setattr(limits, "to_pixels", to_pixels)
    with ThreadPoolExecutor(8) as pool:
        paths = [tmp_path / "a.png", tmp_path / "large.png"] * 10
        assert len(list(pool.map(read_rgb, paths))) == 20
    assert max(peaks) == 1
