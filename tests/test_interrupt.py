"""Signals: each is one request to stop, and nothing is left of what they interrupt."""

import signal
import subprocess
import sys
import tomllib
from pathlib import Path
from unittest.mock import Mock

import pytest

from latent_hands import cli, interrupt
from latent_hands.interrupt import STOPPING, exit_code, on_interrupt, stopping_signals, uninterrupted
from latent_hands.lock import one_writer


@pytest.mark.parametrize("number", STOPPING)
def test_the_first_signal_is_noted_and_the_second_one_raises(number, monkeypatch):
    before = signal.getsignal(number)
    monkeypatch.setattr(interrupt, "ONE_REQUEST_S", -1.0)
    with on_interrupt() as event:
        signal.raise_signal(number)
        assert event.is_set()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
    assert signal.getsignal(number) is before
    assert exit_code() == 128 + number


def test_signals_of_a_launcher_and_of_its_group_are_one_request():
    with on_interrupt() as event:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.raise_signal(number)
    assert event.is_set()
    assert exit_code() == 130


def test_a_signal_that_the_program_was_told_to_ignore_is_ignored():
    """`nohup` ignores SIGHUP."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stopping_signals(), on_interrupt() as event:
            signal.raise_signal(signal.SIGHUP)
        assert not event.is_set()
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_command_has_the_exit_code_of_its_signal(number, code, monkeypatch, capsys):
    monkeypatch.setattr(cli, "_dispatch", lambda _: signal.raise_signal(number))
    assert cli.main(["models"]) == code
    assert capsys.readouterr().err == "latent-hands: interrupted\n"


def test_the_exit_code_does_not_depend_on_the_commands_before(monkeypatch):
    monkeypatch.setattr(cli, "_dispatch", lambda _: signal.raise_signal(signal.SIGTERM))
    assert cli.main(["models"]) == 143
    monkeypatch.setattr(cli, "_dispatch", Mock(side_effect=KeyboardInterrupt))
    assert cli.main(["models"]) == 130


def test_an_error_that_a_library_makes_of_an_interruption_is_an_interruption(monkeypatch, capsys):
    def work(_):
        try:
            signal.raise_signal(signal.SIGTERM)
        except KeyboardInterrupt as error:
            raise ValueError("could not determine the shape") from error

    monkeypatch.setattr(cli, "_dispatch", work)
    assert cli.main(["models"]) == 143
    assert capsys.readouterr().err == "latent-hands: interrupted\n"


@pytest.mark.parametrize("number", STOPPING)
@pytest.mark.parametrize("change", ["mkdir", "rmdir"])
def test_a_signal_while_a_folder_is_made_or_removed_leaves_no_folder(number, change, tmp_path, monkeypatch):
    original = getattr(Path, change)

    def interrupted(path: Path, *args, **kwargs):
        if change == "rmdir":
            signal.raise_signal(number)
        original(path, *args, **kwargs)
        signal.raise_signal(number)

    monkeypatch.setattr(Path, change, interrupted)
    with pytest.raises(KeyboardInterrupt), stopping_signals(), one_writer(tmp_path / "run"):
        assert change == "rmdir"
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_at_every_instant_leaves_no_file_and_no_folder(tmp_path: Path):
    script = Path(__file__).with_name("every_instant.py")
    done = subprocess.run([sys.executable, str(script), str(tmp_path)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("instants") == 2


def test_an_uninterrupted_block_ends_before_its_signal_is_handled():
    done = []

    def work() -> None:
        with uninterrupted:
            with uninterrupted:
                signal.raise_signal(signal.SIGTERM)
                done.append(1)
            done.append(2)
        done.append(3)

    with pytest.raises(KeyboardInterrupt), stopping_signals():
        work()
    assert done == [1, 2]
    assert exit_code() == 143


def test_two_signals_at_once_are_one_request(monkeypatch):
    """`timeout` sends SIGTERM twice: the second one must not interrupt what the first one lets clean up."""
    cleaned = []

    def work() -> None:
        with stopping_signals():
            try:
                signal.raise_signal(signal.SIGTERM)
            finally:
                signal.raise_signal(signal.SIGTERM)
                cleaned.append(True)

    with pytest.raises(KeyboardInterrupt):
        work()
    monkeypatch.setattr(interrupt, "ONE_REQUEST_S", -1.0)
    with pytest.raises(KeyboardInterrupt):
        work()
    assert cleaned == [True]


SIGNAL_WHILE_IMPORTING = """
import os, runpy, sys

number, module = sys.argv[1:]
sys.argv = ["latent-hands", "models"]

class Finder:
    def find_spec(name, *_):
        if name == module:
            exec(f"os.kill(os.getpid(), {number})")

sys.meta_path.insert(0, Finder)
runpy.run_module("latent_hands", run_name="__main__", alter_sys=True)
"""


EARLY_AND_LATER = [*((number, "latent_hands.cli") for number in STOPPING), (signal.SIGTERM, "tyro")]


@pytest.mark.parametrize(("number", "module"), EARLY_AND_LATER)
def test_a_signal_during_the_imports_of_a_command_ends_it_with_its_code_and_one_line(number, module):
    """The texts that dataclasses let `exec` run are no exception: Python kills the process after them."""
    command = [sys.executable, "-c", SIGNAL_WHILE_IMPORTING, str(int(number)), module]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (128 + number, "latent-hands: interrupted\n")


def test_the_installed_command_handles_signals_before_its_imports():
    scripts = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts == {"latent-hands": "latent_hands.__main__:main"}
