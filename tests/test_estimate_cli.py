"""`latent-hands estimate`: any number of hands an image, given boxes and sides, videos, bad input."""

import json
import os
import re
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from painted_hands import painted_hands
from PIL import Image
from registries import register
from tiny_models import ESTIMATION, noise_image, tiny_model, tiny_run

from latent_hands.cli import estimate_videos, main
from latent_hands.cli.estimate_inputs import Given
from latent_hands.data import READERS, open_data
from latent_hands.data.formats.video import Frame, read_video
from latent_hands.errors import HandsError
from latent_hands.predictions import read_json, read_npz
from latent_hands.predictor import Hand, Model, Photo

BOX = "10,6,44,40"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_run(tmp_path_factory.mktemp("runs") / "estimation", ESTIMATION)


@pytest.fixture(scope="module")
def hand() -> Hand:
    return tiny_model(ESTIMATION).estimate(Photo.open(noise_image()))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of three images, the second broken."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(3):
        Image.fromarray(noise_image(seed=i)).save(folder / f"{i}.png")
    (folder / "1.png").write_bytes((folder / "1.png").read_bytes()[:200])
    return folder


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch, hand: Hand) -> Callable[..., list[dict]]:
    """Let the model find a number of hands in each image, and keep what it was asked."""
    calls: list[dict] = []

    def find_of(*counts: int) -> list[dict]:
        sides = ["left", "right"]

        def find(self: Model, image: object, **options: object) -> list[Hand]:
            calls.append({"image": image, **options})
            count = counts[(len(calls) - 1) % len(counts)]
            return [replace(hand, handedness=sides[i % 2], score=0.9 - i / 10) for i in range(count)]

        monkeypatch.setattr(Model, "find", find)
        return calls

    return find_of


def estimate(*arguments: object) -> int:
    return main(["estimate", *map(str, arguments)])


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")


def test_only_the_image_is_needed(found, photos, tmp_path, monkeypatch, capsys):
    calls = found(1)
    loaded: list[str] = []
    model = tiny_model(ESTIMATION)
    monkeypatch.setattr(Model, "load", lambda run: loaded.append(run) or model)
    monkeypatch.chdir(tmp_path)
    assert estimate(photos / "0.png") == 0
    assert loaded == ["estimation"]
    assert len(calls) == 1
    assert calls[0]["boxes"] is calls[0]["handedness"] is calls[0]["bone_mm"] is calls[0]["K"] is None
    assert (tmp_path / "runs/estimates/0.json").is_file()
    assert "left" in capsys.readouterr().out


def test_the_run_is_an_option_or_the_first_argument(run, found, photos, tmp_path):
    found(1)
    for arguments in (
        [run, photos / "0.png"],
        [photos / "0.png", "--run", run],
        ["--run", run, photos / "0.png"],
    ):
        assert estimate(*arguments, "--out", tmp_path / "out") == 0


def test_a_folder_of_images_may_have_the_name_of_a_model(run, found, photos, tmp_path, monkeypatch):
    calls = found(1)
    (photos / "1.png").unlink()
    photos.rename(tmp_path / "estimation")
    monkeypatch.chdir(tmp_path)
    assert estimate("estimation", "--run", run, "--out", "out") == 0
    assert len(calls) == 2


def test_several_hands_are_in_every_output(run, found, photos, tmp_path, capsys):
    found(2)
    out = tmp_path / "out"
    formats = ["--formats", "json", "csv", "npz", "coco"]
    (photos / "1.png").unlink()
    assert estimate(run, photos, "--out", out, "--json", *formats) == 0
    printed = json.loads(capsys.readouterr().out)
    assert [(hand["image"], hand["hand"], hand["handedness"]) for hand in printed] == [
        ("0", 0, "left"),
        ("0", 1, "right"),
        ("2", 0, "left"),
        ("2", 1, "right"),
    ]
    assert [hand.handedness for hand in read_json(out / "2.json")] == ["left", "right"]
    assert [len(image.hands) for image in read_npz(out / "hands.npz")] == [2, 2]
    assert len(open_data("coco", out / "coco", "evaluation")) == 4
    assert len((out / "hands.csv").read_text().splitlines()) == 5
    assert {path.name for path in out.iterdir()} == {
        *("0.json", "0.png", "2.json", "2.png", "hands.csv", "hands.npz", "coco")
    }


def test_no_hand_is_an_answer(run, found, photos, tmp_path, capsys):
    found(1, 0)
    (photos / "1.png").unlink()
    assert estimate(run, photos, "--out", tmp_path / "out") == 1
    printed = capsys.readouterr()
    assert printed.err.endswith("latent-hands: no hand found in 2\n")
    assert "no hand found" in printed.out
    assert json.loads((tmp_path / "out/2.json").read_text()) == []
    assert (tmp_path / "out/2.png").is_file()
    found(0)
    assert estimate(run, photos / "0.png", "--out", tmp_path / "out", "--json") == 1
    assert json.loads(capsys.readouterr().out) == []


def test_a_broken_image_is_skipped_and_named(run, found, photos, tmp_path, capsys):
    found(1)
    assert estimate(run, photos, "--out", tmp_path / "out", "--json") == 1
    printed = capsys.readouterr()
    assert [hand["image"] for hand in json.loads(printed.out)] == ["0", "2"]
    assert re.search(r"skipped: .*photos/1\.png .*not a readable image", printed.err)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"0.json", "0.png", "2.json", "2.png"}


def test_what_was_done_until_ctrl_c_is_written(run, photos, tmp_path, monkeypatch, hand):
    opened = []

    def find(self: Model, image: object, **options: object) -> list[Hand]:
        opened.append(image)
        if len(opened) == 2:
            raise KeyboardInterrupt
        return [hand]

    monkeypatch.setattr(Model, "find", find)
    out = tmp_path / "out"
    assert estimate(run, photos, "--out", out, "--no-overlays", "--formats", "json", "csv") == 130
    assert {path.name for path in out.iterdir()} == {"0.json", "hands.csv"}


def test_given_facts_reach_the_model(run, found, photos, tmp_path):
    calls = found(2)
    facts = ["--handedness", "right", "--bone-mm", "44", "--focal", "90", "--rotations", "2", "--draws", "4"]
    boxes = ["--box", BOX, "--box=-3,-2,30,30"]
    assert estimate(run, photos / "0.png", "--out", tmp_path / "out", *facts, *boxes) == 0
    (call,) = calls
    assert call["boxes"] == [(10, 6, 44, 40), (-3, -2, 30, 30)]
    assert (call["handedness"], call["bone_mm"], call["rotations"], call["draws"]) == ("right", 44, 2, 4)
    assert call["K"].tolist() == [[90, 0, 39.5], [0, 90, 29.5], [0, 0, 1]]


def test_a_box_is_read_without_a_detector(run, photos, tmp_path, capsys):
    options = ["--box", BOX, "--handedness", "left", "--bone-mm", "40", "--out", tmp_path / "out"]
    assert estimate(run, photos / "0.png", *options) == 0
    assert "(assumed)" not in capsys.readouterr().out
    (hand,) = read_json(tmp_path / "out/0.json")
    assert (hand.handedness, hand.score, hand.bone_mm_assumed) == ("left", None, False)


def test_a_file_of_boxes_gives_boxes_and_sides(run, found, photos, tmp_path, capsys):
    calls = found(1)
    (photos / "1.png").write_bytes((photos / "0.png").read_bytes())
    lines = ["file,x,y,width,height,handedness", f"0.png,{BOX},right", f"0.png,{BOX},", "2.png,,,,,"]
    (tmp_path / "boxes.csv").write_text("\n".join([*lines, "other.png,1,2,30,40,"]))
    assert estimate(run, photos, "--boxes", tmp_path / "boxes.csv", "--out", tmp_path / "out") == 1
    assert [call["boxes"] for call in calls] == [[(10, 6, 44, 40)] * 2, None]
    assert [call["handedness"] for call in calls] == [["right", None], None]
    error = capsys.readouterr().err
    assert "no hand found in 2" in error
    assert re.search(r"has no entry for 1 of 3 images, whose hands are detected: .*1\.png", error)
    assert "names 1 files that are not given: other.png" in error
    found(2)
    assert estimate(run, photos / "0.png", "--boxes", tmp_path / "boxes.csv", "--handedness", "left") == 0
    assert calls[-1]["handedness"] == "left"
    (tmp_path / "none.csv").write_text(lines[0] + "\nother.png,1,2,30,40,\n")
    assert estimate(run, photos, "--boxes", tmp_path / "none.csv") == 2
    assert "has no box of a given image: it names other.png" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--box", "0.1,0.1,0.8,0.8"], "are shares of the image"),
        (["--box", "10,10,1e9,1e9"], "too large for the image of 80x60"),
        (["--box", "10,10,0.001,0.001"], "at least 1 pixel"),
        (["--box", "500,500,50,50"], "lies outside the image of 80x60"),
        (["--box", "1,2,3"], r"box is \"1,2,3\"; it must be x,y,width,height"),
        (["--box", BOX, "--boxes", "boxes.csv"], "--box and --boxes were both given"),
        (["--boxes", "none.csv"], "no file of boxes at none.csv"),
        (["--focal", "0"], r"focal length is 0\.0"),
        (["--focal", "inf"], "focal length is inf"),
        (["--focal", "1e30"], r"focal length is 1e\+30"),
        (["--bone-mm", "0.04"], r"bone_mm is 0\.04, but must be between 15 and 80 mm"),
        (["--handedness", "Left"], 'unknown handedness "Left"; did you mean "left"'),
        (["--rotations", "100000"], "--rotations is 100000; it must be between 1 and 64"),
        (["--rotations", "0"], "--rotations is 0"),
        (["--draws", "1"], "--draws is 1; it must be 0, or between 2 and 1000"),
        (["--draws", "-3"], "--draws is -3"),
        (["--draws", "100000"], "--draws is 100000"),
        (["--limit", "0"], "limit is 0; it must be at least 1"),
    ],
)
def test_nonsense_is_refused_in_one_line(run, found, photos, tmp_path, capsys, options, message):
    found(1)
    assert estimate(run, photos / "0.png", "--out", tmp_path / "out", *options) == 2
    error = capsys.readouterr().err
    assert re.search(message, error)
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_negative_numbers_need_no_equals_sign(run, found, photos, tmp_path):
    calls = found(1)
    assert estimate(run, photos / "0.png", "--box", "-10,-5,90,90", "--out", tmp_path / "out") == 0
    assert calls[0]["boxes"] == [(-10, -5, 90, 90)]


@pytest.mark.parametrize(
    "option", [("--handedness", "right"), ("--bone-mm", "44.0"), ("--box", "1,2,3,4"), ("--focal", "90.0")]
)
def test_labels_of_a_data_set_cannot_be_given_again(run, tmp_path, monkeypatch, capsys, option):
    samples = painted_hands(tmp_path, 2)
    register(monkeypatch, READERS, "painted", lambda root, split, limit, *, on_broken: samples[:limit])
    data = ["--data", "painted", "--root", tmp_path, "--out", tmp_path / "out"]
    assert estimate(run, *data, *option) == 2
    assert f"{option[0]} is {option[1]}; it cannot be given with --data" in capsys.readouterr().err


def test_labels_of_a_data_set_are_used_for_every_hand_of_an_image(run, tmp_path, monkeypatch, capsys):
    first, second = painted_hands(tmp_path, 2)
    samples = [first, replace(second, image=first.image)]
    register(monkeypatch, READERS, "painted", lambda root, split, limit, *, on_broken: samples[:limit])
    out = tmp_path / "out"
    assert (
        estimate(run, "--data", "painted", "--root", tmp_path, "--out", out, "--panels", "--draws", "0") == 0
    )
    printed = capsys.readouterr().out
    assert "(assumed)" not in printed
    assert "error mm" in printed
    assert [hand.handedness for hand in read_json(out / "0.json")] == ["left", "right"]


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
    assert f"clip.mp4 is damaged or cut off after frame {count}" in capsys.readouterr().err


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
        r"skipped: .*clip\.mp4: K is of another shape; the frames until there are used",
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
    assert "--box and --focal are those of one size" in error
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
    assert re.search(r"^latent-hands: camera 97 .* cannot be opened", capsys.readouterr().err, re.M)
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
    given = Given(handedness="left", bone_mm=44.0, focal_px=90.0)
    assert len(list(estimate_videos.follow(model, iter(frames), given, "online"))) == 3
    (call,) = calls
    assert call["seconds"] == [0.0, 0.2, 0.4]
    assert (call["handedness"], call["bone_mm"], call["smooth"]) == ("left", 44.0, "online")
    assert call["K"].tolist() == [[90, 0, 39.5], [0, 90, 31.5], [0, 0, 1]]
    assert list(estimate_videos.follow(model, iter([]), given, "online")) == []


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


def save_kinds(folder: Path) -> list[Path]:
    """Write one image of every unusual kind."""
    rgb = noise_image(48, 64)
    image = Image.fromarray(rgb)
    images = {
        "tiny.png": Image.new("RGB", (1, 1)),
        "panorama.png": Image.new("RGB", (900, 40)),
        "grey.jpg": image.convert("L"),
        "grey-alpha.png": image.convert("LA"),
        "alpha.png": image.convert("RGBA"),
        "palette.gif": image.convert("P"),
        "cmyk.jpg": image.convert("CMYK"),
        "deep.png": Image.fromarray(rgb[..., 0].astype(np.uint16) * 257),
    }
    for name, each in images.items():
        each.save(folder / name)
    image.save(folder / "pages.tif", save_all=True, append_images=[image, image])
    return [*(folder / name for name in images), folder / "pages.tif"]


def test_images_of_every_kind_get_an_answer(run, tmp_path, caplog):
    """A box is given, so the network reads each of them."""
    files = save_kinds(tmp_path)
    out = tmp_path / "out"
    assert estimate(run, *files, "--out", out, "--box", "0,0,1,1", "--no-overlays") == 2
    options = ["--box", "0,0,2,2", "--handedness", "left", "--draws", "0", "--out", out]
    assert estimate(run, *files, *options) == 0
    assert f"{tmp_path}/pages.tif has 3 pages or frames; the first is read" in caplog.text
    for file in files:
        assert np.isfinite(read_json(out / f"{file.stem}.json")[0].uv_px).all()
        assert (out / f"{file.stem}.png").is_file()


def test_files_of_one_name_in_a_data_set_have_outputs_of_their_own(run, found, photos, tmp_path):
    found(1)
    (photos / "1.png").unlink()
    Image.fromarray(noise_image()).save(photos / "0.jpg")
    out = tmp_path / "out"
    assert estimate(run, "--data", "images", "--root", photos, "--out", out, "--no-overlays") == 0
    assert {path.name for path in out.iterdir()} == {*("photos-0.png.json", "photos-0.jpg.json", "2.json")}


def test_names_that_are_too_long_or_not_utf_8_do_not_end_the_batch(run, found, photos, tmp_path, capsys):
    found(1)
    name = os.fsdecode(b"latin1\xe9.png")
    (photos / "0.png").rename(photos / ("x" * 251 + ".png"))
    (photos / "1.png").write_bytes((photos / "2.png").read_bytes())
    try:
        (photos / "2.png").rename(photos / name)
    except OSError:
        pytest.skip("the file system stores UTF-8 names only")
    out = tmp_path / "out"
    assert estimate(run, photos, "--out", out, "--formats", "json", "csv", "npz", "coco") == 1
    assert "its name is too long" in capsys.readouterr().err
    assert {path.name for path in out.glob("*.json")} == {"1.json", name.replace(".png", ".json")}
    assert len(read_npz(out / "hands.npz")) == 2
    assert os.fsencode(name) in (out / "hands.csv").read_bytes()
