"""Programs that are stopped: what they had is kept, one process writes, and nothing is left running."""

import io
import resource
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest
import torch

from latent_hands import cli, interrupt
from latent_hands.data.export import export
from latent_hands.data.prepare import prepare
from latent_hands.data.store import Cut
from latent_hands.errors import HandsError
from latent_hands.files import append_text, new_temporary, remove_temporary, write_bytes
from latent_hands.interrupt import STOPPING, exit_code, on_interrupt, stopping_signals
from latent_hands.lock import one_writer
from latent_hands.paper.bound import Term
from latent_hands.progress import lossy
from latent_hands.rendering.sets.dataset import render_dataset
from latent_hands.rendering.sets.workers import start_worker, stop_workers
from latent_hands.runs.folder import Place
from latent_hands.runs.metrics import read_metrics
from latent_hands.studies.reproduce import Sets, Study, reproduce
from latent_hands.training.progress import Reporter


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


def test_an_error_that_a_library_makes_of_an_interruption_is_an_interruption(monkeypatch, capsys):
    def work(_):
        try:
            signal.raise_signal(signal.SIGTERM)
        except KeyboardInterrupt as error:
            raise ValueError("could not determine the shape") from error

    monkeypatch.setattr(cli, "_dispatch", work)
    assert cli.main(["models"]) == 143
    assert capsys.readouterr().err == "latent-hands: interrupted\n"


@pytest.mark.parametrize("command", [["train", "cross_modal"], ["detector", "train", "plan.toml"]])
def test_a_training_that_was_stopped_and_saved_does_not_exit_with_0(command, monkeypatch, tmp_path):
    from latent_hands import training
    from latent_hands.detection import plan
    from latent_hands.detection import training as detecting

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(training, "train", lambda *_, **__: signal.raise_signal(signal.SIGINT) or False)
    monkeypatch.setattr(plan, "read_plan", lambda _: None)
    monkeypatch.setattr(detecting, "train_detector", lambda *_: None)
    assert cli.main(command) == 130


def test_commands_print_any_name(monkeypatch, capsys):
    from rich.console import Console

    def work(_):
        print("a\x1b[2K\x07\u202e.png")
        Console(force_terminal=True, color_system="standard").print("title", style="bold")
        return cli.OK

    monkeypatch.setattr(cli, "_dispatch", work)
    assert cli.main([]) == cli.OK
    assert capsys.readouterr().out == "a\\x1b[2K\\x07\\u202e.png\n\x1b[1mtitle\x1b[0m\n"


# One writer


def test_a_folder_has_one_writer(tmp_path: Path):
    with one_writer(tmp_path / "run"):
        with (
            pytest.raises(HandsError, match=r"another process is writing to .*run: wait"),
            one_writer(tmp_path / "run"),
        ):
            pass
        (tmp_path / "run/weights").write_bytes(b"")
    with one_writer(tmp_path / "run"):
        pass
    assert [each.name for each in (tmp_path / "run").iterdir()] == ["weights"]


def test_a_folder_that_was_not_used_is_not_left(tmp_path: Path):
    with pytest.raises(HandsError, match="no data"), one_writer(tmp_path / "run"):
        raise HandsError("no data")
    assert list(tmp_path.iterdir()) == []


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


def test_stores_exports_and_reproductions_have_one_writer(tmp_path: Path):
    root = render_dataset(tmp_path / "hands", 2, 32, workers=1, evaluation_count=1, progress=False)
    cut = Cut("rendered", "box", "mirror", 1.0, 32)
    work = {
        "store": lambda: prepare(root, tmp_path / "store", {"training": cut}),
        ".out.part": lambda: export("rendered", root, tmp_path / "out", "coco"),
        "figures": lambda: reproduce("fig5", Study(Sets(tmp_path / "figures"))),
    }
    for folder, start in work.items():
        with one_writer(tmp_path / folder), pytest.raises(HandsError, match="another process is writing"):
            start()


def test_the_next_writer_removes_temporary_files_of_a_killed_one(tmp_path: Path):
    (tmp_path / "run/images").mkdir(parents=True)
    new_temporary(tmp_path / "run/images/0.png")
    with one_writer(tmp_path / "run"):
        assert not list(tmp_path.rglob(".part-*"))


HOLD = """
import sys, time
from pathlib import Path
from latent_hands.lock import one_writer
with one_writer(Path(sys.argv[1])):
    print("locked", flush=True)
    time.sleep(60)
"""


def test_a_lock_ends_with_its_process(tmp_path: Path):
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        with pytest.raises(HandsError, match="another process"), one_writer(tmp_path):
            pass
        process.kill()
    with one_writer(tmp_path):
        pass


# Readers that go, and full disks


class ClosedPipe(io.StringIO):
    """A stream whose reader has gone."""

    def write(self, text: str) -> int:
        raise BrokenPipeError

    def flush(self) -> None:
        raise BrokenPipeError


def test_a_closed_pipe_loses_the_output_alone(tmp_path: Path, monkeypatch):
    progress = lossy(ClosedPipe())
    assert progress.write("update 1\n") == 9
    progress.flush()
    assert not progress.isatty()
    monkeypatch.setattr(sys, "stdout", ClosedPipe())
    with Reporter(tmp_path) as reporter:
        reporter.begin("embed", 4)
        reporter.update(Place(update=1), 1.0, [Term("kl", torch.ones(()), 1.0)], 1e-3)
        reporter.validated(Place(update=1), {"epe_mm": 20.0}, True)
        reporter.stopped(Place(update=1))
    assert len(read_metrics(tmp_path / "metrics.jsonl")) == 2


@pytest.mark.parametrize(
    "write", [lambda p: write_bytes(p, bytes(5000)), lambda p: append_text(p, "a" * 5000)]
)
def test_the_error_of_a_full_disk_names_the_file(write, tmp_path: Path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OSError, match=r"too large: '.*hands\.txt'"):
            write(tmp_path / "hands.txt")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(tmp_path.glob(".part-*"))


# Workers


def test_workers_end_at_once_and_leave_no_temporary_files(tmp_path: Path):
    pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=start_worker)
    future = pool.submit(time.sleep, 600)
    while not future.running():
        time.sleep(0.01)
    (process,) = pool._processes.values()
    stop_workers(pool)
    process.join(20)
    assert process.exitcode == -signal.SIGKILL
    (tmp_path / "color").mkdir()
    new_temporary(tmp_path / "color/00000.png")
    remove_temporary(tmp_path)
    assert [each.name for each in tmp_path.rglob("*")] == ["color"]


# Reports


def test_a_resumed_report_is_that_of_an_undisturbed_one(tmp_path: Path):
    (tmp_path / "whole").mkdir()
    (tmp_path / "parts").mkdir()
    terms = [[Term("kl", torch.rand(()), -0.01), Term(f"p{i % 2}", torch.rand(()), 0.3)] for i in range(7)]
    whole, first, second = (Reporter(tmp_path / name) for name in ("whole", "parts", "parts"))
    for reporter, chosen in ((whole, range(7)), (first, range(4)), (second, range(4, 7))):
        reporter.begin("embed", 4)
        if reporter is second:
            second.restore(first.state())
        for i in chosen:
            reporter.update(Place(update=i), 1.0 if i == 6 else 0.0, terms[i], 1e-3)
    lines = [read_metrics(tmp_path / name / "metrics.jsonl") for name in ("whole", "parts")]
    assert len(lines[0]) == 1
    for line in (*lines[0], *lines[1]):
        del line["samples_per_s"]
    assert lines[0] == lines[1]
