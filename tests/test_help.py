"""Help, shipped models, renamed options and extensions of the command line."""

import json
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from command_line import fails
from PIL import Image
from tiny_models import noise_image

from latent_hands.api import experiments, models
from latent_hands.cli import COMMANDS, GROUPS, main, split_overrides
from latent_hands.cli.old_options import OLD_NAMES, OLD_OPTIONS, OLD_POSITIONALS
from latent_hands.data import READERS
from latent_hands.studies.reproduce import FIGURES


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
def test_help_breaks_lines_between_words(command: str, capsys: pytest.CaptureFixture, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    for line in help_of(command, capsys).partition("usage:")[0].splitlines():
        assert len(line) <= 60 or line.startswith("$") or " " not in line


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
