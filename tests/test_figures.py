"""Figures of the paper: their JSON files have the numbers that the drawings show."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from painted_hands import painted_hands
from tiny_models import ESTIMATION, SYNTHESIS, VIEWPOINT, WITHOUT_TAGS, tiny_model

from latent_hands.configuration import load_experiment
from latent_hands.data import Sample
from latent_hands.data.batches import Batches
from latent_hands.data.crops import build_windows
from latent_hands.errors import HandsError
from latent_hands.evaluation import metrics
from latent_hands.studies.reproduce.budget import (
    KINDS,
    SHARES,
    UP_TO_PERCENT,
    chosen_shares,
    draw_fig9,
    measure_fig9,
    plans,
    relative_gain,
    run_name,
)
from latent_hands.studies.reproduce.drawing import from_text, redraw, rounded, save, to_text
from latent_hands.studies.reproduce.pck import AUC_20_50, EPE_MM, PCK
from latent_hands.studies.reproduce.quintets import draw_fig8, measure_fig8
from latent_hands.studies.reproduce.selection import distance, label, smoothness, step_lengths
from latent_hands.studies.reproduce.sets import Source
from latent_hands.studies.reproduce.simultaneous import wobble
from latent_hands.studies.reproduce.transfer import draw_fig6, measure_fig6
from latent_hands.studies.reproduce.walks import draw_fig4, draw_fig5, measure_fig4, measure_fig5


def test_every_set_has_the_crop_of_the_experiment():
    """Images for synthesis have scene crops, because the background must not move with the pose."""
    for name, crop in (("study_synthesis", "scene"), ("study_u", "scene"), ("study_estimation", "box")):
        source = Source("stb", Path("stb"), True, "stb")
        data = source.experiment_with(load_experiment(name), 300).data
        assert (data.crop, data.limit, data.convention) == (crop, 300, "stb")


def test_gains_are_shares_of_the_full_error():
    assert relative_gain(18.5, 20.0) == pytest.approx(7.5)
    assert relative_gain(20.0, 20.0) == 0
    assert relative_gain(22.0, 20.0) == pytest.approx(-10)


def test_fig9_takes_fewer_shares():
    assert chosen_shares(()) == SHARES
    assert chosen_shares((20, 5)) == (5, 20, 100)
    few = plans((5, 20, 100))
    assert len(few) == 13
    assert few.items() <= plans().items()
    scores = {name: [{"epe_mm": 30.0, "cpose_epe_mm": 10.0, "viewpoint_deg": 9.0}] for name in few}
    assert measure_fig9(scores, (5, 20, 100))["labelled_percent"] == (5, 20, 100)
    with pytest.raises(HandsError, match="share of labelled hands is 0 %; it must be from 1 to 100"):
        chosen_shares((0, 5))


def test_fig9_is_drawn_again_from_its_numbers(tmp_path):
    names = list(plans())
    assert len(names) == 31
    assert {run_name(kind, share) for kind in KINDS for share in SHARES} == set(names)
    gain = {"full": 0.0, "semi": 3.5, "viewpoint": 1.0, "uv": 7.5, "all": 9.0, "images": 0.5}
    scores = {
        run_name(kind, share): [
            {"epe_mm": m * (100 - percent * (share == 20)), "cpose_epe_mm": m, "viewpoint_deg": m}
            for m in (1, 2)
        ]
        for kind, percent in gain.items()
        for share in SHARES
    }
    files = save(measure_fig9(scores), draw_fig9, tmp_path / "fig9")
    held = json.loads(files[0].read_text())
    assert held["epe_mm"]["semi"] == [[96.5, 193.0] if share == 20 else [100.0, 200.0] for share in SHARES]
    assert {kind: best["percent"] for kind, best in held["up_to"].items()} == pytest.approx(
        {kind: percent for kind, percent in gain.items() if kind != "full"}
    )
    assert held["up_to"]["semi"]["labelled_percent"] == 20
    assert held["published_up_to_percent"] == UP_TO_PERCENT == {"semi": 3.5, "viewpoint": 7.5}
    drawn = [file.read_bytes() for file in files[1:]]
    redraw(files[0], draw_fig9)
    assert [file.read_bytes() for file in files[1:]] == drawn


def test_published_numbers_agree_with_each_other():
    assert EPE_MM["dVAE (the paper)"] == {"rhd": 19.95, "stb": 8.66}
    assert EPE_MM["Spurr et al. 2018"]["rhd"] == 19.73
    assert AUC_20_50["Zimmermann & Brox 2017"] == {"rhd": 0.675, "stb": 0.948}
    for name, curves in PCK.items():
        for who, (thresholds_mm, shares) in curves.items():
            area = metrics.auc(torch.tensor(shares), torch.tensor(thresholds_mm))
            assert area.item() == pytest.approx(AUC_20_50[who][name], abs=0.01)
            assert sorted(shares) == list(shares)


def test_a_straight_walk_is_smooth_and_a_jump_is_not():
    rng = np.random.default_rng(0)
    start, end = rng.normal(size=(2, 21, 3))
    weight = np.linspace(0, 1, 9)[:, None, None]
    line = start + weight * (end - start)
    assert smoothness(line) == pytest.approx(1)
    assert step_lengths(line) == pytest.approx([distance(start, end) / 8] * 8)
    assert smoothness(np.where(weight < 0.5, start, end)) == pytest.approx(8)


def test_wobble_is_the_deviation_from_a_straight_line():
    assert wobble([50.0, 40.0, 30.0, 20.0]) == pytest.approx(0, abs=1e-9)
    assert wobble([1.0, -1.0, -1.0, 1.0]) == pytest.approx(1)


def test_images_survive_json():
    image = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    assert np.array_equal(from_text(json.loads(json.dumps(to_text(image)))), image)
    assert rounded({"a": (np.float32(1.23456789), float("nan")), 1: np.arange(2)}) == {
        "a": [1.23457, None],
        "1": [0, 1],
    }


def scene_samples(folder: Path) -> list[Sample]:
    """Return six scenes of two hands each. The tag of a scene is its first image."""
    samples = painted_hands(folder, 12)
    firsts = [samples[i - i % 2] for i in range(12)]
    box = {"scene_box": (121.0, 97.0, 150.0)}
    return [
        replace(s, tag=first.image, handedness="left", **box)
        for s, first in zip(samples, firsts, strict=True)
    ]


def test_fig4_has_its_walks(tmp_path):
    found = measure_fig4(tiny_model(SYNTHESIS), scene_samples(tmp_path))
    files = save(found, draw_fig4, tmp_path / "fig4")
    held = json.loads(files[0].read_text())
    assert all(file.stat().st_size for file in files)
    assert [len(walk) for walk in (*held["pose_walks"], held["content_walk"])] == [7, 7, 7]
    assert held["smoothness"] == pytest.approx(smoothness(np.array(held["poses_bones"])), rel=0.01)
    assert held["pose_walks"][0][3] == held["content_walk"][0]
    assert held["pose_walks"][1][3] == held["content_walk"][-1]


def test_fig4_turns_a_hand_whose_viewpoint_is_a_factor(tmp_path):
    """The line in z begins with the image of the first hand, as the walk along the pose does."""
    found = measure_fig4(tiny_model(VIEWPOINT), scene_samples(tmp_path))
    held = json.loads(save(found, draw_fig4, tmp_path / "fig4")[0].read_text())
    assert list(held["turns"]) == ["line", "geodesic"]
    assert [len(walk) for walk in held["turns"].values()] == [7, 7]
    assert held["turns"]["line"][0] == held["pose_walks"][0][0]


def test_fig5_measures_how_far_the_pose_moves(tmp_path):
    found = measure_fig5(tiny_model(WITHOUT_TAGS), scene_samples(tmp_path))
    walk = json.loads(save(found, draw_fig5, tmp_path / "fig5")[0].read_text())["walks"][0]
    poses = np.array(walk["poses_bones"])
    assert walk["moved_mm"][0] == 0
    ratios = [
        moved / distance(pose, poses[0]) for moved, pose in zip(walk["moved_mm"], poses, strict=True) if moved
    ]
    assert ratios == pytest.approx([ratios[0]] * 6, rel=1e-3)


@pytest.mark.parametrize("graph", [SYNTHESIS, ESTIMATION])
def test_fig5_is_refused_for_poses_that_cannot_move(graph):
    """Their decoder reads nothing but the pose, so the figure would show 0.0 mm."""
    with pytest.raises(HandsError, match="no decoder of poses reads a factor besides the pose's"):
        measure_fig5(tiny_model(graph), [])


def test_fig6_is_a_grid_of_every_pose_in_every_scene(tmp_path):
    model, samples = tiny_model(SYNTHESIS), scene_samples(tmp_path)
    held = json.loads(save(measure_fig6(model, samples), draw_fig6, tmp_path / "fig6")[0].read_text())
    assert [len(row) for row in held["images"]] == [5] * 4
    assert (len(held["tags"]), len(held["extracted_epe_mm"]), len(held["read_back_epe_mm"])) == (5, 4, 20)
    with pytest.raises(HandsError, match="0 scenes have a tag"):
        measure_fig6(model, [replace(sample, tag=None) for sample in samples])


@pytest.mark.parametrize("frame", ["camera", "ray"])
def test_labels_are_in_the_frame_of_the_model(tmp_path, frame):
    model, samples = tiny_model(SYNTHESIS, frame=frame), painted_hands(tmp_path, 4)
    cut = build_windows(samples, "scene", 1.0, 32)
    batch = Batches(cut, 32, 4, frame=frame, shuffle=False).batch(0, 0, {"pose", "bone_mm"})
    for sample, pose, bone_mm in zip(samples, batch["pose"], batch["bone_mm"], strict=True):
        labelled, length_mm = label(model, sample)
        assert np.allclose(labelled, pose, atol=1e-4)
        assert length_mm == pytest.approx(bone_mm.item(), rel=1e-4)


def test_fig8_has_ground_truth_and_prediction(tmp_path):
    samples = scene_samples(tmp_path)
    found = measure_fig8({"rendered": (tiny_model(ESTIMATION), samples)})
    held = json.loads(save(found, draw_fig8, tmp_path / "fig8")[0].read_text())["sets"]["rendered"]
    assert len(held) == 8
    visible = {sample.name: sample.visible for sample in samples}
    for each in held:
        truth, prediction = (np.array(pose) for pose in each["pose_mm"])
        assert abs(truth[0]).max() == 0
        assert np.array(each["cpose_mm"]).shape == (2, 21, 3)
        counted = visible[each["name"]].copy()
        counted[0] = counted[0] | visible[each["name"]][12]
        error = np.linalg.norm(truth - prediction, axis=1)[counted].mean()
        assert each["epe_mm"] == pytest.approx(error, rel=1e-3)
