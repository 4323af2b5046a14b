"""Command lines with any value of any option end with an exit code and a message: no other error.

The long work of some commands is replaced by `begin`: they refuse what they must refuse before it.
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
from tiny_models import ESTIMATION, NETWORKS, PLACEMENT, SYNTHESIS, noise_image, tiny_experiment, tiny_run

from latent_hands.cli import find_command, main
from latent_hands.data.readers.coco_hands import KEYPOINTS
from latent_hands.hand.skeleton import reorder
from latent_hands.typed_toml import to_table

ROUNDS = int(os.environ.get("LATENT_HANDS_FUZZ", "3"))
NUMBERS = ("nan", "inf", "-inf", "1e999", "-1", "0", "0.5", "1e-320", "-0", "0x10", "\u0663")
HUGE = ("9" * 400, str(2**63))
TEXTS = (
    "",
    " ",
    "\u4e8c",
    "\udcff",
    "[red]",
    "x" * 300,
    "x" * 5000,
    "a\nb\x1b[31m",
    "a\0b",
    ".",
    "None",
    ",",
)
DATA = """
[data]
name = "coco"
root = "{root}"
crop_px = 32
window_px = 32
convention = "rhd_bones"
[training]
batch_size = 4
"""
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
    "render": ("OUT", "--count", "8"),
    "train": ("EXPERIMENT", "--out", "OUT"),
    "fine-tune": (
        *("RUN", "--data", "coco", "--root", "SET", "--split", "training", "--out", "OUT"),
        *("--held-out", "0.5", "--convention", "rhd_bones"),
    ),
    "reproduce": ("fig7", "--out", "OUT", "--count", "256"),
    "assess": ("SYNTHESIS", "--root", "SET", "--estimator", "ESTIMATION"),
    "retarget": ("OUT.safetensors", "--data", "coco", "--root", "SET"),
    "conventions fit": ("--data", "coco", "--root", "SET"),
    "conventions draw": ("--out", "OUT/a.png"),
    "conventions relabel": ("SET", "OUT", "--convention", "stb"),
}
"""Command -> arguments that end in no time. Names in capitals are things of the fixture `things`."""
WORK = {
    "render": "rendering.sets.set_writer._write_portion",
    "train": "training.run.Run.updates",
    "fine-tune": "studies.fine_tuning.scores_of",
    "reproduce": "rendering.sets.dataset.render_dataset",
    "assess": "studies.assess.open_benchmark",
    "retarget": "rendering.retarget.retarget",
    "conventions fit": "hand.fitting._fit_moves",
    "conventions draw": "studies.joint_conventions._page",
}
"""Command -> the function of its long work."""
BEGAN = "the long work began"
REFUSED = (
    (f"render OUT --count {HUGE[0]}", "it must be at most 10,000,000: render several sets"),
    (f"render OUT --evaluation-count {HUGE[1]}", "it must be at most 10,000,000: render several sets"),
    (f"render OUT --moving --frames {HUGE[0]}", "last longer than 600 s"),
    ("render OUT --workers 100000", "workers is 100000; it must be between 1 and 1,024"),
    (f"train EXPERIMENT --training.learning-rate {HUGE[0]}", "numbers must be below 1.8e308"),
    ("train EXPERIMENT --data.root \udcff", "data.root is \\udcff, which is not a text in UTF-8"),
    ("fine-tune --learning-rate nan", "learning_rate is nan; it must be between 1e-08 and 10.0"),
    ("fine-tune --seed -1", "seed is -1; it must be between 0 and"),
    ("fine-tune --updates 0", "updates is 0; it must be between 1 and 1000000"),
    ("fine-tune --out FILE", "hand.png is a file; give a folder for the outputs"),
    (f"reproduce fig7 --count {HUGE[1]}", "it must be between 256 and 10,000,000"),
    ("reproduce fig7 --shares 50", "fig7 has no shares of labels"),
    ("reproduce all --shares 0", "a share of labelled hands is 0 %; it must be from 1 to 100"),
    ("assess --draws 1", "draws is 1; it must be between 2 and 1,000"),
    ("assess --epochs 0", "epochs is 0; it must be between 1 and 10,000"),
    ("assess --judge FOLDER", "empty is a folder; give the name of a file"),
    ("assess --out FILE", "hand.png is a file; give a folder for the outputs"),
    ("conventions fit --penalty nan", "penalty is nan; it must be between 0 and 1000"),
    ("conventions fit --order stp", 'unknown joint order "stp"; did you mean "stb"?'),
    ("conventions draw --out FOLDER", "empty is a folder; give the name of a file"),
)
"""Command lines, and what they answer before any work. Options alone continue the lines of `COMMANDS`."""


def options(command: str) -> list[str]:
    """Return the options of a command that take a value, and the settings of an experiment for `train`."""
    found = []
    for name, parameter in inspect.signature(find_command(command)).parameters.items():
        kind = parameter.annotation
        kind = get_args(kind)[0] if get_origin(kind) is Annotated else kind
        if kind is not bool and parameter.default is not inspect.Parameter.empty and name != "overrides":
            found.append(f"--{name.replace('_', '-')}")
    if command == "train":
        sections = to_table(tiny_experiment(ESTIMATION)).items()
        found += [f"--{section}.{key}" for section, values in sections for key in values]
    return found


@pytest.fixture(scope="module")
def things(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return an image, a folder, three runs, an experiment, and a COCO set."""
    folder = tmp_path_factory.mktemp("things")
    image, empty = folder / "hand.png", folder / "empty"
    Image.fromarray(noise_image()).save(image)
    empty.mkdir()
    graphs = {"RUN": PLACEMENT, "SYNTHESIS": SYNTHESIS, "ESTIMATION": ESTIMATION}
    runs = {name: tiny_run(folder / name.lower(), graph) for name, graph in graphs.items()}
    (folder / "tiny.toml").write_text(ESTIMATION + NETWORKS + DATA.format(root=folder / "set"))
    experiment = {"EXPERIMENT": folder / "tiny.toml"}
    return (
        {"IMAGE": image, "FILE": image, "FOLDER": empty, "SET": coco_set(folder / "set")} | runs | experiment
    )


def coco_set(root: Path) -> Path:
    """Write 16 hands as both splits of a COCO set, and return its folder."""
    (root / "annotations").mkdir(parents=True)
    (root / "training").mkdir()
    images, annotations = [], []
    for i, hand in enumerate(posed_hands(16)):
        Image.new("RGB", (240, 200), (90, 80, 70)).save(root / f"training/{i}.png")
        keypoints = (
            np.column_stack([reorder(hand.uv_px, "rhd", "mediapipe"), np.full(21, 2)]).ravel().tolist()
        )
        images.append({"id": i, "file_name": f"{i}.png", "width": 240, "height": 200})
        own = {"side": hand.handedness, "K": hand.K.tolist()}
        own["xyz_mm"] = reorder(hand.xyz_mm, "rhd", "mediapipe").tolist()
        annotations.append({"id": i, "image_id": i, "category_id": 1, "keypoints": keypoints} | own)
    categories = [{"id": 1, "name": "hand", "keypoints": list(KEYPOINTS)}]
    content = {"images": images, "annotations": annotations, "categories": categories}
    for split in ("training", "evaluation"):
        (root / f"annotations/{split}.json").write_text(json.dumps(content))
    (root / "evaluation").symlink_to("training")
    return root


def begin(*_: object, **__: object) -> None:
    raise KeyboardInterrupt(BEGAN)


def run(arguments: list[str]) -> Any:
    try:
        return main(arguments)
    except SystemExit as error:  # of tyro
        return error.code


@pytest.fixture
def named(things, tmp_path, monkeypatch):
    """Return things and places by name. The working directory is an empty one."""
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "out"
    places = {"OUT": out, "OUT.safetensors": tmp_path / "out.safetensors"}
    return things | places | {"OUT/a": out / "a", "OUT/a.png": out / "a.png"}


@pytest.mark.parametrize(("line", "message"), REFUSED)
def test_settings_that_cannot_be_used_are_refused_before_the_work(line, message, named, capsys, monkeypatch):
    command = next(each for each in COMMANDS if line.startswith(f"{each} "))
    monkeypatch.setattr(f"latent_hands.{WORK[command]}", begin)
    words = line.removeprefix(command).split()
    given = [*COMMANDS[command], *words] if words[0].startswith("--") else words
    assert run([*command.split(), *(str(named.get(each, each)) for each in given)]) == 2
    assert message in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("command", COMMANDS)
def test_any_value_of_any_option_ends_with_a_code_and_a_message(command, named, capsys, monkeypatch):
    if command in WORK:
        monkeypatch.setattr(f"latent_hands.{WORK[command]}", begin)
    given = [str(named.get(each, each)) for each in COMMANDS[command]]
    rng = np.random.default_rng(list(command.encode()))
    names = options(command)
    for _ in range(ROUNDS):
        name, value = names[rng.integers(len(names))], VALUES[rng.integers(len(VALUES))]
        code = run([*command.split(), *given, f"{name}={named.get(value, value)}"])
        error = capsys.readouterr().err
        assert code in (0, 1, 130 if command in WORK else 0) or (code == 2 and error.strip()), (name, value)
        assert "Traceback" not in error, (name, value)
        shutil.rmtree(named["OUT"], ignore_errors=True)
        named["FOLDER"].mkdir(exist_ok=True)  # a command removes an empty folder that it did not use
