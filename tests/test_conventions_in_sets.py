"""Joint conventions of sets: labels, rendered hands, scores and trainings."""

import dataclasses
import json
import re

import numpy as np
import pytest
import torch
from conftest import SHARED
from painted_hands import painted_hand
from registries import register

from latent_hands.configuration import Data
from latent_hands.data import READERS, open_data, read_rgb
from latent_hands.data.readers.rendered import read_rendered
from latent_hands.errors import HandsError
from latent_hands.evaluation.protocol import Truth, score
from latent_hands.evaluation.scoring import translated
from latent_hands.hand.bending import CURLED, left_curl
from latent_hands.hand.conventions import (
    CONVENTIONS,
    recorded,
)
from latent_hands.hand.geometry import canonicalise, normalise, to_palm, to_wrist
from latent_hands.hand.rig.articulation import neutral
from latent_hands.hand.rig.model import HandModel
from latent_hands.hand.rig.proportions import (
    Proportions,
    mean_hand,
)
from latent_hands.hand.skeleton import FINGERS, reorder
from latent_hands.hand.translation import in_convention, random_points, translate
from latent_hands.predictor.rotations import Prediction
from latent_hands.studies.joint_conventions import draw_conventions, labelled_left_hands
from latent_hands.training.feeds import check_joints

SMALL = {"size_px": 48, "seed": 3, "evaluation_count": 0, "workers": 1, "progress": False}


def test_labels_for_a_fit_are_left_hands_with_the_wrist(tmp_path):
    hands = reorder(mean_hand()[:3, :21], "rhd", "stb")
    np.save(tmp_path / "hands.npy", hands)
    read = labelled_left_hands("mine", tmp_path / "hands.npy", order="stb")
    np.testing.assert_array_equal(read, reorder(hands, "stb", "rhd"))
    if (SHARED / "ge2019").is_dir():
        sample = open_data("ge2019", SHARED / "ge2019", "evaluation", limit=1)[0]
        read = labelled_left_hands("ge2019", SHARED / "ge2019", "evaluation")
        np.testing.assert_allclose(read[0], left(sample), atol=1e-3)


@pytest.mark.parametrize(
    ("points", "order", "message"),
    [
        (lambda hands: hands, "mediapipe", "have not the proportions of hands"),
        (
            lambda hands: np.random.default_rng(0).normal(size=hands.shape),
            None,
            "have not the proportions of hands",
        ),
        (lambda hands: hands * np.nan, "rhd", "hand 0 of .* has joints that are not finite"),
        (lambda hands: hands[0], "rhd", r"holds float\d+ \(21, 3\), but must hold floats \(n, 21, 3\)"),
        (None, "rhd", "is not a readable .npy file"),
    ],
)
def test_points_that_are_no_hands_in_their_order_are_refused(points, order, message, tmp_path):
    if points is not None:
        np.save(tmp_path / "hands.npy", points(mean_hand()[:3, :21]))
    with pytest.raises(HandsError, match=message):
        labelled_left_hands("mine", tmp_path / "hands.npy", order=order)


def test_right_hands_are_refused_and_some_are_announced(tmp_path, caplog):
    hands = in_convention(random_points(40, seed=3), "rhd").numpy()
    hands = to_wrist(torch.from_numpy(hands)).numpy()
    np.save(tmp_path / "left.npy", hands)
    assert len(labelled_left_hands("mine", tmp_path / "left.npy", order="rhd")) == 40
    assert not caplog.text
    np.save(tmp_path / "right.npy", hands * [-1, 1, 1])
    with pytest.raises(
        HandsError, match=r"(\d+) of \1 hands of .*right.npy with bent fingers bend like right"
    ):
        labelled_left_hands("mine", tmp_path / "right.npy", order="rhd")
    mixed = np.concatenate([hands[:30], hands[30:] * [-1, 1, 1]])
    np.save(tmp_path / "mixed.npy", mixed)
    assert len(labelled_left_hands("mine", tmp_path / "mixed.npy", order="rhd")) == 40
    assert "bend like right hands; a convention is fitted to left hands" in caplog.text


def test_right_hands_with_straight_fingers_are_refused_by_their_palms(tmp_path, caplog):
    hands = in_convention(random_points(40, seed=3), "rhd")
    flat = to_wrist(hands)[np.abs(left_curl(hands.numpy())) < CURLED].numpy()
    np.save(tmp_path / "left.npy", flat)
    assert len(labelled_left_hands("mine", tmp_path / "left.npy", order="rhd")) == len(flat) > 2
    assert not caplog.text
    np.save(tmp_path / "right.npy", flat * [-1, 1, 1])
    with pytest.raises(HandsError, match=r"right.npy have straight fingers, .* and the palms of right hands"):
        labelled_left_hands("mine", tmp_path / "right.npy", order="rhd")


def test_straight_fingers_and_palms_in_a_plane_announce_that_the_side_is_unknown(tmp_path, caplog):
    model = HandModel.load()
    points = model.pose(model.identity(np.zeros(12)), neutral()).points[None, :21] * [-1, 1, 1]
    pose, _ = normalise(to_palm(torch.from_numpy(points)))
    plane = to_wrist(canonicalise(pose)[0] * torch.tensor([1, 1, 0]))
    np.save(tmp_path / "plane.npy", plane.numpy())
    labelled_left_hands("mine", tmp_path / "plane.npy", order="rhd")
    assert "nor do their palms: make sure that they are left hands" in caplog.text


def test_an_order_and_hands_without_sides_of_a_data_set_are_refused(tmp_path, monkeypatch):
    hands = [painted_hand(tmp_path, "a", side=None)]
    register(monkeypatch, READERS, "mine", lambda *_, **__: hands)
    with pytest.raises(HandsError, match="order is stb, but readers of data sets know the order"):
        labelled_left_hands("mine", tmp_path, order="stb")
    with pytest.raises(HandsError, match='has no "handedness"'):
        labelled_left_hands("mine", tmp_path)


def test_conventions_are_drawn_over_a_hand(tmp_path):
    pytest.importorskip("warp", reason="warp-lang is not installed: pip install 'latent-hands[render]'")
    draw_conventions(tmp_path / "conventions.png")
    image = read_rgb(tmp_path / "conventions.png")
    assert image.shape[1] > image.shape[0]
    assert image.std() > 10


class TestRendering:
    """The images are the same in every convention; the labels differ and name their convention."""

    @pytest.fixture(scope="class")
    def roots(self, tmp_path_factory):
        pytest.importorskip("warp", reason="warp-lang is not installed: pip install 'latent-hands[render]'")
        from latent_hands.rendering.sets.dataset import render_dataset

        folder = tmp_path_factory.mktemp("render")
        return {each: render_dataset(folder / each, 2, convention=each, **SMALL) for each in ("rhd", "stb")}

    def test_images_do_not_depend_on_it(self, roots):
        for image in sorted((roots["rhd"] / "training").rglob("*.png")):
            same = roots["stb"] / image.relative_to(roots["rhd"])
            assert image.read_bytes() == same.read_bytes()

    def test_labels_are_in_it_and_name_it(self, roots):
        read = {each: read_rendered(root, "training") for each, root in roots.items()}
        for each, samples in read.items():
            assert {sample.convention for sample in samples} == {each}
            assert json.loads((roots[each] / "rendered.json").read_text())["joints"] == recorded(each)
            measured = Proportions.of(torch.from_numpy(np.stack([left(sample) for sample in samples])))
            wrist_to_middle = measured.bones[:, list(FINGERS).index("middle") * 4].mean()
            assert wrist_to_middle == pytest.approx(CONVENTIONS[each].bones["middle"][0], abs=0.25)
        for one, other in zip(read["rhd"], read["stb"], strict=True):
            assert 2 < np.linalg.norm(one.xyz_mm - other.xyz_mm, axis=1).mean() < 15
            uvw = other.xyz_mm @ other.K.T
            np.testing.assert_allclose(uvw[:, :2] / uvw[:, 2:], other.uv_px, atol=1e-3)

    def test_a_set_of_another_convention_is_not_gone_on_with(self, roots):
        from latent_hands.rendering.sets.dataset import render_dataset

        with pytest.raises(HandsError, match="holds rendered hands with joints = rhd:e1f800d7, not stb"):
            render_dataset(roots["rhd"], 2, convention="stb", **SMALL)

    def test_a_broken_rendered_json_is_named(self, roots):
        path = roots["stb"] / "rendered.json"
        held = path.read_text()
        try:
            path.write_text("{}")
            with pytest.raises(HandsError, match=f"{re.escape(str(path))} does not name the convention"):
                read_rendered(roots["stb"], "training")
        finally:
            path.write_text(held)

    def test_a_group_keeps_the_viewpoint_of_its_own_labels(self, roots):
        from latent_hands.rendering.sets.counterfactual import Framing, draw_group

        group = draw_group(0, "training", 0, Framing(64, (0.85, 1.0), "ge2019"))
        for role in ("anchor", "pose", "identity"):
            shot = group[role]
            scene = dataclasses.replace(shot.scene, side="left")
            labels = dataclasses.replace(shot, scene=scene).hand().label_m
            pose, _ = normalise(to_palm(torch.from_numpy(labels)))
            np.testing.assert_allclose(canonicalise(pose)[1], group["anchor"].viewpoint, atol=1e-4)


def left(sample) -> np.ndarray:
    return sample.xyz_mm * np.float32([1 if sample.handedness == "left" else -1, 1, 1])


def test_scores_are_reported_in_the_convention_of_the_labels_too(caplog):
    truth = Truth.of(1000 * torch.randn(3, 21, 3).cumsum(dim=1), torch.ones(3, 21, dtype=torch.bool))
    prediction = Prediction(pose=truth.pose)
    scores = translated(prediction, truth, ("rhd", "stb"), "evaluation", False)["translated"]
    expected = Prediction(pose=translate(truth.pose, "rhd", "stb"))
    assert scores == score(expected, truth, "evaluation")
    assert not caplog.records


def test_a_convention_without_a_table_is_warned_of(caplog):
    truth = Truth.of(1000 * torch.randn(3, 21, 3), torch.ones(3, 21, dtype=torch.bool))
    assert translated(Prediction(pose=truth.pose), truth, ("rhd", "mano"), "evaluation", False) == {}
    assert 'the labels as "mano"' in caplog.text
    assert "epe_bone_aligned_mm" in caplog.text


def test_training_refuses_labels_of_another_convention():
    for found in (None, "rhd"):
        check_joints(Data(), found)
    with pytest.raises(HandsError, match=r"train with .*--data\.convention stb"):
        check_joints(Data(name="stb"), "stb")
    with pytest.raises(HandsError, match="`latent-hands fine-tune estimation` translates the labels"):
        check_joints(Data(name="stb"), "stb", start="estimation")
