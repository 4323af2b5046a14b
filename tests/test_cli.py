"""The commands as they are typed: results, help, and one line with exit code 2 for mistakes."""

import json
import re
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from command_line import fails
from PIL import Image
from tiny_models import ESTIMATION, PX, SYNTHESIS, noise_image, tiny_run

from latent_hands.cli import main
from latent_hands.cli.sources import evenly_spaced, find_samples, parse_box, samples_of
from latent_hands.data import Sample, read_rgb
from latent_hands.errors import HandsError
from latent_hands.hand.conventions import CONVENTIONS
from latent_hands.hand.rig.proportions import mean_hand
from latent_hands.hand.skeleton import reorder
from latent_hands.predictions import name_files


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    for name, graph in (("estimation", ESTIMATION), ("synthesis", SYNTHESIS)):
        tiny_run(folder / name, graph)
    for seed, name in enumerate(("a.png", "b.png")):
        Image.fromarray(noise_image(seed=seed)).save(folder / name)
    (folder / "short.png").write_bytes((folder / "a.png").read_bytes()[:300])
    return folder


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
        main(
            [
                "synthesise",
                run,
                "--pose",
                str(tmp_path / "a.json"),
                "--content",
                b,
                "--cropped",
                "--out",
                str(out),
            ]
        )
        == 0
    )
    assert read_rgb(out).shape == (PX, PX, 3)
    grid = tmp_path / "grid.png"
    assert main(["transfer", run, "--poses", a, b, "--contents", b, "--cropped", "--out", str(grid)]) == 0
    assert read_rgb(grid).shape[0] > 3 * 160
    walk = ["walk", run, "--factor", "pose", "--start", a, "--end", b, "--steps", "3", "--cropped"]
    assert main([*walk, "--out", str(tmp_path / "w")]) == 0
    assert main([*walk, "--out", str(tmp_path / "v.2")]) == 0
    assert (tmp_path / "v.2.gif").read_bytes() == (tmp_path / "w.gif").read_bytes()
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
    np.save(tmp_path / "points.npy", reorder(mean_hand()[:4, :21], "rhd", "mediapipe"))
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
    ends = ["--start", a, "--end", a, "--cropped"]
    assert 'did you mean "pose"' in fails(capsys, "walk", run, "--factor", "psoe", *ends)
    rdh, rhd = ["--data", "rdh", "--root", runs], ["--data", "rhd", "--root", tmp_path / "rhd"]
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


def test_options_without_an_effect_are_refused(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    a, run, out = runs / "a.png", runs / "synthesis", tmp_path / "new.png"
    box = ["--box", "10,6,44,40", "--handedness", "left"]
    assert main(["estimate", str(a), "--run", str(runs / "estimation"), *box, "--out", str(tmp_path)]) == 0
    capsys.readouterr()
    files = ["synthesise", run, "--pose", a, "--content", a, "--out", out]
    images = ["--data", "images", "--root", runs]
    hand = ["synthesise", run, "--pose", tmp_path / "a.json", "--content", tmp_path / "a.json", "--out", out]
    for command, wrong in (
        ([*files, "--data", "images", "--root", runs], "--data is images, but"),
        ([*files, "--root", runs], "--root is"),
        ([*hand, "--cropped"], "--cropped is about image files"),
        ([*hand, "--handedness", "left"], "--handedness is left, but all hands state their side"),
        ([*files, "--split", "training"], "--split is training, but no data set is named"),
        (["walk", run, "--rotate", "--start", a, "--end", a, "--split", "evaluation"], "--split is eval"),
        (["transfer", run, "--poses", a, "--contents", a, "--split", "evaluation"], "--split is eval"),
        (["estimate", a, "--split", "training"], "--split is training"),
        (["estimate", a, "--root", runs], "--root is"),
        (["estimate", a, "--ids", "0", "1"], "--ids is 0 1"),
        (["estimate", "--data", "images", "--root", runs, "--ids", "0", "--limit", "3"], "--limit is 3, but"),
        (["studio", "--split", "evaluation"], "--split is evaluation"),
        (["evaluate", run, *images, "--split", "evaluation"], "--split is evaluation, but the data set"),
        (["estimate", *images, "--split=training"], '"images" has no splits: leave --split out'),
        (["studio", "--limit", "3"], "--limit is 3, but no data set is named"),
        (["sample", run, tmp_path / "samples", "--split", "training"], "--split is training"),
        (["sample", run, tmp_path / "samples", "--limit", "0"], "--limit is 0"),
        (["synthesise-set", tmp_path / "set", "--split", "training"], "--split is training"),
        (["synthesise-set", tmp_path / "set", "--limit", "2000"], "--limit is 2000"),
        (["sample", run, tmp_path / "samples", "--root", runs], "--root is"),
        (["synthesise-set", tmp_path / "set", "--run", run, "--root", runs], "--root is"),
    ):
        assert wrong in fails(capsys, *command)
    assert not out.exists()


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


@pytest.mark.parametrize(
    "line", ["label a\0b out", "render a\0b", "estimate a.png --out a\0b", "demo --out=a\0"]
)
def test_nul_characters_are_named(line: str, capsys: pytest.CaptureFixture):
    assert r"\x00" in fails(capsys, *line.split(" "))


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
    assert "0.png is a file; give a folder for the outputs" in error
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


@pytest.mark.parametrize(("count", "given", "expected"), [(2, 6, "14"), (4, 4, "1230"), (5, 2, "10")])
def test_evenly_spaced_images_do_not_repeat(count: int, given: int, expected: str):
    samples = [Sample(f"{i}", Path(), "left") for i in range(given)]
    assert evenly_spaced(samples, count, 1) == list(expected)


def test_an_environment_for_lite_alone_gets_one_line(monkeypatch, capsys: pytest.CaptureFixture):
    monkeypatch.setitem(sys.modules, "tyro", None)
    error = fails(capsys, "estimate", "photo.jpg")
    assert "needs the package tyro: pip install latent-hands" in error
    assert "python -m latent_hands.lite" in error
