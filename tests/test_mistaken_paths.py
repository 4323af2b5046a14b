"""Wrong folders: one line names the thing, and says what was probably meant."""

import shutil
from pathlib import Path

import pytest
from posed_hands import posed_hands, write_rhd
from refusals import refuse
from tiny_models import ESTIMATION, tiny_model

import latent_hands as lh
from latent_hands import lite
from latent_hands.data import open_data
from latent_hands.data.readers.recognising import layout_of
from latent_hands.doctor import check_set
from latent_hands.errors import HandsError
from latent_hands.mistaken_paths import meant
from latent_hands.runs.folder import find_run
from latent_hands.runs.shipped import shipped_runs


@pytest.fixture(scope="module")
def sets(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("sets")
    write_rhd(folder / "data" / "rhd", posed_hands(2))
    shutil.make_archive(str(folder / "rhd"), "zip", folder / "data" / "rhd")
    (folder / "empty").mkdir()
    (folder / "file.txt").write_text("text")
    (folder / "coco" / "annotations").mkdir(parents=True)
    (folder / "coco" / "annotations" / "evaluation.json").write_text("{}")
    (folder / "run").mkdir()
    (folder / "run" / "experiment.toml").touch()
    return folder


WRONG = {
    "data": r"did you mean .*data/rhd \(--data rhd\)\?",
    "data/rhd/evaluation": r"did you mean .*data/rhd \(--data rhd\)\?",
    "data/rhd/evaluation/color": r"did you mean .*data/rhd \(--data rhd\)\?",
    "empty": "empty is empty",
    "file.txt": "file.txt is a file: give the folder of the data set",
    "rhd.zip": "rhd.zip is an archive: unpack it, and give the folder",
    "coco": r'coco has the layout of "coco" \(--data coco\)',
    "run": "run is a run folder, not a data set",
    "data/rhd ": 'data/rhd" exists: leave out the spaces or quotes around it',
    "dat*/rhd": "it is a pattern that the shell did not replace: it matches .*data/rhd",
    "data/rdh": "did you mean .*data/rhd",
    "daten/rhd": "has no daten|did you mean .*data/rhd",
}


@pytest.mark.parametrize("path", WRONG)
@pytest.mark.parametrize(
    "use", [lambda root: open_data("rhd", root, "evaluation"), lambda root: check_set("rhd", root)]
)
def test_wrong_folders_of_data_are_explained(sets, path, use):
    refuse(use, sets / path, match=WRONG[path])


@pytest.mark.parametrize("name", ["stb", "freihand", "coco", "ge2019", "table", "stb-poses"])
def test_a_set_of_another_layout_is_named(sets, name):
    refuse(open_data, name, sets / "data/rhd", "evaluation", match=r'has the layout of "rhd" \(--data rhd\)')


def test_a_set_that_is_read_as_itself_gets_no_advice(sets):
    assert len(open_data("rhd", sets / "data/rhd", "evaluation")) == 2
    with pytest.raises(HandsError) as error:
        open_data("rhd", sets / "data/rhd", "training")
    assert "did you mean" not in str(error.value)
    assert "layout of" not in str(error.value)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("~/sets/rhd", "the shell replaces ~ only .*: write /"),
        ("C:\\sets\\rhd", "path of Windows: write C:/sets/rhd on Windows, or /mnt/c/sets/rhd in WSL"),
        ("\\\\server\\sets", "path of Windows"),
        ("/no/such/*.jpg", "nothing matches it"),
    ],
)
def test_paths_that_no_program_can_open_are_explained(path, message):
    refuse(open_data, "rhd", path, "evaluation", match=message)
    if path[0] != "C" and path[0] != "\\":
        refuse(find_run, path, match=message)


def test_other_folders_in_the_place_of_a_run_are_named(sets, tmp_path: Path):
    refuse(find_run, sets / "data/rhd", match='it is a data set in the layout of "rhd"')
    refuse(find_run, sets / "run/experiment.toml", match="it is a file: give the folder .*run")
    refuse(find_run, sets, match="did you mean .*run")
    refuse(find_run, f"{sets}/run ", match='run" exists')
    detector = shipped_runs()["estimation"].parent / "detection"
    refuse(find_run, detector, match="it is a detector, not a model of hands")


def test_an_existing_path_has_no_better_one(sets):
    assert layout_of(sets / "data/rhd") == "rhd"
    assert layout_of(sets / "empty") is None
    assert meant(sets / "nothing-like-it") == ""


PATHS = {
    "root": [
        lambda path: open_data("rendered", path, "evaluation"),
        lambda path: lh.evaluate("estimation", "rhd", path),
        lambda path: lh.check("rhd", path),
        lambda path: lh.export_data("rhd", path, "out", layout="coco"),
        lambda path: lh.read_counterfactual(path, "evaluation"),
    ],
    "out": [
        lambda path: lh.render(path, count=1),
        lambda path: lh.render_counterfactual(path),
        lambda path: lh.train("demo_estimation", path),
        lambda path: lh.export_model("estimation", path),
        lambda path: lh.export_data("rhd", "root", path, layout="coco"),
        lambda path: lh.synthesise_set(path, "synthesis", count=1),
    ],
    "path": [
        lh.read_hands,
        lh.read_boxes,
        lambda path: lh.write_hands(path, []),
        lambda path: tiny_model(ESTIMATION).save(path),
    ],
    "an image": [lambda path: lh.write_hands("hands.csv", {path: []})],
    "experiment": [lh.experiment],
    "folder": [lite.load],
}


@pytest.mark.usefixtures("as_users_run")
@pytest.mark.parametrize("path", [None, 3, True, b"folder", ("a", "b"), "a\0b"], ids=repr)
def test_other_things_in_the_place_of_a_path_are_named(path, tmp_path):
    for name, uses in PATHS.items():
        for use in uses:
            refuse(use, path, match=f"^{name} is (missing|.*; it must be a text such as)")
    assert not list(tmp_path.iterdir())
