"""`latent-hands estimate`: videos and cameras."""

import json
import re
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from estimated_images import any_hand, estimate
from PIL import Image
from tiny_models import ESTIMATION, noise_image, tiny_model, tiny_run

from latent_hands.cli import estimate_videos
from latent_hands.cli.estimate_inputs import Given
from latent_hands.data.formats.video import Frame, read_video
from latent_hands.errors import HandsError
from latent_hands.predictions import read_npz
from latent_hands.predictor import Hand, Model

BOX = "10,6,44,40"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_run(tmp_path_factory.mktemp("runs") / "estimation", ESTIMATION)


@pytest.fixture(scope="module")
def hand() -> Hand:
    return any_hand()


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")


def film(path: Path, count: int = 3) -> Path:
    av = pytest.importorskip("av", reason="PyAV is not installed: pip install 'latent-hands[video]'")
    with av.open(str(path), "w") as video:
        stream = video.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 80, 64, "yuv420p"
        for seed in range(count):
            video.mux(stream.encode(av.VideoFrame.from_ndarray(noise_image(64, 80, seed), "rgb24")))
        video.mux(stream.encode())
    return path


@pytest.fixture
def followed(monkeypatch: pytest.MonkeyPatch, hand: Hand) -> None:
    """Let the model follow one hand through every second frame."""

    def follow(model: Model, frames, given, smooth) -> object:
        for number, _ in enumerate(frames):
            yield [replace(hand, track=7)] if number % 2 == 0 else []

    monkeypatch.setattr(estimate_videos, "follow", follow)


@pytest.fixture
def followed_by_model(monkeypatch: pytest.MonkeyPatch, hand: Hand) -> tuple[list[dict], Model]:
    calls: list[dict] = []

    def follow(self: Model, images, *, seconds, **options) -> object:
        taken = []
        for _ in images:
            taken.append(next(seconds))
            yield [hand]
        calls.append({"seconds": taken, **options})

    monkeypatch.setattr(Model, "follow", follow)
    monkeypatch.setattr(estimate_videos, "measures_places", lambda model: True)
    return calls, tiny_model(ESTIMATION)


def test_a_video_gives_lines_arrays_and_a_video(run, followed, tmp_path, capsys):
    clip, out = film(tmp_path / "clip.mp4"), tmp_path / "out"
    assert estimate(run, clip, "--out", out, "--formats", "csv") == 0
    assert {path.name for path in out.iterdir()} == {
        f"clip.{each}" for each in ("jsonl", "npz", "csv", "mp4")
    }
    lines = [json.loads(line) for line in (out / "clip.jsonl").read_text().splitlines()]
    assert [(line["frame"], line["seconds"], len(line["hands"])) for line in lines] == [
        (0, 0.0, 1),
        (1, 0.2, 0),
        (2, 0.4, 1),
    ]
    assert lines[2]["hands"][0]["seconds"] == 0.4
    assert lines[2]["hands"][0]["track"] == 7
    frames = read_npz(out / "clip.npz")
    assert [(frame.frame, len(frame.hands)) for frame in frames] == [(0, 1), (1, 0), (2, 1)]
    drawn = list(read_video(out / "clip.mp4"))
    assert [frame.rgb.shape for frame in drawn] == [(512, 640, 3)] * 3
    assert re.search(r"clip\s.* 3 ", capsys.readouterr().out)


def test_a_damaged_video_keeps_its_frames(run, followed, tmp_path, capsys):
    clip, out = film(tmp_path / "clip.mp4", 12), tmp_path / "out"
    data = bytearray(clip.read_bytes())
    middle = (data.find(b"mdat") + data.find(b"moov")) // 2
    data[middle : middle + 2000] = b"\xff" * 2000
    clip.write_bytes(data)
    Image.fromarray(noise_image()).save(tmp_path / "a.png")
    assert estimate(run, clip, "--out", out, "--no-overlays") == 1
    count = len((out / "clip.jsonl").read_text().splitlines())
    assert 1 <= count < 12
    printed = capsys.readouterr().err
    assert re.search(rf"read in part: .*clip\.mp4 is damaged or cut off after frame {count}", printed)
    assert "skipped" not in printed


def test_limit_keeps_the_first_frames(run, followed, tmp_path):
    clip, out = film(tmp_path / "clip.mp4"), tmp_path / "out"
    assert estimate(run, clip, "--out", out, "--limit", "2", "--no-overlays") == 0
    assert len((out / "clip.jsonl").read_text().splitlines()) == 2


def test_an_error_while_following_keeps_what_was_read(run, hand, tmp_path, monkeypatch, capsys):
    clip, out = film(tmp_path / "clip.mp4"), tmp_path / "out"

    def follow(model: Model, frames, given, smooth) -> object:
        yield from ([hand] for _, _ in zip(range(2), frames, strict=False))
        raise HandsError("K is of another shape")

    monkeypatch.setattr(estimate_videos, "follow", follow)
    assert estimate(run, clip, "--out", out) == 1
    assert len((out / "clip.jsonl").read_text().splitlines()) == 2
    assert len(read_npz(out / "clip.npz")) == len(list(read_video(out / "clip.mp4"))) == 2
    assert re.search(
        r"read in part: .*clip\.mp4: K is of another shape; the frames until there are used",
        capsys.readouterr().err,
    )


def test_frames_that_change_their_size_are_announced(run, tmp_path, monkeypatch, capsys):
    clip, out = film(tmp_path / "clip.mp4"), tmp_path / "out"
    frames = [
        Frame(noise_image(64, 80), 0.0),
        Frame(noise_image(32, 40), 0.2),
        Frame(noise_image(32, 40), 0.4),
    ]
    monkeypatch.setattr(estimate_videos, "read_video", lambda path: iter(frames))
    options = ["--handedness", "left", "--out", out, "--no-overlays"]
    assert estimate(run, clip, "--box", BOX, *options) == 1
    error = capsys.readouterr().err
    assert error.count("change from 80x64 to 40x32 pixels at frame 1;") == 1
    assert "--box and --focal-px are those of one size" in error
    assert len((out / "clip.jsonl").read_text().splitlines()) == 1


def test_smoothing_is_chosen(run, followed_by_model, tmp_path, monkeypatch, capsys):
    calls, model = followed_by_model
    monkeypatch.setattr(Model, "load", lambda run: model)
    clip = film(tmp_path / "clip.mp4")
    for options, smooth in (
        ([], "offline"),
        (["--smooth", "online"], "online"),
        (["--smooth", "none"], "none"),
    ):
        assert estimate(clip, "--out", tmp_path / "out", "--no-overlays", *options) == 0
        assert calls[-1]["smooth"] == smooth
    capsys.readouterr()
    for wrong, message in (
        ([clip, "--smooth", "online", "--box", BOX], "each frame is estimated alone"),
        (["--camera", "0", "--smooth", "offline"], "a camera needs online or none"),
    ):
        assert estimate(*wrong) == 2
        assert message in capsys.readouterr().err


def test_progress_counts_frames_and_hands(run, followed, tmp_path, capsys):
    assert estimate(run, film(tmp_path / "clip.mp4"), "--out", tmp_path / "out") == 0
    error = capsys.readouterr().err
    assert re.search(r"clip: frames.* 3/3", error)
    assert re.search(r"clip: hands.* 3/3.* 2 hands", error)


def test_a_missing_camera_is_one_line(run, tmp_path, capsys):
    pytest.importorskip("av", reason="PyAV is not installed: pip install 'latent-hands[video]'")
    assert estimate(run, "--camera", "97", "--out", tmp_path / "out") == 2
    assert re.search(r"^latent-hands: there is no camera 97", capsys.readouterr().err, re.M)
    assert not (tmp_path / "out").exists()


def test_ctrl_c_ends_a_camera_and_keeps_what_was_recorded(run, followed, tmp_path, monkeypatch, capsys):
    pytest.importorskip("av", reason="PyAV is not installed: pip install 'latent-hands[video]'")

    def recording(device: str):
        assert device == "0"
        for number in range(3):
            yield Frame(noise_image(64, 80), number / 5)
            if number == 2:
                signal.raise_signal(signal.SIGINT)
        yield Frame(noise_image(64, 80), 0.6)
        raise AssertionError("a frame was read after Ctrl-C")

    monkeypatch.setattr(estimate_videos, "read_camera", recording)
    out = tmp_path / "out"
    assert estimate("camera:0", "--run", run, "--out", out) == 0
    assert "Ctrl-C ends it" in capsys.readouterr().err
    assert len((out / "camera-0.jsonl").read_text().splitlines()) == 4
    assert len(list(read_video(out / "camera-0.mp4"))) == 4
    assert len(read_npz(out / "camera-0.npz")) == 4


def test_ctrl_c_in_a_video_keeps_what_was_done(run, followed, tmp_path, monkeypatch):
    clip, out = film(tmp_path / "clip.mp4"), tmp_path / "out"

    def interrupted(path: Path):
        for number, frame in enumerate(read_video(path)):
            if number == 1:
                signal.raise_signal(signal.SIGINT)
            yield frame

    monkeypatch.setattr(estimate_videos, "read_video", interrupted)
    assert estimate(run, clip, "--out", out, "--no-overlays") == 130
    assert len((out / "clip.jsonl").read_text().splitlines()) == 2
    assert len(read_npz(out / "clip.npz")) == 2


def test_a_model_that_measures_places_follows_hands(followed_by_model, tmp_path):
    """The frames, their times and the facts reach `Model.follow`, and a camera is filtered online."""
    calls, model = followed_by_model
    frames = [Frame(noise_image(64, 80, seed), seed / 5) for seed in range(3)]
    given = Given(handedness="left", bone_mm=44.0, focal_px=90.0, max_hands=5)
    assert len(list(estimate_videos.follow(model, iter(frames), given, "online"))) == 3
    (call,) = calls
    assert call["seconds"] == [0.0, 0.2, 0.4]
    facts = (call["handedness"], call["bone_mm"], call["focal_px"], call["smooth"], call["max_hands"])
    assert facts == ("left", 44.0, 90.0, "online", 5)
    assert list(estimate_videos.follow(model, iter([]), given, "online")) == []
