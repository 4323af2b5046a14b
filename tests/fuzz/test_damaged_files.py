"""Damaged files of every format are read, or refused by HandsError: no other error, and no long wait.

The default run takes seconds. For hours, set the number of damaged versions of each file:
LATENT_HANDS_FUZZ=100000 pytest tests/fuzz
"""

import io
import json
import os
import pickle
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from model_hands import model_hands
from PIL import Image
from safetensors.torch import save
from scipy.io import savemat

from latent_hands.cli.fine_tune import read_groups
from latent_hands.configuration import load_experiment, packaged_experiments
from latent_hands.data.formats.box_csv import read_box_csv
from latent_hands.data.formats.box_json import read_box_json
from latent_hands.data.formats.image import read_rgb
from latent_hands.data.formats.json_file import load_json
from latent_hands.data.formats.mat_file import load_mat
from latent_hands.data.formats.safe_pickle import load_pickle
from latent_hands.errors import HandsError
from latent_hands.predictions import read_npz
from latent_hands.predictor import Hand
from latent_hands.runs.tensors import read_tensors

ROUNDS = int(os.environ.get("LATENT_HANDS_FUZZ", "20"))
LONG = (b"9" * 400, b"x" * 140_000, b"[" * 99)
TOKENS = (b"", b"\0", b"\xff" * 8, *LONG, b"-1", b"NaN", b'"', b"1e999", b"\xed\xa0")
RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (24, 32, 3)).astype(np.uint8)


def image(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, kind)
    return buffer.getvalue()


def matlab() -> bytes:
    buffer = io.BytesIO()
    savemat(buffer, {"handPara": RNG.normal(size=(3, 21, 4))}, do_compression=True)
    return buffer.getvalue()


def arrays() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, image=np.zeros(1, int), pose=np.zeros((1, 21, 3)), names=np.array(["a"]))
    return buffer.getvalue()


def labels() -> bytes:
    each = {"xyz": np.zeros((42, 3), np.float32), "uv_vis": np.zeros((42, 3)), "K": np.eye(3)}
    return pickle.dumps(dict.fromkeys(range(2), each), 3)


def hand() -> bytes:
    return model_hands(1)[0][0].to_json().encode()


def boxes() -> bytes:
    return json.dumps([{"file": "a.jpg", "boxes": [[1, 2, 30, 40]], "handedness": ["left"]}]).encode()


def experiment() -> bytes:
    return packaged_experiments()["estimation"].read_bytes()


FILES: dict[str, tuple[Callable[[], bytes], Callable[[Path], Any]]] = {
    "a.png": (lambda: image("PNG"), read_rgb),
    "a.jpg": (lambda: image("JPEG"), read_rgb),
    "a.gif": (lambda: image("GIF"), read_rgb),
    "a.tif": (lambda: image("TIFF"), read_rgb),
    "a.bmp": (lambda: image("BMP"), read_rgb),
    "a.webp": (lambda: image("WEBP"), read_rgb),
    "anno.pickle": (labels, load_pickle),
    "labels.json": (boxes, load_json),
    "boxes.json": (boxes, read_box_json),
    "boxes.csv": (
        lambda: b"file,x,y,width,height,handedness\na.jpg,1,2,30,40,left\nb.jpg,,,,,\n",
        read_box_csv,
    ),
    "persons.csv": (lambda: b"name,group\nfirst,a\nsecond,b\n", read_groups),
    "hand.json": (hand, lambda path: Hand.from_json(path.read_text("utf-8", "replace"))),
    "a.mat": (matlab, lambda path: load_mat(path, {"handPara": (3, 21, None)})),
    "a.npz": (arrays, read_npz),
    "a.toml": (experiment, load_experiment),
    "a.safetensors": (lambda: save({"a": torch.zeros(3)}, {"place": "{}"}), read_tensors),
}


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """Return the bytes with some replaced, a part cut out, repeated or exchanged, or a token put in."""
    start, end = sorted(rng.integers(0, len(data) + 1, 2).tolist())
    end = min(end, start + 64)
    token = TOKENS[rng.integers(len(TOKENS))]
    kind = rng.integers(5)
    if kind == 0:
        array = np.frombuffer(data, np.uint8).copy()
        array[rng.integers(0, len(data), 4)] = rng.integers(0, 256, 4)
        return array.tobytes()
    middle = (token, b"", data[start:end] * 9, data[start:end][::-1])[kind - 1]
    return data[:start] + middle + (data[end:] if kind != 2 else b"")


@pytest.mark.parametrize("name", FILES)
def test_damaged_files_raise_no_other_error(tmp_path: Path, name):
    make, read = FILES[name]
    path, good = tmp_path / name, make()
    rng = np.random.default_rng(list(name.encode()))
    path.write_bytes(good)
    if name != "a.npz":
        read(path)
    for _ in range(ROUNDS):
        path.write_bytes(damaged(good, rng))
        with suppress(HandsError), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of damaged metadata
            read(path)
