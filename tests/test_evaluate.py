"""Scores of known predictions; frames and test-time rotations are undone exactly."""

import json
import math
from collections.abc import Mapping
from dataclasses import replace

import pytest
import torch
from conftest import SHARED

from latent_hands.errors import HandsError
from latent_hands.evaluation.protocol import Truth, mean_pose_reference, pck_curve, score
from latent_hands.hand.bones import with_bone_lengths
from latent_hands.hand.camera import warp_camera, warp_matrix
from latent_hands.hand.geometry import canonicalise, geodesic_deg, in_plane, ray_rotation
from latent_hands.predictor.rotations import Prediction, predict_rotated

KEYS = {
    *("epe_mm", "median_epe_mm", "epe_20_mm", "epe_wrist_mm", "epe_composed_mm", "cpose_epe_mm", "pa_epe_mm"),
    *("auc_20_50", "auc_0_50", "viewpoint_deg", "epe_bone_aligned_mm"),
}


def hands(count: int, right: torch.Tensor | None = None) -> Truth:
    """Random poses of one and the same skeleton, in different sizes."""
    generator = torch.Generator().manual_seed(7)
    visible = torch.rand(count, 21, generator=generator) < 0.8
    lengths_mm = torch.linspace(20, 60, 20) * torch.linspace(0.8, 1.2, count)[:, None]
    xyz_mm = with_bone_lengths(torch.randn(count, 21, 3, generator=generator), lengths_mm)
    return Truth.of(xyz_mm, visible, right)


def perfect(truth: Truth) -> Prediction:
    return Prediction(truth.pose, *canonicalise(truth.pose, truth.right))


@pytest.mark.parametrize("sides", [None, torch.arange(12) % 2 == 0])
def test_a_perfect_prediction_has_no_error_on_either_side(sides):
    truth = hands(12, sides)
    result = score(perfect(truth), truth, "evaluation")
    json.dumps(result, allow_nan=False)
    assert result.keys() == KEYS | {f"{key}_interval" for key in KEYS} | {"samples", "blocks", "split"}
    for key in KEYS:
        low, high = result[f"{key}_interval"]
        assert low == pytest.approx(high, abs=0.05)
        assert result[key] == pytest.approx(1 if "auc" in key else 0, abs=0.05)


def test_intervals_of_copies_are_those_of_the_originals():
    """Copies of a hand in its block leave the interval as it is; in blocks of their own they narrow it."""
    once = hands(12)
    errors = Prediction(once.pose + 0.1 * torch.rand(12, 1, 1, generator=torch.Generator().manual_seed(1)))
    alone = score(errors, once, "evaluation")
    index = torch.arange(12).repeat(4)
    copied = Prediction(errors.pose[index])
    four = Truth(once.pose[index], once.bone_mm[index], once.visible[index], block=index + 7)
    blocks = score(copied, four, "evaluation")
    assert (blocks["samples"], blocks["blocks"], alone["blocks"]) == (48, 12, 12)
    assert blocks["epe_mm_interval"] == pytest.approx(alone["epe_mm_interval"])
    single = score(copied, replace(four, block=None), "evaluation")
    one = score(copied, replace(four, block=torch.zeros(48, dtype=torch.int64)), "evaluation")
    assert one == single
    widths = [high - low for low, high in (each["epe_mm_interval"] for each in (single, blocks))]
    assert widths[0] < 0.7 * widths[1]


def test_an_offset_of_the_fingers_is_measured_in_mm_and_the_palm_counts():
    truth = hands(12)
    moved = truth.pose.clone()
    moved[:, 1:] += torch.tensor([0.0, 3.0, 4.0]) / truth.bone_mm[:, None, None]
    result = score(Prediction(moved), truth, "evaluation")
    assert result["epe_20_mm"] == pytest.approx(5, abs=1e-3)
    assert result["epe_mm"] == pytest.approx(100 / 21, abs=1e-3)
    assert result["epe_wrist_mm"] == pytest.approx(5, abs=1e-3)  # 2 * palm - middle MCP moved too
    assert result["median_epe_mm"] == pytest.approx(100 / 21, abs=1e-3)
    assert not result.keys() & {"cpose_epe_mm", "viewpoint_deg", "epe_composed_mm"}


def test_bone_aligned_errors_ignore_the_predicted_lengths():
    truth = hands(12)
    stretched = with_bone_lengths(truth.pose, torch.rand(12, 20) + 0.5)
    result = score(Prediction(stretched), truth, "evaluation")
    assert result["epe_mm"] > 5
    assert result["epe_bone_aligned_mm"] == pytest.approx(0, abs=1e-3)


def test_a_rotated_viewpoint_changes_the_error_in_degrees_only():
    truth = hands(12)
    pose, cpose, viewpoint = perfect(truth).known().values()
    result = score(Prediction(pose, cpose, 2.5 * viewpoint @ in_plane(0.3)), truth, "evaluation")
    assert result["viewpoint_deg"] == pytest.approx(math.degrees(0.3), abs=1e-2)
    assert result["epe_composed_mm"] > 5
    assert result["epe_mm"] == result["cpose_epe_mm"] == pytest.approx(0, abs=1e-3)


def test_invisible_joints_are_never_scored():
    truth = hands(12)
    spoiled = torch.where(truth.visible[..., None], truth.pose + 0.1, 100.0)
    spoiled[:, 0], spoiled[:, 12] = truth.pose[:, 0], truth.pose[:, 12]  # they also make the wrist
    plain = torch.where(truth.visible[..., None], spoiled, truth.pose)
    scores = [score(Prediction(pose), truth, "e") for pose in (spoiled, plain)]
    for each in scores:  # a visible joint hangs on bones that it may not show
        del each["epe_bone_aligned_mm"], each["epe_bone_aligned_mm_interval"]
    assert scores[0] == scores[1]


def test_the_exact_auc_is_a_switch():
    truth = hands(12)
    guess = mean_pose_reference(truth.pose, 12)
    published, exact = (score(guess, truth, "e", exact=exact) for exact in (False, True))
    assert exact["auc_20_50"] < published["auc_20_50"]
    thresholds_mm, shares = pck_curve(guess, truth)
    assert torch.trapezoid(shares, thresholds_mm).item() / 50 == pytest.approx(published["auc_0_50"])


def test_the_mean_pose_is_the_best_constant_for_its_own_set():
    truth = hands(30)
    reference = mean_pose_reference(truth.pose, 30)
    assert reference.viewpoint is not None
    torch.testing.assert_close(reference.viewpoint.det(), torch.ones(30))
    squared = (truth.pose - reference.pose).square().sum()
    assert squared < (truth.pose - reference.pose - 0.01).square().sum()


def test_what_cannot_be_scored_is_refused():
    truth = hands(4)
    with pytest.raises(HandsError, match="predictions of pose are for 3 hands, not for 4"):
        score(Prediction(truth.pose[:3]), truth, "e")
    blind = Truth(truth.pose, truth.bone_mm, torch.zeros_like(truth.visible))
    with pytest.raises(HandsError, match="no joint of 4 hands of split evaluation is visible"):
        score(Prediction(truth.pose), blind, "evaluation")
    with pytest.raises(HandsError, match="a PCK curve needs"):
        pck_curve(Prediction(), truth)


def spots(count: int, size: int = 96) -> tuple[torch.Tensor, torch.Tensor]:
    """Windows with one soft spot off the middle, and the direction in which it lies."""
    angle = torch.linspace(0, 6, count)
    centre = (size - 1) / 2 + 18 * torch.stack([angle.cos(), angle.sin()], dim=-1)
    steps = torch.arange(float(size))
    v, u = torch.meshgrid(steps, steps, indexing="ij")
    squared = (u - centre[:, 0, None, None]).square() + (v - centre[:, 1, None, None]).square()
    spot = 127 + 128 * torch.exp(-squared / 50)
    return spot.round().to(torch.uint8)[:, None].repeat(1, 3, 1, 1), angle


def compass(crops: torch.Tensor, offset: float = 0.0) -> Mapping[str, torch.Tensor]:
    """A model that points all joints at the spot, wrongly by a constant `offset`."""
    weight = crops.mean(dim=1).clamp(min=0.05) - 0.05
    steps = torch.arange(float(crops.shape[-1])) - (crops.shape[-1] - 1) / 2
    u, v = (weight.sum(dim=1) * steps).sum(1), (weight.sum(dim=2) * steps).sum(1)
    direction = torch.stack([u, v], dim=-1) / torch.stack([u, v], dim=-1).norm(dim=-1, keepdim=True)
    pose = torch.cat([direction + offset, torch.ones_like(direction[:, :1])], dim=-1)
    viewpoint = in_plane(torch.atan2(v, u))
    return {
        "pose": pose[:, None].expand(-1, 21, -1),
        "viewpoint": 2 * viewpoint,
        "cpose": pose.new_ones(len(u), 21, 3),
        "uv": (direction + offset)[:, None].expand(-1, 21, -1),
        "place": pose,
    }


@pytest.mark.parametrize("margin", [1.0, 1.5])
def test_crops_rotated_at_test_time_are_rotated_back(margin):
    images, angle = spots(5)
    expected = torch.stack([angle.cos(), angle.sin(), torch.ones(5)], dim=-1)[:, None].expand(-1, 21, -1)
    for rotations in (1, 3):
        prediction = predict_rotated(
            compass, images, None, 64, margin=margin, rotations=rotations, batch_size=2
        )
        torch.testing.assert_close(prediction.pose, expected, atol=0.02, rtol=0)
        assert geodesic_deg(prediction.viewpoint, in_plane(angle)).max() < 1.5
        torch.testing.assert_close(prediction.cpose, torch.ones(5, 21, 3))
        torch.testing.assert_close(prediction.uv, expected[..., :2], atol=0.02, rtol=0)
        torch.testing.assert_close(prediction.place, expected[:, 0], atol=0.02, rtol=0)


def test_averaging_over_rotations_cancels_a_bias_in_the_image_plane():
    images, angle = spots(5)
    expected = torch.stack([angle.cos(), angle.sin(), torch.ones(5)], dim=-1)[:, None].expand(-1, 21, -1)
    biased = predict_rotated(lambda crops: compass(crops, 0.5), images, None, 64)
    averaged = predict_rotated(lambda crops: compass(crops, 0.5), images, None, 64, rotations=4)
    assert (biased.pose - expected).norm(dim=-1).min() > 0.5
    torch.testing.assert_close(averaged.pose, expected, atol=0.02, rtol=0)


@pytest.mark.parametrize("rotations", [1, 3])
def test_a_model_of_the_ray_frame_is_brought_back_to_the_camera(rotations):
    truth = hands(3)
    K = torch.tensor([[200.0, 0, 20], [0, 200, 150], [0, 0, 1]]).expand(3, 3, 3)
    images = torch.zeros(3, 3, 96, 96, dtype=torch.uint8)
    turns = iter(2 * math.pi * k / rotations for k in range(rotations))

    def oracle(crops: torch.Tensor) -> Mapping[str, torch.Tensor]:
        angle = next(turns)
        W = warp_matrix(torch.full((3, 2), 47.5), 64.0, 32, angle=angle)
        R = in_plane(angle) @ ray_rotation(warp_camera(K, W), torch.full((3, 2), 15.5))
        cpose, viewpoint = canonicalise(truth.pose)
        return {"pose": truth.pose @ R, "cpose": cpose, "viewpoint": viewpoint @ R}

    prediction = predict_rotated(oracle, images, K, 32, margin=1.5, frame="ray", rotations=rotations)
    result = score(prediction, truth, "evaluation")
    for key in ("epe_mm", "epe_composed_mm", "cpose_epe_mm", "viewpoint_deg"):
        assert result[key] == pytest.approx(0, abs=0.02)


def test_impossible_options_are_refused():
    images, _ = spots(1)
    with pytest.raises(HandsError, match='unknown frame "rays": did you mean "ray"'):
        predict_rotated(compass, images, None, 64, frame="rays")
    with pytest.raises(HandsError, match="needs the camera"):
        predict_rotated(compass, images, None, 64, frame="ray")
    with pytest.raises(HandsError, match="rotations is 0; it must be between 1 and 64"):
        predict_rotated(compass, images, None, 64, rotations=0)


def test_the_mean_pose_reference_on_rhd():
    if not (SHARED / "rhd" / "evaluation").exists():
        pytest.skip(f"no RHD images at {SHARED / 'rhd'}")
    crops, data = pytest.importorskip("latent_hands.data.crops"), pytest.importorskip("latent_hands.data")
    samples = data.open_data("rhd", SHARED / "rhd", "evaluation")
    windows = crops.build_windows(samples, margin=1.0, window_px=32)
    truth = Truth(windows.pose, windows.bone_mm, windows.visible)
    reference = mean_pose_reference(truth.pose, len(windows))
    result = score(reference, truth, "evaluation")
    assert result["epe_mm"] == pytest.approx(52.3, abs=0.2)
    assert result["cpose_epe_mm"] == pytest.approx(19.4, abs=0.2)

    def blind(crops: torch.Tensor) -> Mapping[str, torch.Tensor]:
        return {name: each[: len(crops)] for name, each in reference.known().items()}

    again = score(predict_rotated(blind, windows.rgb, windows.K, 32), truth, "evaluation")
    assert again.keys() == result.keys()
    for name, value in result.items():
        assert again[name] == (value if isinstance(value, str) else pytest.approx(value, abs=1e-3))


def test_a_hand_with_one_visible_joint_is_left_out_of_the_aligned_error():
    truth = hands(12)
    visible = torch.ones_like(truth.visible)
    visible[3, 1:] = False
    truth = replace(truth, visible=visible)
    others = torch.arange(12) != 3
    alone = Truth(truth.pose[others], truth.bone_mm[others], truth.visible[others])
    moved = truth.pose + torch.randn(12, 21, 3, generator=torch.Generator().manual_seed(1))
    all_mm, some_mm = (
        score(Prediction(pose), labels, "evaluation", resamples=2)["pa_epe_mm"]
        for pose, labels in ((moved, truth), (moved[others], alone))
    )
    assert all_mm == pytest.approx(some_mm)
