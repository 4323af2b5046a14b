"""Streams: the newest frame wins, and times are those of the stream."""

import errno
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from command_line import fails
from films import film
from followed_hands import World, line
from tiny_models import ESTIMATION, PLACEMENT, noise_image, tiny_model

import latent_hands as lh
from latent_hands.data.formats.camera import read_camera
from latent_hands.data.formats.video import Frame
from latent_hands.errors import HandsError
from latent_hands.predictor import Model, follower
from latent_hands.streaming import Live, live, source
from latent_hands.streaming.newest import Newest
from latent_hands.streaming.source import LiveFrame, live_frames, source_of


class Clock:
    """A clock that only waiting moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds


def in_step(count: int) -> tuple[Iterator[int], Event, list[Event]]:
    """Return items that come when their events are set, and an event that is set when they are closed."""
    closed, come = Event(), [Event() for _ in range(count)]

    def items() -> Iterator[int]:
        try:
            for number, event in enumerate(come):
                assert event.wait(60)
                yield number
        finally:
            closed.set()

    return items(), closed, come


def test_the_newest_item_wins_and_the_others_are_counted():
    items, closed, come = in_step(6)
    newest = Newest(items, Event())
    come[0].set()
    taken = [next(newest)]
    for event in come[1:]:
        event.set()
    assert closed.wait(60)
    taken += list(newest)
    assert taken == [0, 5]
    assert newest.dropped == 4


def test_nothing_is_dropped_when_the_consumer_is_faster():
    items, _, come = in_step(5)
    newest, taken = Newest(items, Event()), []
    for event in come:
        event.set()
        taken.append(next(newest))
    assert taken == [0, 1, 2, 3, 4]
    assert next(newest, None) is None
    assert newest.dropped == 0


def test_an_error_comes_after_the_last_item():
    def items() -> Iterator[int]:
        yield 1
        raise HandsError("camera 0 stopped")

    newest = Newest(items(), Event())
    assert next(newest) == 1
    with pytest.raises(HandsError, match="camera 0 stopped"):
        next(newest)


def test_stop_ends_a_wait_and_close_ends_the_thread():
    items, closed, come = in_step(2)
    stop = Event()
    newest = Newest(items, stop)
    threading.Timer(0.05, stop.set).start()
    assert list(newest) == []
    come[0].set()
    come[1].set()
    newest.close()
    assert closed.is_set()
    assert not newest._thread.is_alive()


def test_a_video_plays_in_its_own_time(tmp_path: Path):
    clock = Clock()
    frames = live_frames(source_of(film(tmp_path / "clip.mp4", 4)), clock, clock.wait)
    came = [(frame.number, frame.seconds, frame.arrived - 100) for frame in frames]
    assert [number for number, _, _ in came] == [0, 1, 2, 3]
    np.testing.assert_allclose([seconds for _, seconds, _ in came], [0.0, 0.2, 0.4, 0.6], atol=1e-3)
    np.testing.assert_allclose([seconds - arrived for _, seconds, arrived in came], 0, atol=1e-9)


def test_a_late_reader_waits_for_nothing(tmp_path: Path):
    clock, waits = Clock(), []
    for frame in live_frames(source_of(film(tmp_path / "clip.mp4", 4)), clock, waits.append):
        clock.now += 0.3 if frame.number == 0 else 0.0
    np.testing.assert_allclose(waits, [0, 0, 0.1, 0.3], atol=1e-3)


def test_a_camera_without_times_has_those_of_arrival(monkeypatch: pytest.MonkeyPatch):
    clock = Clock()

    def camera(device: str) -> Iterator[Frame]:
        for _ in range(3):
            yield Frame(noise_image(), None)
            clock.now += 0.25

    monkeypatch.setattr(source, "read_camera", camera)
    frames = live_frames(source.Source("camera-0", camera="0"), clock)
    assert [frame.seconds for frame in frames] == [0.0, 0.25, 0.5]


def test_a_stream_without_drops_is_what_follow_gives(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    world = World([(each,) for each in line(60, 260, 8)], noise=0.3)
    monkeypatch.setattr(follower, "read", world.read)
    monkeypatch.setattr(follower, "read_twice", world.read)
    monkeypatch.setattr(live, "warm_up", lambda model: None)
    model = tiny_model(PLACEMENT, frame="ray")
    model.detector = world
    images, times = list(world.images()), [0.0, 0.03, 0.07, 0.1, 0.2, 0.23, 0.3, 0.34]
    taken = threading.Semaphore(1)

    def frames(source: object) -> Iterator[LiveFrame]:
        for number, (rgb, seconds) in enumerate(zip(images, times, strict=True)):
            assert taken.acquire(timeout=60)
            yield LiveFrame(number, rgb, seconds, 0.0)

    monkeypatch.setattr(live, "live_frames", frames)
    expected = list(model.follow(images, seconds=times))
    with Live(film(tmp_path / "clip.mp4"), model) as stream:
        for number, hands in enumerate(stream):
            assert stream.frame is not None
            assert stream.frame.number == number
            for hand, same in zip(hands, expected[number], strict=True):
                assert (hand.seconds, hand.track) == (same.seconds, same.track) == (times[number], 1)
                np.testing.assert_array_equal(hand.xyz_mm, same.xyz_mm)
            taken.release()
    assert (stream.rates.frames, stream.rates.dropped) == (8, 0)


def test_what_is_given_of_a_stream_reaches_the_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    calls = []

    def follow(self: Model, images, *, seconds, **options) -> Iterator[list]:
        for _ in images:
            calls.append((next(seconds), options))
            yield []

    monkeypatch.setattr(Model, "follow", follow)
    monkeypatch.setattr(live, "warm_up", lambda model: None)
    stream = lh.live(film(tmp_path / "clip.mp4", fps=25), tiny_model(ESTIMATION), focal_px=90.0, bone_mm=44.0)
    found = list(stream)
    assert len(found) + stream.rates.dropped == 3
    assert calls[0][0] == 0.0
    given = calls[0][1]
    assert (given["focal_px"], given["bone_mm"], given["smooth"]) == (90.0, 44.0, "online")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"smooth": "offline"}, "a stream can be smoothed by online or none"),
        ({"focal_px": 0.0}, "focal_px is 0.0"),
        ({"max_hands": 0}, "max_hands is 0"),
        ({"handedness": "both"}, "both"),
        ({"bone_mm": 400.0}, "bone_mm"),
    ],
)
def test_wrong_values_are_refused_at_once(options: dict, words: str, tmp_path: Path):
    with pytest.raises(HandsError, match=words):
        Live(film(tmp_path / "clip.mp4"), tiny_model(ESTIMATION), **options)


def test_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(source, "check_camera", lambda device: None)
    assert [source_of(each).camera for each in (0, "1", "camera:Web cam", "/dev/video2")] == [
        "0",
        "1",
        "Web cam",
        "/dev/video2",
    ]
    assert source_of(film(tmp_path / "clip.mp4")).name == "clip"
    with pytest.raises(HandsError, match=r'"photo.jpg" is no camera and no video'):
        source_of("photo.jpg")
    with pytest.raises(HandsError, match=r"no video at missing.mp4"):
        source_of("missing.mp4")


def test_a_camera_that_cannot_be_used_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys, tmp_path: Path):
    av = pytest.importorskip("av", reason="PyAV is not installed: pip install 'latent-hands[video]'")
    assert "there is no camera 97" in fails(capsys, "live", "97")
    device = tmp_path / "video0"
    device.touch()
    for number, words in ((errno.EBUSY, "used by another program"), (errno.EACCES, "may not be used")):

        def refuse(*args: object, number: int = number, **options: object) -> None:
            raise OSError(number, "refused")

        monkeypatch.setattr(av, "open", refuse)
        with pytest.raises(HandsError, match=words):
            next(read_camera(str(device)))
    monkeypatch.setitem(sys.modules, "av", None)
    assert "pip install 'latent-hands[video]'" in fails(capsys, "live", "0")
