"""Scores of runs on labelled hands, with any encoder, handedness and joint convention."""

import dataclasses
from pathlib import Path

import pytest
import torch
from packed_hands import painted_scenes
from painted_hands import painted_hand
from tiny_models import ESTIMATION, tiny_model

from latent_hands.errors import HandsError
from latent_hands.evaluation.scoring import score_run
from latent_hands.hand import geometry
from latent_hands.predictor import crop_of_sample


@pytest.mark.parametrize("frame", ["camera", "ray"])
def test_estimating_a_sample_is_what_evaluation_scores(tmp_path: Path, frame: str):
    model = tiny_model(ESTIMATION, frame=frame)
    samples = [painted_hand(tmp_path, str(i), side, i) for i, side in enumerate(("left", "right", "right"))]
    numbers = score_run(model, samples, "evaluation")
    errors = torch.zeros(3, 21, dtype=torch.float64)
    visible = torch.stack([geometry.to_palm_visible(torch.from_numpy(s.visible)) for s in samples])
    for i, sample in enumerate(samples):
        truth, bone_mm = geometry.normalise(geometry.to_palm(torch.from_numpy(sample.xyz_mm)))
        found = model.estimate(crop_of_sample(sample))
        errors[i] = (torch.from_numpy(found.pose).double() - truth).norm(dim=1) * bone_mm
    expected = torch.stack([errors[visible[:, k], k].mean() for k in range(21) if visible[:, k].any()]).mean()
    assert numbers["epe_mm"] == pytest.approx(float(expected), rel=1e-3)
    assert numbers["frame"] == frame
    assert len(numbers["pck"]["shares"]) == len(numbers["pck"]["thresholds_mm"]) == 20


@pytest.mark.parametrize("rotations", [1, 3])
def test_without_the_camera_a_ray_is_taken_for_the_axis(tmp_path: Path, rotations: int):
    """The same weights give the same outputs in both frames; the camera rotates those of the ray frame."""
    samples = [painted_hand(tmp_path, str(i), ("left", "right")[i % 2], i) for i in range(4)]
    camera_frame, ray_frame = (
        score_run(tiny_model(ESTIMATION, frame=frame), samples, "e", rotations) for frame in ("camera", "ray")
    )
    assert "without_camera" not in camera_frame
    blind = ray_frame["without_camera"]
    keys = ["epe_mm", "auc_20_50", "cpose_epe_mm"]
    keys += ["viewpoint_deg"] * (rotations == 1)  # over rotations, those of an untrained network have no mean
    for key in keys:
        assert blind[key] == pytest.approx(camera_frame[key], rel=1e-4)
    assert ray_frame["epe_mm"] != pytest.approx(blind["epe_mm"], rel=3e-4)


def test_the_joint_convention_of_the_labels_can_be_given(tmp_path: Path):
    model, samples = tiny_model(ESTIMATION), [painted_hand(tmp_path, str(i), seed=i) for i in range(3)]
    unnamed, named = (score_run(model, samples, "e", convention=name) for name in (None, "mediapipe"))
    assert (unnamed["labels_convention"], named["labels_convention"]) == (None, "mediapipe")
    assert "translated" in named
    assert "translated" not in unnamed
    renamed = [dataclasses.replace(sample, convention="mediapipe") for sample in samples]
    assert score_run(model, renamed, "e") == named
    with pytest.raises(HandsError, match='unknown joint convention "mediapip"; did you mean "mediapipe"'):
        score_run(model, samples, "e", convention="mediapip")


def test_another_encoder_is_scored_on_what_it_reads(tmp_path: Path):
    depth = ESTIMATION.replace(
        "[decoders]", 'depth = { reads = "depth", factors = ["cpose", "viewpoint"] }\n[decoders]'
    )
    model = tiny_model(depth)
    samples = painted_scenes(tmp_path)[:3]
    numbers = {
        encoder: score_run(model, samples, "evaluation", encoder=encoder)
        for encoder in (None, "rgb", "depth")
    }
    assert numbers[None] == numbers["rgb"]
    assert numbers["depth"]["epe_mm"] != numbers["rgb"]["epe_mm"]
    with pytest.raises(HandsError, match='unknown encoder "dpth"; did you mean "depth"'):
        score_run(model, samples, "evaluation", encoder="dpth")
    with pytest.raises(HandsError, match=r"sample hand .* has no depth image; it has rgb"):
        score_run(model, [painted_hand(tmp_path, "hand")], "evaluation", encoder="depth")


def test_a_run_that_reads_the_handedness_is_scored_hand_by_hand(tmp_path: Path):
    model = tiny_model(ESTIMATION, right_hands="condition")
    samples = [
        painted_hand(tmp_path, str(i), side, i) for i, side in enumerate(("right", "left", "right", "left"))
    ]
    together = score_run(model, samples, "evaluation")
    alone = [
        score_run(model, [s for s in samples if s.handedness == side], "evaluation")
        for side in ("left", "right")
    ]
    assert together["viewpoint_deg"] == pytest.approx(
        sum(part["viewpoint_deg"] for part in alone) / 2, rel=1e-4
    )
