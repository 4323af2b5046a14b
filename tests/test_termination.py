"""Programs that are stopped: what they had is kept, one process writes, and nothing is left running."""

import errno
import io
import json
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

import pytest
import torch
from tiny_models import noise_image

from latent_hands import cli
from latent_hands.data.export import export_data
from latent_hands.data.formats.video import read_video
from latent_hands.data.prepare import prepare
from latent_hands.data.store import Cut
from latent_hands.draw.video import VideoWriter
from latent_hands.errors import HandsError
from latent_hands.files import append_text, new_temporary, remove_temporary, write_bytes
from latent_hands.lock import new_folder, one_writer
from latent_hands.paper.bound import Term
from latent_hands.predictions.image_hands import ImageHands
from latent_hands.predictions.json_files import LineWriter
from latent_hands.progress import lossy
from latent_hands.rendering.sets.dataset import render_dataset
from latent_hands.rendering.sets.workers import start_worker, stop_workers
from latent_hands.runs.folder import Place
from latent_hands.runs.metrics import read_metrics
from latent_hands.studies.reproduce import Sets, Study, reproduce
from latent_hands.training.progress import Reporter


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


def test_only_train_says_that_resume_continues_it(monkeypatch, tmp_path, capsys):
    """fine-tune cannot be continued, and reproduce is by the same command."""
    from latent_hands import training

    monkeypatch.setattr(training, "train", lambda *_, **__: False)
    monkeypatch.chdir(tmp_path)
    assert cli.main(["train", "cross_modal"]) == 130
    assert capsys.readouterr().err == "Continue it with --resume.\nlatent-hands: interrupted\n"


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


def test_stores_exports_and_reproductions_have_one_writer(tmp_path: Path):
    root = render_dataset(tmp_path / "hands", 2, 32, workers=1, evaluation_count=1, progress=False)
    cut = Cut("rendered", "box", "mirror", 1.0, 32)
    work = {
        "store": lambda: prepare(root, tmp_path / "store", {"training": cut}),
        ".out.part": lambda: export_data("rendered", root, tmp_path / "out", "coco"),
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
from latent_hands.lock import new_folder, one_writer
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


@contextmanager
def full_disk(size: int = 1000) -> Iterator[None]:
    """Let no file grow beyond so many bytes."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def write_lines(path: Path) -> None:
    with LineWriter(path) as writer:
        for frame in range(60):
            writer.add(ImageHands("clip", (4, 4), [], path.with_suffix(".mp4"), frame, 0.0))


@pytest.mark.parametrize(
    "write", [lambda p: write_bytes(p, bytes(5000)), lambda p: append_text(p, "a" * 5000), write_lines]
)
def test_the_error_of_a_full_disk_names_the_file(write, tmp_path: Path):
    with full_disk(), pytest.raises(OSError, match=r"too large: '.*hands\.txt'"):
        write(tmp_path / "hands.txt")
    assert not list(tmp_path.glob(".part-*"))


def test_a_video_that_fills_the_disk_is_an_error_of_the_system_and_leaves_no_file(tmp_path: Path):
    pytest.importorskip("av", reason="PyAV is not installed: pip install 'latent-hands[video]'")

    def write() -> None:
        with VideoWriter(tmp_path / "a.mp4") as writer:
            for seed in range(3):
                writer.add(noise_image(96, 96, seed), None)

    with full_disk(), pytest.raises(OSError, match=r"too large: '.*[/\\]a\.mp4'"):
        write()  # as a HandsError, the command would skip this video and begin the next
    assert list(tmp_path.iterdir()) == []


def test_whole_lines_before_a_full_disk_are_kept(tmp_path: Path):
    with full_disk(), pytest.raises(OSError, match="too large"):
        write_lines(tmp_path / "hands.jsonl")
    text = (tmp_path / "hands.jsonl").read_text()
    assert 900 < len(text) <= 1000
    assert text.endswith("}\n")
    assert [json.loads(line)["frame"] for line in text.splitlines()] == [*range(text.count("\n"))]


def test_frames_before_a_full_disk_are_kept(tmp_path: Path):
    pytest.importorskip("av", reason="PyAV is not installed: pip install 'latent-hands[video]'")

    def write() -> None:
        with VideoWriter(tmp_path / "a.mp4") as writer:
            for number in range(200):
                writer.add(noise_image(32, 32, number), number / 2)

    with full_disk(60_000), pytest.raises(OSError, match=r"too large: '.*[/\\]a\.mp4'"):
        write()
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]
    assert 0 < len(list(read_video(tmp_path / "a.mp4"))) < 200


def test_outputs_whose_name_is_taken_meanwhile_are_kept(tmp_path: Path):
    (tmp_path / "hands.jsonl").mkdir()
    with pytest.raises(OSError, match=r"what was written is in .*\.part-.*: '.*hands\.jsonl'"):
        write_lines(tmp_path / "hands.jsonl")
    (kept,) = tmp_path.glob(".part-*")
    assert kept.read_text().count("\n") == 60


@pytest.mark.parametrize("kind", [OSError, HandsError])
def test_errors_in_a_new_folder_name_the_file_of_the_user(kind, tmp_path: Path, capsys, monkeypatch):
    def work(_) -> None:
        with new_folder(tmp_path / "out") as new:
            error = OSError(errno.ENOSPC, "No space left on device", str(new / "a.bin"))
            raise error if kind is OSError else HandsError(f"{error.filename}: {error.strerror}")

    monkeypatch.setattr(cli, "_dispatch", work)
    assert cli.main(["work"]) == 2
    assert capsys.readouterr().err == f"latent-hands: {tmp_path}/out/a.bin: No space left on device\n"
    assert not list(tmp_path.iterdir())


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
