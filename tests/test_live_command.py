"""The command live: files are whole after Ctrl-C, and wrong options are one line."""

import json
import re
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from command_line import fails
from estimated_images import any_hand
from films import film
from tiny_models import ESTIMATION, noise_image, tiny_run

import latent_hands as lh
from latent_hands.cli import main
from latent_hands.cli.live import use_few_threads
from latent_hands.data.formats.video import Frame, read_video
from latent_hands.predictor import Model
from latent_hands.streaming import live, source


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run whose model finds one hand in every frame."""

    def follow(self: Model, images, *, seconds, **options) -> Iterator[list]:
        for _ in images:
            yield [replace(any_hand(), track=7, seconds=next(seconds))]

    monkeypatch.setattr(Model, "follow", follow)
    monkeypatch.setattr(live, "warm_up", lambda model: None)
    return tiny_run(tmp_path / "run", ESTIMATION)


def test_a_stream_is_recorded(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    clip, video, lines = film(tmp_path / "clip.mp4"), tmp_path / "out.mp4", tmp_path / "out.jsonl"
    arguments = ["live", clip, "--run", run, "--no-window", "--record", video, "--json", lines]
    assert main([str(each) for each in arguments]) == 0
    found = [json.loads(line) for line in lines.read_text().splitlines()]
    printed = re.search(r"clip: (\d+) frames, (\d+) dropped", capsys.readouterr().out)
    assert printed is not None
    assert len(found) == int(printed[1]) == len(list(read_video(video)))
    assert len(found) + int(printed[2]) == 3
    assert [round(line["frame"] / 5, 3) for line in found] == [line["seconds"] for line in found]
    assert lh.read_hands(lines)[0].track == 7


def test_ctrl_c_ends_a_stream_and_loses_nothing(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("av", reason="PyAV is not installed: pip install 'latent-hands[video]'")
    lines, video = tmp_path / "out.jsonl", tmp_path / "out.mp4"
    steps = threading.Semaphore(1)

    def camera(device: str) -> Iterator[Frame]:
        for number in range(1000):
            assert steps.acquire(timeout=60)
            yield Frame(noise_image(64, 80), number / 30)

    def follow(self: Model, images, *, seconds, **options) -> Iterator[list]:
        for number, _ in enumerate(images):
            yield [replace(any_hand(), track=1, seconds=next(seconds))]
            if number == 2:
                signal.raise_signal(signal.SIGINT)
            steps.release()

    monkeypatch.setattr(Model, "follow", follow)
    monkeypatch.setattr(source, "check_camera", lambda device: None)
    monkeypatch.setattr(source, "read_camera", camera)
    arguments = ["live", "--run", run, "--no-window", "--record", video, "--json", lines]
    assert main([str(each) for each in arguments]) == 0
    assert len(lines.read_text().splitlines()) == len(list(read_video(video))) == 3
    assert not list(tmp_path.glob(".*"))


def test_limit_keeps_the_first_frames(run: Path, tmp_path: Path):
    lines = tmp_path / "out.jsonl"
    arguments = [
        "live",
        film(tmp_path / "clip.mp4"),
        "--run",
        run,
        "--no-window",
        "--limit",
        1,
        "--json",
        lines,
    ]
    assert main([str(each) for each in arguments]) == 0
    assert len(lines.read_text().splitlines()) == 1


def test_few_threads_are_used_unless_the_user_chooses(monkeypatch: pytest.MonkeyPatch):
    threads = torch.get_num_threads()
    try:
        for cores, given, used in ((2, None, 1), (6, None, 3), (64, None, 4), (None, None, 1), (2, "2", 2)):
            torch.set_num_threads(2)
            monkeypatch.setattr("os.cpu_count", lambda cores=cores: cores)
            monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
            if given:
                monkeypatch.setenv("OMP_NUM_THREADS", given)
            use_few_threads()
            assert torch.get_num_threads() == used
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--record", "out.avi"], "--record is out.avi, but must end in .mp4"),
        (["--json", "out.json"], "--json is out.json, but must end in .jsonl"),
        (["--limit", "0"], "limit"),
        (["--port", "70000"], "port is 70000"),
        (["--port", "8000", "--no-window"], "--port is 8000, but --no-window shows no page"),
    ],
)
def test_wrong_options_are_one_line(
    options: list[str], words: str, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture
):
    assert words in fails(capsys, "live", film(tmp_path / "clip.mp4"), "--run", run, *options)


def test_no_input_is_overwritten(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    clip = film(tmp_path / "clip.mp4")
    assert "is an input" in fails(capsys, "live", clip, "--run", run, "--record", clip)
