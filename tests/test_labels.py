"""Labels in a wrong unit or without a side are refused in scoring and in training."""

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import jaxtyping
import numpy as np
import pytest
import tiny_hands
import torch
from painted_hands import painted_hands
from PIL import Image
from posed_hands import SIZE_PX, posed_hands
from tiny_models import ESTIMATION, tiny_model

from latent_hands.api import evaluate
from latent_hands.configuration import load_experiment
from latent_hands.data import Sample
from latent_hands.data.checks import check_labels, check_samples, check_unit
from latent_hands.data.crops import build_windows
from latent_hands.data.sample import with_handedness
from latent_hands.doctor import check
from latent_hands.errors import HandsError
from latent_hands.evaluation.scoring import score_run
from latent_hands.hand.handedness import OTHER_HAND
from latent_hands.hand.skeleton import BONE_RANGE_MM, reorder
from latent_hands.training import train


def scaled(samples: list[Sample], factor: float) -> list[Sample]:
    return [replace(sample, xyz_mm=sample.xyz_mm * factor) for sample in samples]


@pytest.mark.parametrize(
    ("factor", "looks"),
    [
        (0.001, "look like metres, not millimetres"),
        (0.1, "look like centimetres, not millimetres"),
        (1000.0, "look like millimetres read as metres"),
        (0.3, "No known unit"),
    ],
)
def test_labels_in_another_unit_are_not_scored(tmp_path: Path, factor: float, looks: str):
    samples = scaled(painted_hands(tmp_path, 3), factor)
    with pytest.raises(HandsError, match=f"{looks}.*latent-hands check"):
        score_run(tiny_model(ESTIMATION), samples, "evaluation")


@pytest.mark.parametrize("bone_mm", BONE_RANGE_MM)
def test_bones_of_all_hands_are_legal(bone_mm: float):
    check_unit(bone_mm)


@pytest.mark.parametrize("which", ["training", "validation"])
@pytest.mark.parametrize("broken", ["unit", "side"])
def test_training_refuses_such_labels(tmp_path: Path, which: str, broken: str):
    hands = tiny_hands.hands()
    windows = getattr(hands, which)
    change = {"bone_mm": windows.bone_mm / 1000} if broken == "unit" else {"right": None}
    hands = replace(hands, **{which: windows.with_labels(**change)})
    message = "look like metres" if broken == "unit" else "labelled as left or right"
    with pytest.raises(HandsError, match=message):
        train(load_experiment("demo_estimation", tiny_hands.TINY), tmp_path / "run", hands=hands)
    assert not (tmp_path / "run" / "weights.safetensors").exists()


def test_hands_without_a_side_are_not_scored(tmp_path: Path):
    samples = [replace(sample, handedness=None) for sample in painted_hands(tmp_path, 3)]
    with pytest.raises(HandsError, match="none of 3 hands is labelled as left or right"):
        score_run(tiny_model(ESTIMATION), samples, "evaluation")


def test_swapped_sides_are_refused():
    hands = posed_hands(24)
    xyz_mm = torch.from_numpy(np.stack([h.xyz_mm for h in hands if h.xyz_mm is not None]))
    right = torch.tensor([hand.handedness == "right" for hand in hands])
    windows = replace(tiny_hands.windows(24), right_hands="condition")
    check_labels(windows.with_labels(xyz_mm=xyz_mm, right=right))
    with pytest.raises(HandsError, match="bend like hands of the other side than labelled"):
        check_labels(windows.with_labels(xyz_mm=xyz_mm, right=~right))


def test_sides_that_a_tenth_of_the_hands_contradicts_are_refused_and_of_single_hands_announced(caplog):
    hands = posed_hands(48)
    xyz_mm = torch.from_numpy(np.stack([h.xyz_mm for h in hands if h.xyz_mm is not None]))
    right = torch.tensor([hand.handedness == "right" for hand in hands])
    windows = replace(tiny_hands.windows(48), right_hands="condition")
    check_labels(windows.with_labels(xyz_mm=xyz_mm, right=right))
    assert "other side" not in caplog.text
    few = torch.arange(48) < 3
    check_labels(windows.with_labels(xyz_mm=xyz_mm, right=right ^ few))
    assert "bend like hands of the other side than labelled; run" in caplog.text
    quarter = torch.arange(48) % 4 == 0
    for wrong in (torch.ones(48, dtype=torch.bool), torch.zeros(48, dtype=torch.bool), right ^ quarter):
        with pytest.raises(HandsError, match="bend like hands of the other side than labelled: sides"):
            check_labels(windows.with_labels(xyz_mm=xyz_mm, right=wrong))


def test_one_hand_in_another_unit_is_named():
    windows = tiny_hands.windows(12)
    bone_mm = windows.bone_mm.clone()
    bone_mm[3] /= 1000
    with pytest.raises(
        HandsError, match=rf"bone of 1 of 12 hands is not .* of {windows.names[3]}: they seem"
    ):
        check_labels(windows.with_labels(bone_mm=bone_mm))


@pytest.mark.parametrize("order", ["stb", "mediapipe", "mano", "interhand", "hands2017"])
def test_another_order_of_2d_joints_is_refused_and_reported(order, tmp_path: Path):
    Image.new("RGB", SIZE_PX).save(tmp_path / "a.png")
    bare = [replace(h, image=tmp_path / "a.png", xyz_mm=None, K=None) for h in posed_hands(24)]
    build_windows(bare, window_px=16)
    assert not [each for each in check(bare).problems if each.kind == "convention"]
    wrong = [replace(hand, uv_px=reorder(hand.uv_px, "rhd", order)) for hand in bare]
    with pytest.raises(HandsError, match=r'the 2D joints of 24 hands are in the order ".*", not in "rhd"'):
        build_windows(wrong, window_px=16)
    (problem,) = [each for each in check(wrong).problems if each.kind == "convention"]
    assert problem.where == "2D joints"


@pytest.mark.parametrize("order", ["stb", "mediapipe", "mano", "interhand"])
def test_another_order_of_joints_is_refused(order):
    xyz_mm = np.stack([reorder(hand.xyz_mm, "rhd", order) for hand in posed_hands(24)])
    windows = tiny_hands.windows(24).with_labels(xyz_mm=torch.from_numpy(xyz_mm))
    with pytest.raises(HandsError, match=r'the joints of 24 hands are in the order ".*", not in "rhd"'):
        check_labels(windows)


def test_a_side_can_be_given_to_hands_without_one(tmp_path: Path, caplog):
    model, samples = tiny_model(ESTIMATION), painted_hands(tmp_path, 4)
    samples = [replace(sample, handedness="left") for sample in samples]
    bare = [replace(sample, handedness=None) for sample in samples[:3]] + samples[3:]
    assert evaluate(model, bare, handedness="left") == evaluate(model, samples)
    assert "3 of 4 hands have no labelled side and count as left hands" in caplog.text
    with pytest.raises(HandsError, match='unknown handedness "Left"; did you mean "left"'):
        evaluate(model, bare, handedness="Left")


def test_images_alone_need_neither(tmp_path: Path):
    bare = [Sample(sample.name, sample.image) for sample in painted_hands(tmp_path, 2)]
    check_labels(build_windows(bare, window_px=16))


def test_without_visibility_all_joints_count_as_visible(tmp_path: Path):
    model, samples = tiny_model(ESTIMATION), painted_hands(tmp_path, 3)
    without = [replace(sample, visible=None) for sample in samples]
    every = [replace(sample, visible=np.ones(21, bool)) for sample in samples]
    assert score_run(model, without, "e") == score_run(model, every, "e")


def test_what_is_missing_is_named(tmp_path: Path):
    blind = [replace(sample, xyz_mm=None) for sample in painted_hands(tmp_path, 2)]
    with pytest.raises(HandsError, match=r"no 3D joints \(xyz_mm\)"):
        score_run(tiny_model(ESTIMATION), blind, "evaluation")
    unseen = [replace(sample, K=None) for sample in painted_hands(tmp_path, 2)]
    with pytest.raises(HandsError, match="needs the camera K"):
        score_run(tiny_model(ESTIMATION, frame="ray"), unseen, "evaluation")


@pytest.fixture
def as_users_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Users run without the shape checks of the tests, and may pass lists."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


@pytest.mark.usefixtures("as_users_run")
def test_lists_and_doubles_are_the_same_labels(tmp_path: Path):
    (sample,) = painted_hands(tmp_path, 1)
    given = {name: getattr(sample, name) for name in ("xyz_mm", "uv_px", "visible", "K")}
    lists = Sample("0", str(sample.image), "left", **{name: each.tolist() for name, each in given.items()})
    doubles = Sample("0", sample.image, "left", **{n: each.astype(float) for n, each in given.items()})
    for made in (lists, doubles):
        assert made.image == sample.image
        for name, array in given.items():
            assert getattr(made, name).dtype == array.dtype
            np.testing.assert_array_equal(getattr(made, name), array)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("xyz_mm", np.zeros((20, 3)), r'"xyz_mm" of sample 7 has the shape \(20, 3\); it must be \(21, 3\)'),
        ("uv_px", np.zeros((21, 3)), r"it must be \(21, 2\)"),
        ("visible", [True] * 3, r"it must be \(21,\)"),
        ("K", [[1, 2], [3]], '"K" of sample 7 is not an array of numbers'),
        ("visible", [0.4] * 21, r'"visible" of sample 7 is \[0.4, .* must be true or false for each joint'),
        ("visible", [2] * 21, "must be true or false"),
        ("labelled", ["0"] * 21, "must be true or false"),
        ("visible", [None] * 21, "must be true or false"),
        ("xyz_mm", np.ones((21, 3), bool), '"xyz_mm" of sample 7 is not an array of numbers: True'),
        ("xyz_mm", np.ones((21, 3), complex), "is not an array of numbers"),
        ("uv_px", torch.zeros(21, 2, requires_grad=True), "is not an array of numbers"),
        ("root", "middle_mcp", 'must be "wrist" or "palm"'),
    ],
)
@pytest.mark.usefixtures("as_users_run")
def test_labels_of_other_shapes_and_values_are_refused(field: str, value: object, message: str):
    with pytest.raises(HandsError, match=message):
        Sample("7", Path("7.png"), **{field: value})


@pytest.mark.parametrize(
    ("field", "values"),
    {
        "handedness": ("Right", "right ", "", 1),
        "weight": (-1.0, float("nan"), float("inf"), "1"),
        "size_px": ((0, 96), (96.5, 96), 96, "96"),
        "block": (3,),
        "convention": (3,),
    }.items(),
)
@pytest.mark.usefixtures("as_users_run")
def test_samples_with_other_labels_that_are_none_are_refused(field, values):
    for value in values:
        with pytest.raises(HandsError, match=rf"sample 7 \(7.png\) has the {field} .*; it must be "):
            Sample("7", Path("7.png"), **{field: value})
    Sample("7", Path("7.png"), "left", weight=np.float32(0.5), size_px=(np.int64(96), 1), block="b")


def test_samples_keep_their_labels_if_a_loop_uses_one_buffer():
    buffer, samples = np.zeros((21, 3), np.float32), list[Sample]()
    for number in range(2):
        buffer[:] = number
        samples.append(Sample(str(number), Path("7.png"), xyz_mm=buffer))
    assert [each.xyz_mm.mean() for each in samples] == [0, 1]


def test_the_camera_gives_the_joints_of_the_image(tmp_path: Path):
    (sample,) = painted_hands(tmp_path, 1)
    bare = replace(sample, uv_px=None, visible=None)
    np.testing.assert_allclose(bare.projected().uv_px, sample.uv_px, atol=1e-3)
    assert bare.projected().visible.all()
    np.testing.assert_array_equal(sample.projected().uv_px, sample.uv_px)
    assert replace(bare, K=None).projected().uv_px is None
    sides_px = build_windows([bare.projected()], window_px=16).crop_side_px
    assert torch.allclose(sides_px, build_windows([replace(sample, visible=None)], window_px=16).crop_side_px)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda sample: replace(sample, xyz_mm=sample.xyz_mm / 1000), "metres, not millimetres"),
        (lambda sample: replace(sample, xyz_mm=sample.xyz_mm / 10), "centimetres, not millimetres"),
        (
            lambda sample: replace(sample, xyz_mm=sample.xyz_mm * np.float32([1, -1, -1])),
            "lie behind the camera",
        ),
        (
            lambda sample: replace(sample, handedness=OTHER_HAND[sample.handedness]),
            "of the other side than labelled",
        ),
        (lambda sample: replace(sample, xyz_mm=reorder(sample.xyz_mm, "rhd", "mediapipe")), "in the order"),
        (lambda sample: replace(sample, xyz_mm=None, K=None), None),
        (lambda sample: sample, None),
    ],
)
def test_samples_are_refused_like_sets(change, message):
    """`estimate --data` showed an error of 0.1 mm for labels in metres."""
    changed = [change(sample) for sample in posed_hands(40)]
    with pytest.raises(HandsError, match=message) if message else nullcontext():
        check_samples(changed)


def test_a_side_for_hands_that_all_have_one_is_announced(tmp_path: Path, caplog):
    samples = [replace(sample, handedness="left") for sample in painted_hands(tmp_path, 2)]
    assert with_handedness(samples, "right") == samples
    assert "all 2 hands have a labelled side, so handedness right has no effect" in caplog.text
