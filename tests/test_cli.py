"""The commands as they are typed: results where told, one line and exit code 2 for mistakes, quick help."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image
from tiny_models import ESTIMATION, PX, SYNTHESIS, noise_image, tiny_run

from latent_hands.cli import COMMANDS, main, split_overrides
from latent_hands.cli.sources import find_samples, name_files, parse_box, samples_of
from latent_hands.data import READERS, Sample, read_rgb
from latent_hands.errors import HandsError


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
    options = ["--hand", "right", "--box", "10,6,44,40", "--bone-mm", "44", "--out", str(tmp_path), "--json"]
    assert (
        main(["estimate", str(runs / "estimation"), str(runs / "a.png"), str(runs / "b.png"), *options]) == 0
    )
    printed = json.loads(capsys.readouterr().out)
    assert [hand["handedness"] for hand in printed] == ["right", "right"]
    assert printed[0] == json.loads((tmp_path / "a.json").read_text())
    assert printed[0]["box_px"] == [10, 6, 44, 40]
    assert (printed[0]["bone_mm"], printed[0]["bone_mm_assumed"]) == (44, False)
    assert read_rgb(tmp_path / "b.png").shape[1] > 600


def test_images_are_made_from_files_and_from_estimates(runs: Path, tmp_path: Path):
    a, b, run = str(runs / "a.png"), str(runs / "b.png"), str(runs / "synthesis")
    assert main(["estimate", str(runs / "estimation"), a, "--out", str(tmp_path)]) == 0
    out = tmp_path / "new" / "image.png"
    assert (
        main(["synthesise", run, "--pose", str(tmp_path / "a.json"), "--content", b, "--out", str(out)]) == 0
    )
    assert read_rgb(out).shape == (PX, PX, 3)
    grid = tmp_path / "grid.png"
    assert main(["transfer", run, "--poses", a, b, "--contents", b, "--out", str(grid)]) == 0
    assert read_rgb(grid).shape[0] > 3 * 160
    walk = [
        "walk",
        run,
        "--factor",
        "pose",
        "--from",
        a,
        "--to",
        b,
        "--steps",
        "3",
        "--out",
        str(tmp_path / "w"),
    ]
    assert main(walk) == 0
    assert {path.name for path in tmp_path.glob("w.*")} == {"w.png", "w.gif"}


def test_mistakes_are_one_line(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    a, run = runs / "a.png", runs / "estimation"
    assert 'did you mean "estimate"' in fails(capsys, "estmate")
    assert "--root" in fails(capsys, "evaluate", run, "--data", "rhd")
    assert "no data set folder" in fails(
        capsys, "evaluate", run, "--data", "rhd", "--root", tmp_path / "none"
    )
    assert 'did you mean "rhd"' in fails(capsys, "evaluate", run, "--data", "rdh", "--root", tmp_path)
    assert "is not a run folder" in fails(capsys, "estimate", tmp_path, a)
    assert "no shipped model" in fails(capsys, "estimate", "nosuch", a)
    assert "short.png" in fails(capsys, "estimate", run, runs / "short.png")
    assert "no image file or folder" in fails(capsys, "estimate", run, tmp_path / "none.png")
    assert "give either images or --data" in fails(capsys, "estimate", run)
    assert "x,y,width,height" in fails(capsys, "estimate", run, a, "--box", "1,2,3")
    assert "lies outside the image" in fails(capsys, "estimate", run, a, "--box", "900,2,3,4")
    assert "bone_mm is -1" in fails(capsys, "estimate", run, a, "--bone-mm", "-1")
    assert "no decoder writes rgb" in fails(capsys, "synthesise", run, "--pose", a, "--content", a)
    assert 'did you mean "pose"' in fails(capsys, "walk", run, "--factor", "psoe", "--from", a, "--to", a)
    assert 'did you mean "rhd"' in fails(capsys, "prepare", "rdh", tmp_path, tmp_path / "store")
    assert 'did you mean "rhd"' in fails(
        capsys, "export", "rdh", tmp_path, tmp_path / "out", "--layout", "coco"
    )
    assert "is no packed store" in fails(capsys, "prepare", "rhd", tmp_path, runs)
    assert "is no packed store" in fails(capsys, "prepare", "rhd", tmp_path, tmp_path / "store", "--verify")
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


def test_interrupts_leave_cleanly(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("latent_hands.cli._run", interrupted)
    assert main(["demo"]) == 130
    assert capsys.readouterr().err == "latent-hands: interrupted\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_examples(command: str, capsys: pytest.CaptureFixture):
    with pytest.raises(SystemExit) as stopped:
        main([command, "--help"])
    assert stopped.value.code == 0
    text = capsys.readouterr().out
    assert f"$ latent-hands {command}" in text


def test_help_names_every_data_set(capsys: pytest.CaptureFixture):
    with pytest.raises(SystemExit):
        main(["evaluate", "--help"])
    words = capsys.readouterr().out.replace(",", " ").replace(".", " ").split()
    assert set(READERS) <= set(words)


def test_the_overview_names_every_command(capsys: pytest.CaptureFixture):
    assert main([]) == 0
    text = capsys.readouterr().out
    assert all(f"  {command} " in text for command in COMMANDS)


def test_help_is_quick():
    started = time.process_time()
    code = (
        "import sys; from latent_hands.cli import main; main(['--help']); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    assert time.process_time() - started < 1


def test_overrides_stand_apart_from_options():
    arguments = ["my.toml", "--training.batch-size", "64", "--out", "runs/x", "--data.root=hands", "--resume"]
    assert split_overrides(arguments) == (
        ["my.toml", "--out", "runs/x", "--resume"],
        ("--training.batch-size", "64", "--data.root=hands"),
    )


def test_boxes_are_four_numbers():
    assert parse_box("1,2.5,30,40") == (1.0, 2.5, 30.0, 40.0)
    assert parse_box(None) is None


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
        ["walk", run, "--factor", "pose", "--from", photo, "--to", runs / "b.png", "--out", photos / "0"],
    ):
        assert "0.png would be overwritten" in fails(capsys, *mistaken)
    told = fails(capsys, "estimate", runs / "estimation", runs / "b.png", "--out", photo)
    assert "0.png is a file; legal: --out in a folder" in told
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


def test_samples_are_chosen_by_number_or_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    sets = {"stb": ["B1Counting_SK_color_0", "B1Counting_SK_color_1"], "rhd": ["00003", "00012"]}

    def chosen(data: str, *texts: str) -> list[str]:
        found = find_samples(data, tmp_path, "evaluation", texts)
        assert found == samples_of(data, tmp_path, "evaluation", texts)
        return [sample.name for sample in found]

    monkeypatch.setattr(
        "latent_hands.cli.sources.open_data", lambda name, *_: [Sample(each, tmp_path) for each in sets[name]]
    )
    assert chosen("rhd", "12", "00003") == ["00012", "00003"]
    assert chosen("stb", "B1Counting_SK_color_1") == ["B1Counting_SK_color_1"]
    with pytest.raises(HandsError, match=r'no image "1" .* by their name: B1Counting_SK_color_0'):
        chosen("stb", "1")
    with pytest.raises(HandsError, match=r'no image "4" .* by their number: 00003'):
        chosen("rhd", "4")
