"""Command lines with any value of any option end with an exit code and a message: no other error.

The default run takes seconds. For hours: LATENT_HANDS_FUZZ=100000 pytest tests/fuzz
"""

import inspect
import json
import os
import shutil
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import numpy as np
import pytest
from PIL import Image
from posed_hands import posed_hands
from tiny_models import PLACEMENT, SYNTHESIS, noise_image, tiny_run

from latent_hands.cli import find_command, main
from latent_hands.data.readers.coco_hands import KEYPOINTS
from latent_hands.hand.skeleton import reorder

ROUNDS = int(os.environ.get("LATENT_HANDS_FUZZ", "3"))
NUMBERS = ("nan", "inf", "-inf", "1e999", "-1", "0", "0.5", "1e-320", "-0", "0x10", "\u0663")
HUGE = ("9" * 400, str(2**63))
TEXTS = ("", " ", "\u4e8c", "\udcff", "[red]", "x" * 300, "x" * 5000, "a\nb\x1b[31m", ".", "None", ",")
FOLDER, FILE, ABSENT = "FOLDER", "FILE", "absent/absent"
"""The values FOLDER and FILE stand for an existing folder and file."""
VALUES = (*NUMBERS, *HUGE, *TEXTS, FOLDER, FILE, ABSENT)
COMMANDS: dict[str, tuple[str, ...]] = {
    "estimate": ("IMAGE", "--run", "RUN", "--box", "5,5,40,40", "--draws", "2", "--out", "OUT"),
    "label": ("IMAGE", "OUT", "--teacher", "RUN", "--rotations", "1"),
    "evaluate": ("RUN", "--data", "coco", "--root", "SET", "--split", "training"),
    "check": ("--data", "coco", "--root", "SET", "--split", "training"),
    "prepare": ("OUT", "--data", "coco", "--root", "SET", "--split", "training", "--workers", "1"),
    "export": ("OUT", "--data", "coco", "--root", "SET", "--layout", "coco", "--workers", "1"),
    "synthesise": ("SYNTHESIS", "--pose", "IMAGE", "--content", "IMAGE", "--out", "OUT/a.png"),
    "transfer": ("SYNTHESIS", "--poses", "IMAGE", "--contents", "IMAGE", "--out", "OUT/a.png"),
    "walk": ("SYNTHESIS", "--start", "IMAGE", "--end", "IMAGE", "--factor", "pose", "--out", "OUT/a"),
    "sample": ("SYNTHESIS", "OUT", "--count", "2"),
    "benchmark": ("freihand", "--root", "SET", "--run", "RUN"),
    "runs calibrate": ("RUN", "--data", "coco", "--root", "SET", "--split", "training"),
}
"""Command -> arguments that end in no time. Names in capitals are things of the fixture `things`."""


def options(command: str) -> list[str]:
    """Return the options of a command that take a value."""
    found = []
    for name, parameter in inspect.signature(find_command(command)).parameters.items():
        kind = parameter.annotation
        kind = get_args(kind)[0] if get_origin(kind) is Annotated else kind
        if kind is not bool and parameter.default is not inspect.Parameter.empty and name != "overrides":
            found.append(f"--{name.replace('_', '-')}")
    return found


@pytest.fixture(scope="module")
def things(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return an image, a folder, two runs, and a COCO set."""
    folder = tmp_path_factory.mktemp("things")
    image, empty = folder / "hand.png", folder / "empty"
    Image.fromarray(noise_image()).save(image)
    empty.mkdir()
    runs = {"RUN": tiny_run(folder / "run", PLACEMENT), "SYNTHESIS": tiny_run(folder / "tags", SYNTHESIS)}
    return {"IMAGE": image, "FILE": image, "FOLDER": empty, "SET": coco_set(folder / "set")} | runs


def coco_set(root: Path) -> Path:
    """Write four hands as a COCO set, and return its folder."""
    (root / "annotations").mkdir(parents=True)
    (root / "training").mkdir()
    images, annotations = [], []
    for i, hand in enumerate(posed_hands(4)):
        Image.new("RGB", (240, 200), (90, 80, 70)).save(root / f"training/{i}.png")
        keypoints = np.column_stack([reorder(hand.uv_px, "rhd", "snap"), np.full(21, 2)]).ravel().tolist()
        images.append({"id": i, "file_name": f"{i}.png", "width": 240, "height": 200})
        own = {"side": hand.side, "K": hand.K.tolist()}
        own["xyz_mm"] = reorder(hand.xyz_mm, "rhd", "snap").tolist()
        annotations.append({"id": i, "image_id": i, "category_id": 1, "keypoints": keypoints} | own)
    categories = [{"id": 1, "name": "hand", "keypoints": list(KEYPOINTS)}]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (root / "annotations/training.json").write_text(json.dumps(content))
    return root


def run(arguments: list[str]) -> Any:
    try:
        return main(arguments)
    except SystemExit as error:  # of tyro
        return error.code


@pytest.mark.parametrize("command", COMMANDS)
def test_any_value_of_any_option_ends_with_a_code_and_a_message(
    command, things, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "out"
    named = things | {"OUT": out, "OUT.safetensors": tmp_path / "out.safetensors"}
    named |= {"OUT/a": out / "a", "OUT/a.png": out / "a.png"}
    given = [str(named.get(each, each)) for each in COMMANDS[command]]
    rng = np.random.default_rng(list(command.encode()))
    names = options(command)
    for _ in range(ROUNDS):
        name, value = names[rng.integers(len(names))], VALUES[rng.integers(len(VALUES))]
        code = run([*command.split(), *given, f"{name}={named.get(value, value)}"])
        error = capsys.readouterr().err
        assert code in (0, 1) or (code == 2 and error.strip()), (name, value)
        assert "Traceback" not in error, (name, value)
        shutil.rmtree(out, ignore_errors=True)
