"""`latent-hands benchmark` on files in the layouts of FreiHAND and HO-3D."""

import errno
import json
import pickle
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from posed_hands import posed_hands
from registries import register
from tiny_models import ESTIMATION, PLACEMENT, noise_image, tiny_model, tiny_run

from latent_hands.cli import main
from latent_hands.cli.benchmarking import score
from latent_hands.detection import Detection, Detector
from latent_hands.errors import HandsError
from latent_hands.evaluation import submissions
from latent_hands.evaluation.benchmarks import BENCHMARKS
from latent_hands.evaluation.camera_hands import joints_mm
from latent_hands.evaluation.convention_gap import convention_gap
from latent_hands.evaluation.submissions import read_submission
from latent_hands.hand.conventions import CONVENTIONS
from latent_hands.hand.skeleton import reorder

COUNT, PX = 3, 96
K = np.array([[120.0, 0, 48], [0, 120, 48], [0, 0, 1]])
RNG = np.random.default_rng(0)
XYZ = (RNG.normal(0, 0.025, (COUNT, 21, 3)) + np.array([0, 0, 0.5])).round(5)
VERTS = (RNG.normal(0, 0.03, (COUNT, 778, 3)) + np.array([0, 0, 0.5])).round(4)


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")


def images(folder: Path, names: list[str]) -> None:
    folder.mkdir(parents=True)
    for i, name in enumerate(names):
        Image.fromarray(noise_image(PX, PX, i)).save(folder / name)


def write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content))


@pytest.fixture
def freihand(tmp_path: Path) -> Path:
    root = tmp_path / "freihand"
    images(root / "evaluation/rgb", [f"{i:08d}.jpg" for i in range(COUNT)])
    write(root / "evaluation_K.json", [K.tolist()] * COUNT)
    write(root / "evaluation_scale.json", [0.03, 0.035, 0.04])
    return root


@pytest.fixture
def ho3d(tmp_path: Path) -> Path:
    root = tmp_path / "ho3d"
    images(root / "evaluation/AP10/rgb", [f"{i:04d}.png" for i in range(COUNT)])
    (root / "evaluation/AP10/meta").mkdir()
    for i in range(COUNT):
        labels = {
            "camMat": K,
            "handJoints3D": np.array([0.01, 0.02, -0.4]),  # OpenGL: y up, z backward
            "handBoundingBox": [20, 24, 60, 70],
            "objName": "bleach",
        }
        (root / f"evaluation/AP10/meta/{i:04d}.pkl").write_bytes(pickle.dumps(labels, protocol=2))
    (root / "evaluation.txt").write_text("".join(f"AP10/{i:04d}\n" for i in range(COUNT)))
    return root


OPENGL = np.array([1, -1, -1])


def answered(root: Path, axes: object = 1) -> Path:
    write(root / "evaluation_xyz.json", (XYZ * axes).tolist())
    write(root / "evaluation_verts.json", (VERTS * axes).tolist())
    return root


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(
        Detector, "detect", lambda *_: [Detection((20.0, 20.0, 50.0, 50.0), "right", 0.9, 0.9)]
    )
    return str(tiny_run(tmp_path / "run", PLACEMENT))


def benchmark(protocol: str, root: Path, *options: object) -> int:
    return main(["benchmark", protocol, "--root", str(root), *map(str, options)])


def submitted(path: Path) -> np.ndarray:
    with zipfile.ZipFile(path) as file:
        assert file.namelist() == ["pred.json"]
        xyz, verts = json.loads(file.read("pred.json"))
    assert len(xyz) == len(verts)
    return np.array(xyz)


def test_freihand_is_submitted_in_metres_without_published_answers(freihand, run, tmp_path, capsys):
    assert benchmark("freihand", freihand, "--run", run, "--out", tmp_path / "a/pred.zip") == 0
    xyz = submitted(tmp_path / "a/pred.zip")
    assert xyz.shape == (COUNT, 21, 3)
    assert (xyz[..., 2].mean(axis=1) > 0).all()
    assert "submit the file to the server" in " ".join(capsys.readouterr().out.split())


def test_ho3d_has_the_given_wrist_in_the_axes_of_opengl(ho3d, run, tmp_path):
    assert benchmark("ho3d", ho3d, "--run", run, "--out", tmp_path / "pred.zip", "--json") == 0
    xyz = submitted(tmp_path / "pred.zip")
    np.testing.assert_allclose(xyz[:, 0], [[0.01, 0.02, -0.4]] * COUNT, atol=1e-5)


@pytest.mark.parametrize(("protocol", "order"), [("freihand", "mediapipe"), ("ho3d", "mano")])
def test_submitted_joints_are_those_of_the_camera_frame(protocol, order):
    xyz_mm = RNG.normal(0, 100, (2, 21, 3)).astype(np.float32)
    back = reorder(BENCHMARKS[protocol].submitted(xyz_mm) * 1000, order, "rhd")
    sign = [1, -1, -1] if protocol == "ho3d" else [1, 1, 1]
    np.testing.assert_allclose(back * sign, xyz_mm, rtol=1e-5)


def test_the_given_wrist_gives_the_size_of_the_hand():
    """A hand of twice the size at twice the distance looks the same."""
    hand = tiny_model(PLACEMENT, frame="ray").find(
        noise_image(PX, PX), boxes=[(20.0, 20.0, 50.0, 50.0)], handedness="right", K=K.astype(np.float32)
    )[0]
    placed = joints_mm(hand, None)
    twice = joints_mm(hand, 2 * placed[0])
    np.testing.assert_allclose(twice, 2 * placed, rtol=1e-4, atol=0.1)


@pytest.mark.parametrize("protocol", ["freihand", "ho3d"])
def test_the_published_answers_score_perfectly(protocol, freihand, ho3d, tmp_path, capsys):
    axes = {"freihand": np.ones(3), "ho3d": OPENGL}[protocol]
    root = answered({"freihand": freihand, "ho3d": ho3d}[protocol], axes)
    write(tmp_path / "pred.json", [(XYZ * axes).tolist(), (VERTS * axes).tolist()])
    assert benchmark(protocol, root, "--predictions", tmp_path / "pred.json", "--json") == 0
    numbers = json.loads(capsys.readouterr().out)
    assert numbers["pa_mpjpe_mm"] == pytest.approx(0, abs=1e-4)
    assert numbers["camera_mpjpe_mm"] == numbers["mesh_mm"] == 0
    assert numbers["mesh_f_5"] == numbers["pa_mesh_f_15"] == 1


def test_the_convention_of_a_submission_is_named_with_the_error_that_it_leaves(
    freihand, run, tmp_path, capsys, monkeypatch
):
    """With a table of "mano", joints are translated into it, and no error is left."""
    own, other, mano = (tmp_path / f"{name}.zip" for name in ("own", "other", "mano"))
    assert benchmark("freihand", answered(freihand), "--run", run, "--out", own) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "joints submitted in the convention rhd_bones, labels in mano, which has no table" in text
    command = ["--run", run, "--convention", "stb", "--json", "--out"]
    assert benchmark("freihand", freihand, *command, other) == 0
    numbers = json.loads(capsys.readouterr().out)
    assert numbers["convention"] == "stb"
    low, high = numbers["convention_gap"]["pa_mpjpe_mm"]
    assert 0 < low < high < 6
    register(monkeypatch, CONVENTIONS, "mano", CONVENTIONS["stb"])
    assert benchmark("freihand", freihand, "--run", run, "--json", "--out", mano) == 0
    numbers = json.loads(capsys.readouterr().out)
    assert numbers["convention"] == "mano"
    assert "convention_gap" not in numbers
    np.testing.assert_allclose(submitted(mano), submitted(other), atol=1e-5)
    assert np.abs(submitted(mano) - submitted(own)).max() > 1e-4


def test_exact_hands_of_a_convention_differ_from_all_others():
    for bone_given in (True, False):
        gaps = convention_gap("rhd", bone_given)
        assert gaps["pa_mpjpe_mm"][1] < gaps["root_relative_mpjpe_mm"][1]
        assert all(0 < low <= high for low, high in gaps.values())
    with pytest.raises(HandsError, match="mano"):
        convention_gap("mano", True)


def test_predictions_of_joints_only_have_no_f_score(freihand, run, tmp_path, capsys):
    assert benchmark("freihand", answered(freihand), "--run", run, "--out", tmp_path / "pred.zip") == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "Procrustes aligned" in out
    assert "F-scores need the vertices of a mesh; these predictions are joints only" in out
    _, xyz_mm, _ = read_submission(tmp_path / "pred.zip")
    assert xyz_mm.shape == (COUNT, 21, 3)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([XYZ.tolist()], r"must be \[joints, vertices\] of all images"),
        ([XYZ[:, :20].tolist(), []], "has the shape"),
        ("text", r"must be \[joints, vertices\] of all images"),
    ],
)
def test_files_of_another_form_are_refused(freihand, tmp_path, capsys, content, message):
    write(tmp_path / "pred.json", content)
    assert benchmark("freihand", answered(freihand), "--predictions", tmp_path / "pred.json") == 2
    assert re.search(message, capsys.readouterr().err)


def test_missing_files_and_unfit_runs_are_named(freihand, ho3d, tmp_path, capsys):
    small = tiny_run(tmp_path / "small", ESTIMATION)
    assert benchmark("freihand", freihand, "--run", small) == 2
    assert 'no decoder of "uv"' in capsys.readouterr().err
    (freihand / "evaluation_scale.json").unlink()
    assert benchmark("freihand", freihand) == 2
    assert "evaluation_scale.json" in capsys.readouterr().err
    (ho3d / "evaluation.txt").write_text("../../secret\n")
    assert benchmark("ho3d", ho3d) == 2
    assert "must be SEQUENCE/NUMBER" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", ["pred", "truth"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda xyz: 1000 * xyz, "read as metres: .* look like millimetres read as metres"),
        (lambda xyz: 100 * xyz, "read as metres: the middle MCP-PIP bone"),
        (lambda xyz: xyz * OPENGL, "has hands behind the camera; z must point forward"),
        (lambda xyz: reorder(xyz, "mediapipe", "rhd"), 'must list joints in the order "mediapipe"'),
        (lambda xyz: reorder(xyz, "mediapipe", "mano"), 'must list joints in the order "mediapipe"'),
    ],
)
def test_joints_in_another_form_are_not_scored(wrong, change, message, freihand, tmp_path, capsys):
    right = np.stack([reorder(hand.xyz_mm, "rhd", "mediapipe") for hand in posed_hands(8)]) / 1000
    pred, truth = (change(right) if wrong == name else right for name in ("pred", "truth"))
    write(freihand / "evaluation_xyz.json", truth.tolist())
    write(tmp_path / "pred.json", [pred.tolist(), pred.tolist()])
    assert benchmark("freihand", freihand, "--predictions", tmp_path / "pred.json") == 2
    assert re.search(message, capsys.readouterr().err)


def test_a_submission_of_some_images_is_announced(freihand, tmp_path, caplog):
    write(tmp_path / "pred.json", [XYZ[:2].tolist(), VERTS[:2].tolist()])
    assert benchmark("freihand", answered(freihand), "--predictions", tmp_path / "pred.json") == 0
    assert "has 3 hands; scored are the first 2" in caplog.text


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("handJoints3D", np.array([10.0, 20, -400]), "must be metres with the axes of OpenGL"),
        ("handJoints3D", np.array([0.01, -0.02, 0.4]), "must be metres with the axes of OpenGL"),
        ("handJoints3D", np.full(3, np.nan), "must be metres with the axes of OpenGL"),
        ("handBoundingBox", [20, 64, 10, 30], r"is \[20.0, 64.0, 10.0, 30.0\]; it must be corners"),
        ("handBoundingBox", [10, 10, 44, 44], "of 3 images .* are beside their boxes, but inside"),
        ("handBoundingBox", [45, 40, 52, 46], "of 3 images .* are not 40 to 400 mm large"),
        ("handBoundingBox", [0.2, 0.25, 0.6, 0.7], "sides away from their boxes"),
        ("camMat", np.diag([35.0, 35, 1]), "sides away from their boxes"),
    ],
)
def test_frames_in_another_form_are_refused(key, value, message, ho3d):
    for path in (ho3d / "evaluation/AP10/meta").iterdir():
        labels = pickle.loads(path.read_bytes())
        path.write_bytes(pickle.dumps(labels | {key: value}, protocol=2))
    with pytest.raises(HandsError, match=message):
        BENCHMARKS["ho3d"].frames(ho3d)


@pytest.mark.parametrize(("lines", "count"), [("AP10/0000\n" * 2, "2 lines of 1"), ("\n", "0 lines of 0")])
def test_lists_of_no_or_repeated_images_are_refused(lines, count, ho3d):
    (ho3d / "evaluation.txt").write_text(lines)
    with pytest.raises(HandsError, match=f"has {count} images; each must be there once"):
        BENCHMARKS["ho3d"].frames(ho3d)


@pytest.mark.parametrize(
    ("verts", "message"),
    [
        (VERTS[:2].tolist(), "the vertices of .* must be a list of 3 hands, or empty, not 2"),
        (None, "the vertices of .* must be a list of 3 hands, or empty, not a NoneType"),
        ([1, 2, 3], "the vertices of a hand of .* must be a list"),
    ],
)
def test_vertices_of_other_numbers_of_hands_are_refused(verts, message, freihand, tmp_path, capsys):
    write(tmp_path / "pred.json", [XYZ.tolist(), verts])
    assert benchmark("freihand", answered(freihand), "--predictions", tmp_path / "pred.json") == 2
    assert re.search(message, capsys.readouterr().err)


@pytest.mark.parametrize("truth", [False, True])
@pytest.mark.parametrize(
    "change", [lambda v: 1000 * v, lambda v: v * OPENGL, lambda v: v - XYZ[:, :1], lambda v: 0 * v]
)
def test_vertices_away_from_their_joints_are_announced_and_not_scored(
    change, truth, freihand, tmp_path, capsys, caplog
):
    own, published = (change(VERTS).tolist() if truth == each else VERTS.tolist() for each in (False, True))
    root = answered(freihand)
    write(root / "evaluation_verts.json", published)
    write(tmp_path / "pred.json", [XYZ.tolist(), own])
    assert benchmark("freihand", root, "--predictions", tmp_path / "pred.json", "--json") == 0
    assert "mm away from its joints (median), so the mesh is not scored" in caplog.text
    assert not any("mesh" in name for name in json.loads(capsys.readouterr().out))


def test_answers_that_are_no_list_and_options_without_effect_are_refused(freihand, tmp_path, capsys):
    write(tmp_path / "pred.json", [XYZ.tolist(), []])
    command = ("freihand", answered(freihand), "--predictions", tmp_path / "pred.json")
    assert benchmark(*command) == 0
    for option in (("--rotations", "2"), ("--out", "a.zip"), ("--run", "x"), ("--convention", "stb")):
        assert benchmark(*command, *option) == 2
        assert f"without effect, because --predictions is given: {option[0]}" in capsys.readouterr().err
    assert benchmark("freihand", freihand, "--out", tmp_path / "a.txt") == 2
    assert "a.txt; it must end in .zip" in capsys.readouterr().err
    write(freihand / "evaluation_xyz.json", {"xyz": XYZ.tolist()})
    assert benchmark(*command) == 2
    assert "must be a list with an entry for each image, not a dict" in capsys.readouterr().err


@pytest.mark.parametrize("answered_set", [True, False])
def test_scores_are_printed_even_if_the_submission_cannot_be_written(
    answered_set, freihand, run, tmp_path, monkeypatch, capsys
):
    def full(path, data):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    root = answered(freihand) if answered_set else freihand
    assert benchmark("freihand", root, "--run", run, "--json", "--out", tmp_path / "a.zip") == 0
    expected = json.loads(capsys.readouterr().out)
    monkeypatch.setattr(submissions, "write_bytes", full)
    assert benchmark("freihand", root, "--run", run, "--json", "--out", tmp_path / "b.zip") == 2
    printed = capsys.readouterr()
    assert json.loads(printed.out) | {"predictions": ""} == expected | {"predictions": ""}
    assert f"{tmp_path / 'b.zip'}: No space left on device" in printed.err
    written = score("freihand", root, read_submission(tmp_path / "a.zip"), None, given=False)
    assert written == {name: value for name, value in expected.items() if name in written}
