"""The commands as they are typed: results, help, and one line with exit code 2 for mistakes."""

import json
import re
import subprocess
import sys
import tomllib
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_models import ESTIMATION, PX, SYNTHESIS, noise_image, tiny_run

from latent_hands.api import experiments, models
from latent_hands.cli import COMMANDS, GROUPS, main, split_overrides
from latent_hands.cli.old_options import OLD_NAMES, OLD_OPTIONS, OLD_POSITIONALS
from latent_hands.cli.sources import find_samples, name_files, parse_box, samples_of
from latent_hands.data import READERS, read_rgb
from latent_hands.errors import HandsError
from latent_hands.hand.conventions import CONVENTIONS
from latent_hands.hand.rig.proportions import mean_hand
from latent_hands.hand.skeleton import reorder
from latent_hands.studies.reproduce import FIGURES


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    for name, graph in (("estimation", ESTIMATION), ("synthesis", SYNTHESIS)):
        tiny_run(folder / name, graph)
    for seed, name in enumerate(("a.png", "b.png")):
        Image.fromarray(noise_image(seed=seed)).save(folder / name)
    (folder / "short.png").write_bytes((folder / "a.png").read_bytes()[:300])
    return folder


def fails(capsys: pytest.CaptureFixture, *arguments: object) -> str:
    """The one line that a mistaken command line is answered with."""
    assert main([str(argument) for argument in arguments]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("latent-hands: ")
    assert captured.err.count("\n") == 1
    return captured.err


def test_estimates_are_written_and_printed(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    facts = ["--handedness", "right", "--box", "10,6,44,40", "--bone-mm", "44"]
    options = [*facts, "--out", str(tmp_path), "--json"]
    images = [str(runs / "a.png"), str(runs / "b.png")]
    assert main(["estimate", *images, "--run", str(runs / "estimation"), *options]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert [hand["handedness"] for hand in printed] == ["right", "right"]
    assert printed[:1] == json.loads((tmp_path / "a.json").read_text())
    assert (printed[0]["bone_mm"], printed[0]["bone_mm_assumed"]) == (44, False)
    assert read_rgb(tmp_path / "b.png").shape[1] >= 640


def test_images_are_made_from_files_and_from_estimates(runs: Path, tmp_path: Path):
    a, b, run = str(runs / "a.png"), str(runs / "b.png"), str(runs / "synthesis")
    box = ["--box", "10,6,44,40"]
    assert main(["estimate", str(runs / "estimation"), a, *box, "--out", str(tmp_path)]) == 0
    out = tmp_path / "new" / "image.png"
    assert (
        main(["synthesise", run, "--pose", str(tmp_path / "a.json"), "--content", b, "--out", str(out)]) == 0
    )
    assert read_rgb(out).shape == (PX, PX, 3)
    grid = tmp_path / "grid.png"
    assert main(["transfer", run, "--poses", a, b, "--contents", b, "--out", str(grid)]) == 0
    assert read_rgb(grid).shape[0] > 3 * 160
    walk = ["walk", run, "--factor", "pose", "--start", a, "--end", b, "--steps", "3"]
    assert main([*walk, "--out", str(tmp_path / "w")]) == 0
    assert {path.name for path in tmp_path.glob("w.*")} == {"w.png", "w.gif"}


def test_runs_are_made_from_runs(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    run = str(runs / "estimation")
    for command in ("average", "join"):
        out = str(tmp_path / command)
        assert main(["runs", command, run, run, "--out", out]) == 0
        assert capsys.readouterr().out == f"{out}\n"
        estimate = ["estimate", out, str(runs / "a.png"), "--box", "10,6,44,40"]
        assert main([*estimate, "--out", str(tmp_path)]) == 0
        capsys.readouterr()
    out = str(tmp_path / "small")
    assert main(["runs", "shrink", run, "--out", out]) == 0
    assert re.fullmatch(rf"{re.escape(out)}: \d+\.\d MB\n", capsys.readouterr().out)
    assert "is not empty: choose a new folder" in fails(capsys, "runs", "shrink", run, "--out", out)


def test_a_convention_is_fitted_to_points(tmp_path: Path, capsys: pytest.CaptureFixture):
    np.save(tmp_path / "points.npy", reorder(mean_hand()[:4, :21], "rhd", "snap"))
    fit = ["conventions", "fit", "--data", "mine", "--root", str(tmp_path / "points.npy"), "--penalty", "1"]
    assert main(fit) == 0
    comments, table = capsys.readouterr().out.split("\n\n", 1)
    assert {line.split(":")[0] for line in comments.splitlines()} == {f"# {name}" for name in CONVENTIONS}
    assert tomllib.loads(table)["mine"]["hands"] == 4
    assert main([*fit, "--json"]) == 0
    numbers = json.loads(capsys.readouterr().out)
    assert numbers["fitted"]["hands"] == 4
    assert numbers["misfits"]["anatomical"]["bones"] < 0.05


def test_mistakes_are_one_line(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    a, run = runs / "a.png", runs / "estimation"
    assert 'did you mean "estimate"' in fails(capsys, "estmate")
    assert "--root DIR" in fails(capsys, "estimate", run, "--data", "rhd")
    assert "no data set folder" in fails(
        capsys, "evaluate", run, "--data", "rhd", "--root", tmp_path / "none"
    )
    assert 'did you mean "rhd"' in fails(capsys, "evaluate", run, "--data", "rdh", "--root", tmp_path)
    assert "is not a run folder" in fails(capsys, "estimate", a, "--run", tmp_path)
    assert "no shipped model" in fails(capsys, "estimate", a, "--run", "nosuch")
    assert "short.png" in fails(capsys, "estimate", run, runs / "short.png")
    assert "no image file or folder at nosuch" in fails(capsys, "estimate", "nosuch", a)
    assert "no image file or folder" in fails(capsys, "estimate", run, tmp_path / "none.png")
    assert "give images, videos or a camera, or --data NAME" in fails(capsys, "estimate", run)
    assert "x,y,width,height" in fails(capsys, "estimate", run, a, "--box", "1,2,3")
    assert "lies outside the image" in fails(capsys, "estimate", run, a, "--box", "900,2,3,4")
    assert "bone_mm is -1" in fails(capsys, "estimate", run, a, "--bone-mm", "-1")
    assert "no decoder writes rgb" in fails(capsys, "synthesise", run, "--pose", a, "--content", a)
    assert 'did you mean "pose"' in fails(capsys, "walk", run, "--factor", "psoe", "--start", a, "--end", a)
    rdh, rhd = (["--data", name, "--root", tmp_path] for name in ("rdh", "rhd"))
    assert 'did you mean "rhd"' in fails(capsys, "prepare", tmp_path / "store", *rdh)
    assert 'did you mean "rhd"' in fails(capsys, "export", tmp_path / "out", *rdh, "--layout", "coco")
    assert "is not a packed store" in fails(capsys, "prepare", runs, *rhd)
    assert "is not a packed store" in fails(capsys, "prepare", tmp_path / "store", *rhd, "--verify")
    assert "count is -1" in fails(capsys, "render", tmp_path / "new", "--count", "-1")
    assert "count is 3" in fails(capsys, "demo", "--out", tmp_path / "demo", "--count", "3")
    assert 'unknown key "batch_sise"; did you mean "batch_size"' in fails(
        capsys, "train", "demo_estimation", "--training.batch-sise", "3", "--out", tmp_path / "run"
    )
    assert 'did you mean "estimation"' in fails(capsys, "train", "estmation", "--out", tmp_path / "run")
    assert f"no file my.toml in {tmp_path}; packaged experiments: " in fails(
        capsys, "train", tmp_path / "my.toml"
    )
    (tmp_path / "rhd" / "evaluation" / "color").mkdir(parents=True)
    assert f"is the root {tmp_path / 'rhd'}?" in fails(
        capsys, "evaluate", run, "--data", "rhd", "--root", tmp_path / "rhd" / "evaluation"
    )


def test_broken_files_of_hands_are_named(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    (tmp_path / "hand.json").write_text("{}")
    options = ["--pose", tmp_path / "hand.json", "--content", runs / "a.png"]
    assert "hand.json: not the JSON of a hand" in fails(capsys, "synthesise", runs / "synthesis", *options)


def test_debug_shows_where_an_error_was_raised():
    with pytest.raises(HandsError, match="unknown command"):
        main(["--debug", "nosuch"])


def test_an_interrupt_is_one_line_and_exit_code_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("latent_hands.studies.demo.run_demo", interrupted)
    assert main(["demo"]) == 130
    assert capsys.readouterr().err == "latent-hands: interrupted\n"


def test_unprintable_names_are_escaped(tmp_path: Path, capsys: pytest.CaptureFixture):
    """On Linux the bytes of a file name need not be text."""
    assert "\\udcff" in fails(capsys, "train", f"{tmp_path}/\udcff.toml")


def help_of(command: str, capsys: pytest.CaptureFixture) -> str:
    with pytest.raises(SystemExit) as stopped:
        main([*command.split(), "--help"])
    assert stopped.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_examples_and_names_the_output(command: str, capsys: pytest.CaptureFixture):
    text = help_of(command, capsys)
    assert f"$ latent-hands {command}" in text
    assert "\nOutput: " in text


@pytest.mark.parametrize("command", COMMANDS)
def test_help_explains_every_option(command: str, capsys: pytest.CaptureFixture):
    box = help_of(command, capsys).partition("╭")[2]
    texts = [line.strip("│ ") for line in box.splitlines()]
    for line, following in pairwise(texts):
        if line.startswith("--"):
            explanation = line.partition("  ")[2].strip() or following
            assert re.match(r"[\w[]", explanation), f"{line} is not explained"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_uses_no_old_spelling(command: str, capsys: pytest.CaptureFixture):
    words = help_of(command, capsys).split()
    assert not OLD_OPTIONS.get(command, {}).keys() & set(words)


def test_help_names_every_data_set(capsys: pytest.CaptureFixture):
    words = help_of("evaluate", capsys).replace(",", " ").replace(".", " ").split()
    assert set(READERS) <= set(words)


def test_the_overview_names_every_command_and_purpose(capsys: pytest.CaptureFixture):
    for arguments in ([], ["--help"], ["-h"]):
        assert main(arguments) == 0
        text = capsys.readouterr().out
        assert all(f"  {command} " in text for command in COMMANDS)
        assert all(f"\n{purpose}:" in text for purpose in GROUPS)
        assert max(map(len, text.splitlines())) <= 105


def test_shipped_models_and_experiments_are_listed(capsys: pytest.CaptureFixture):
    assert main(["models"]) == 0
    text = capsys.readouterr().out
    assert all(f"  {name} " in text for name in (*models(), *experiments()))
    assert main(["models", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"models": models(), "experiments": experiments()}


def test_a_group_lists_its_commands(capsys: pytest.CaptureFixture):
    for arguments in (["runs"], ["runs", "--help"]):
        assert main(arguments) == 0
        text = capsys.readouterr().out
        assert all(f"  {command} " in text for command in COMMANDS if command.startswith("runs "))
    assert 'did you mean "average"' in fails(capsys, "runs", "avrage")
    assert 'did you mean "runs"' in fails(capsys, "run")


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"], ["estimate", "--help"], ["evaluate", "--no-such-option"], ["nosuch"]],
    ids=" ".join,
)
def test_help_and_mistakes_answer_without_torch(arguments: list[str]):
    code = f"""
import sys
from latent_hands.cli import main
try:
    main({arguments})
except SystemExit:
    pass
print({{"torch", "scipy", "matplotlib", "accelerate"}} & sys.modules.keys())
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "set()"


def rows(table: dict[str, dict[str, str]]) -> list[tuple[str, str, str]]:
    return [(command, old, new) for command, renamed in table.items() for old, new in renamed.items()]


@pytest.mark.parametrize(("command", "old", "new"), rows(OLD_OPTIONS))
def test_an_old_option_names_the_new_one(command: str, old: str, new: str, capsys: pytest.CaptureFixture):
    error = f"latent-hands: {old} was renamed: use {new}\n"
    for typed in (old, f"{old}=1", old[:2] + old[2:].replace("-", "_")):
        assert fails(capsys, *command.split(), "name", typed, "1") == error
    assert new.startswith("--")
    assert new in help_of(command, capsys)


@pytest.mark.parametrize(("command", "old", "new"), rows(OLD_NAMES))
def test_an_old_name_names_the_new_one(command: str, old: str, new: str, capsys: pytest.CaptureFixture):
    assert fails(capsys, command, old) == f"latent-hands: {old} was renamed: use {new}\n"
    assert new in (FIGURES if command == "reproduce" else experiments())


@pytest.mark.parametrize("command", OLD_POSITIONALS)
def test_an_old_positional_data_set_names_the_options(command: str, capsys: pytest.CaptureFixture):
    error = fails(capsys, command, "rhd", "RHD", "out", "--limit", "3")
    assert error.endswith("use --data rhd --root RHD\n")


@pytest.mark.parametrize("command", ["check", "prepare", "export", "retarget", "evaluate"])
def test_a_data_set_is_required(command: str, capsys: pytest.CaptureFixture):
    with pytest.raises(SystemExit) as stopped:
        main([command])
    assert stopped.value.code == 2
    printed = capsys.readouterr().err
    assert "--data NAME" in printed
    assert "--root DIR" in printed


def test_extensions_are_imported_before_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(READERS, "_things", dict(READERS))
    lines = ["from latent_hands.data import READERS", "READERS.register('mine', READERS['images'])"]
    (tmp_path / "mine.py").write_text("\n".join(lines))
    Image.fromarray(noise_image()).save(tmp_path / "a.png")
    check = ["check", "--data", "mine", "--root", str(tmp_path)]
    assert 'unknown data set "mine"' in fails(capsys, *check)
    assert main(["--import", str(tmp_path / "mine.py"), *check]) == 0
    assert main([*check, f"--import={tmp_path / 'mine.py'}", "--import", "json"]) == 0


def test_an_extension_is_executed_once(tmp_path: Path):
    (tmp_path / "counting.py").write_text("from pathlib import Path\nPath(__file__ + '.ran').mkdir()")
    file = str(tmp_path / "counting.py")
    assert main(["--import", file, "--import", file, "--version"]) == 0
    assert main(["--import", file, "--version"]) == 0


def test_a_broken_extension_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture):
    (tmp_path / "broken.py").write_text("raise KeyError('x')")
    assert "broken.py failed: KeyError" in fails(capsys, "--import", tmp_path / "broken.py", "--version")
    assert "none.py failed: FileNotFoundError" in fails(capsys, "--import", tmp_path / "none.py", "--version")
    assert "nosuch failed: ModuleNotFoundError" in fails(capsys, "--version", "--import", "nosuch")
    assert "--import needs the name" in fails(capsys, "--version", "--import")


def test_overrides_stand_apart_from_options():
    arguments = ["my.toml", "--training.batch-size", "64", "--out", "runs/x", "--data.root=hands", "--resume"]
    assert split_overrides(arguments) == (
        ["my.toml", "--out", "runs/x", "--resume"],
        ("--training.batch-size", "64", "--data.root=hands"),
    )


def test_boxes_are_four_numbers():
    assert parse_box("1,2.5,30,40") == (1.0, 2.5, 30.0, 40.0)


def test_what_is_read_is_never_overwritten(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    """Not by the name of its estimate, nor through a link to its folder, nor by any other command."""
    photos, link = tmp_path / "photos", tmp_path / "link"
    photos.mkdir()
    link.symlink_to(photos)
    photo, run = photos / "0.png", runs / "synthesis"
    photo.write_bytes((runs / "a.png").read_bytes())
    ends = ["--data", "images", "--root", photos]
    for mistaken in (
        ["estimate", runs / "estimation", photos, "--out", photos],
        ["estimate", runs / "estimation", photo, "--out", link],
        ["estimate", runs / "estimation", *ends, "--out", photos],
        ["synthesise", run, "--pose", photo, "--content", runs / "b.png", "--out", photo],
        ["synthesise", run, "--pose", "0", "--content", "0", *ends, "--out", photo],
        ["transfer", run, "--poses", runs / "b.png", "--contents", photo, "--out", link / "0.png"],
        ["walk", run, "--factor", "pose", "--start", photo, "--end", runs / "b.png", "--out", photos / "0"],
    ):
        assert "0.png is an input and would be overwritten" in fails(capsys, *mistaken)
    error = fails(capsys, "estimate", runs / "estimation", runs / "b.png", "--out", photo)
    assert "0.png is a file; --out must be in a folder" in error
    assert photo.read_bytes() == (runs / "a.png").read_bytes()
    assert [path.name for path in photos.iterdir()] == ["0.png"]


def test_every_file_has_a_name_of_its_own():
    def named(*paths: str) -> list[str]:
        names = name_files(map(Path, paths))
        assert list(names.values()) == list(map(Path, paths))
        return list(names)

    assert named("x/0.png", "/y/1.png") == ["0", "1"]
    assert named("0.png", "0.jpg") == ["0.png", "0.jpg"]
    assert named("a/x/0.png", "b/x/0.png", "/b/y/0.png") == ["a-x-0.png", "b-x-0.png", "y-0.png"]
    assert named("a/0.png", "b/0.png", "a-0.png.jpg") == ["a-0.png", "b-0.png", "a-0.png.jpg"]


def test_samples_are_chosen_by_number_or_name(tmp_path: Path):
    names = {"stb": ["B1Counting_SK_color_0", "B1Counting_SK_color_1"], "rhd": ["00003", "00012"]}
    for folder, stems in names.items():
        (tmp_path / folder).mkdir()
        for stem in stems:
            Image.fromarray(noise_image()).save(tmp_path / folder / f"{stem}.png")

    def chosen(folder: str, *texts: str) -> list[str]:
        found = find_samples("images", tmp_path / folder, "evaluation", texts)
        assert found == samples_of("images", tmp_path / folder, "evaluation", texts)
        return [sample.name for sample in found]

    assert chosen("rhd", "12", "00003") == ["00012", "00003"]
    assert chosen("stb", "B1Counting_SK_color_1") == ["B1Counting_SK_color_1"]
    with pytest.raises(HandsError, match=r'no image "1" .* by name: B1Counting_SK_color_0'):
        chosen("stb", "1")
    with pytest.raises(HandsError, match=r'no image "4" .* by number: 00003'):
        chosen("rhd", "4")
