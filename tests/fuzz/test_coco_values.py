"""COCO files with any value at any place are read, or refused by HandsError: no other error.

The default run takes seconds. For hours: LATENT_HANDS_FUZZ=100000 pytest tests/fuzz
"""

import copy
import json
import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from latent_hands.data import open_data
from latent_hands.data.checks import check_labels
from latent_hands.data.crops import build_windows
from latent_hands.data.formats.box_json import read_box_json
from latent_hands.data.readers.coco_hands import KEYPOINTS
from latent_hands.errors import HandsError

ROUNDS = int(os.environ.get("LATENT_HANDS_FUZZ", "20"))
RNG = np.random.default_rng(0)
UV_PX = np.column_stack([RNG.uniform(4, 60, (21, 2)), np.full(21, 2)])
HAND = UV_PX.ravel().tolist()
HUGE = (10**400, -(10**400), 2**63, 1e308, -1e308, 10**18)
NUMBERS = (float("nan"), float("inf"), -1, 0, 0.5, 1e-320, True, *HUGE)
TEXTS = ("", "\u0660", "\ud800", "../../a.png", "/", "a\nb\x1b[31m", "[red]", "x" * 10_000, "1e999")
VALUES = (*NUMBERS, *TEXTS, None, [], {}, [[]], {"": None}, [None] * 63, [[[0.0]]] * 21)


def plain() -> dict[str, Any]:
    each = {"id": 3, "image_id": 7, "category_id": 1, "keypoints": HAND, "num_keypoints": 21}
    box = {"bbox": [4, 4, 56, 56], "area": 3136.0, "iscrowd": 0, "attributes": {"side": "left"}}
    return _file([each | box, each | {"id": 4, "side": "right"}])


def exported() -> dict[str, Any]:
    xyz_mm = (RNG.normal(size=(21, 3)) * 30 + [0, 0, 500]).tolist()
    K = [[300.0, 0, 31.5], [0, 300, 31.5], [0, 0, 1]]
    own = {
        "side": "left",
        "xyz_mm": xyz_mm,
        "K": K,
        "convention": "rhd",
        "weight": 0.5,
        "palm_mm": [0, 0, 500.0],
    }
    return _file([{"id": 3, "image_id": 7, "category_id": 1, "keypoints": HAND} | own])


def whole_body() -> dict[str, Any]:
    hands = {"lefthand_kpts": HAND, "righthand_kpts": HAND, "lefthand_valid": True, "righthand_valid": True}
    return _file([{"id": 3, "image_id": 7, "category_id": 1, "keypoints": [0] * 51} | hands])


def _file(annotations: list[dict[str, Any]]) -> dict[str, Any]:
    image = {"id": 7, "file_name": "photo.png", "width": 64, "height": 64}
    category = {"id": 1, "name": "hand", "keypoints": list(KEYPOINTS), "skeleton": [[1, 2]]}
    return {"images": [image], "annotations": annotations, "categories": [category]}


def places(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the keys that lead to each value inside a JSON value."""
    for key, each in value.items() if isinstance(value, dict) else enumerate(value):
        yield (*above, key)
        if isinstance(each, dict | list):
            yield from places(each, (*above, key))


def changed(content: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """Return the content with a value replaced, removed, or repeated. Each depth is as probable."""
    content = copy.deepcopy(content)
    every = list(places(content))
    depth = rng.choice(sorted({len(place) for place in every}))
    some = [place for place in every if len(place) == depth]
    *above, last = some[rng.integers(len(some))]
    parent = content
    for key in above:
        parent = parent[key]
    kind = rng.integers(8)
    if kind == 0:
        del parent[last]
    elif kind == 1 and isinstance(parent, list):
        parent += [parent[last]] * 3
    else:
        parent[last] = VALUES[rng.integers(len(VALUES))]
    return content


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "annotations").mkdir()
    (tmp_path / "training").mkdir()
    Image.new("RGB", (64, 64), (90, 80, 70)).save(tmp_path / "training/photo.png")
    monkeypatch.setattr(logging.getLogger("latent_hands"), "disabled", True)
    return tmp_path


@pytest.mark.parametrize("make", [plain, exported, whole_body])
@pytest.mark.parametrize("record", [False, True])
def test_any_value_at_any_place_gives_hands_or_one_line(root: Path, make, record):
    path, rng, given = root / "annotations/training.json", np.random.default_rng(record), make()
    if record:
        (root / "export.json").write_text('{"layout": "coco", "convention": "rhd"}')
    for _ in range(ROUNDS):
        path.write_text(json.dumps(changed(given, rng)))
        with suppress(HandsError):
            samples = open_data("coco", root, "training")
            check_labels(build_windows(samples, window_px=16))
        with suppress(HandsError):
            read_box_json(path)
