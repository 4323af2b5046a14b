"""From windows to scores: predicting, undoing frames and turns, and the numbers of the paper's protocol.

Side and bone length are given at test time, as in the paper: poses are compared relative to the palm, the
prediction times the true bone. A model of the ray frame is given the camera besides. With mirrored right
hands, prediction and truth are both mirrored.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor

from latent_hands.data.sharded_images import ShardedImages
from latent_hands.data.windows import FRAMES, Windows
from latent_hands.errors import HandsError, did_you_mean
from latent_hands.evaluation import metrics
from latent_hands.hand.bones import mean_bone_lengths, with_bone_lengths
from latent_hands.hand.camera import warp_camera, warp_images, warp_matrix, warp_rotation
from latent_hands.hand.geometry import (
    canonicalise,
    compose,
    geodesic_deg,
    nearest_rotation,
    normalise,
    ray_rotation,
    to_wrist,
)

Model = Callable[[Tensor], Mapping[str, Tensor]]
"""Crops (b, 3, S, S) in [-1, 1] to any of "pose", "cpose" (b, 21, 3) and "viewpoint" (b, 3, 3)."""
Statistic = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Truth:
    """The labels of n hands: 3DPoses in bone units and camera frame, bone lengths, visibility; palm form.

    `right` marks right hands that were not mirrored; None if there is none. `block` is the same number for
    samples that are alike; None if all are independent.
    """

    pose: Float[Tensor, "n 21 3"]
    bone_mm: Float[Tensor, " n"]
    visible: Bool[Tensor, "n 21"]
    right: Bool[Tensor, " n"] | None = None
    block: Int64[Tensor, " n"] | None = None

    @classmethod
    def of(
        cls,
        xyz_mm: Float[Tensor, "n 21 3"],
        visible: Bool[Tensor, "n 21"],
        right: Bool[Tensor, " n"] | None = None,
        block: Int64[Tensor, " n"] | None = None,
    ) -> "Truth":
        """From joints in palm form and camera frame."""
        return cls(*normalise(xyz_mm), visible, right, block)


@dataclass(frozen=True)
class Prediction:
    """What a model says of n hands, in bone units and the camera frame; absent outputs are None."""

    pose: Float[Tensor, "n 21 3"] | None = None
    cpose: Float[Tensor, "n 21 3"] | None = None
    viewpoint: Float[Tensor, "n 3 3"] | None = None


def score(
    prediction: Prediction, truth: Truth, split: str, exact: bool = False, resamples: int = 1000
) -> dict[str, Any]:
    """All numbers the prediction allows, by JSON key, each with its 95 % `_interval` [low, high].

    Intervals are bootstraps over `blocks`, whose samples are alike; over single samples if there are no two.

    `epe_mm` is the mean over the 21 joints, the palm being one; `epe_20_mm` leaves it out, `epe_wrist_mm` has
    the wrist (2 palm - middle MCP) in its place, and counts it where the palm counts, as windows know no
    other visibility; `epe_composed_mm` scores cpose @ viewpoint as the pose.
    `pa_epe_mm` aligns each hand over its visible joints, and leaves out hands with fewer than three of them.
    `epe_bone_aligned_mm` gives the predicted bones the truth's mean lengths: data sets differ in where they
    place joints. AUC 20-50 integrates the published thresholds 21.05..50 mm, or 20..50 mm if `exact`.
    Raises `HandsError` if the numbers of hands differ or no joint is visible.
    """
    count = len(truth.pose)
    for name, output in vars(prediction).items():
        if output is not None and len(output) != count:
            raise HandsError(
                f"{len(output)} predictions of {name} for {count} hands; legal: as many as hands"
            )
    if not truth.visible.any():
        raise HandsError(f"nothing to score: none of the {count} hands of split {split} has a visible joint")
    ones = torch.ones(1, count, dtype=torch.float64)
    block = torch.arange(count) if truth.block is None else truth.block
    if len(block.unique()) < 2:
        block = torch.arange(count)
    weights = torch.cat([ones, metrics.block_weights(block, resamples)])
    result: dict[str, Any] = {}
    for name, statistic in _statistics(prediction, truth, exact).items():
        values = statistic(weights)
        result[name] = values[0].item()
        result[f"{name}_interval"] = list(metrics.interval_95(values[1:]))
    return result | {"samples": count, "blocks": len(block.unique()), "split": split}


def pck_curve(prediction: Prediction, truth: Truth) -> tuple[Float[Tensor, " t"], Float[Tensor, " t"]]:
    """The PCK curve of the 3DPose, or of cpose @ viewpoint without one: (thresholds in mm, shares 0..1)."""
    pose = _composed(prediction, truth) if prediction.pose is None else prediction.pose
    if pose is None:
        raise HandsError("a PCK curve needs a predicted pose, or cpose and viewpoint; there is neither")
    errors_mm = metrics.joint_errors(_mm(pose, truth), _mm(truth.pose, truth))
    return metrics.THRESHOLDS_MM, metrics.pck(errors_mm, truth.visible)


def mean_pose_reference(
    train_poses: Float[Tensor, "m 21 3"], count: int, right: Bool[Tensor, " m"] | None = None
) -> Prediction:
    """The prediction without looking, for `count` hands: training's mean 3DPose, CPose and viewpoint."""
    cpose, viewpoint = canonicalise(train_poses, right)
    turn = nearest_rotation(viewpoint.mean(dim=0))
    return Prediction(
        pose=train_poses.mean(dim=0).expand(count, -1, -1),
        cpose=cpose.mean(dim=0).expand(count, -1, -1),
        viewpoint=turn.expand(count, -1, -1),
    )


def predict(
    model: Model,
    images: UInt8[Tensor | ShardedImages, "n c size size"],
    K: Float[Tensor, "n 3 3"] | None,
    crop_px: int,
    *,
    margin: float = 1.0,
    frame: str = "camera",
    rotations: int = 1,
    batch_size: int = 64,
    device: str | torch.device = "cpu",
) -> Prediction:
    """Runs a model over windows: square images whose middle, `size / margin` pixels wide, is the crop.

    `K` is the camera of each window. A model of `frame="ray"` predicts in the frame that looks along the ray
    through the crop's middle; its outputs are turned back into the camera frame, as are those of `rotations`
    crops turned by 2 pi k / rotations about that middle, which are then averaged.
    Raises `HandsError` for an unknown frame, a ray frame without cameras, and fewer than one rotation.
    """
    _check_options(frame, K, rotations)
    angles = [2 * math.pi * k / rotations for k in range(rotations)]
    parts = []
    for start in range(0, len(images), batch_size):
        batch = slice(start, start + batch_size)
        shown = images[batch].to(device).float() / 127.5 - 1
        cameras = None if K is None else K[batch].to(device)
        views = [_predict_turned(model, shown, cameras, crop_px, margin, frame, angle) for angle in angles]
        parts.append(_average(views))
    return Prediction(**{name: torch.cat([part[name] for part in parts]) for name in parts[0]})


def predict_windows(
    model: Model, windows: Windows, crop_px: int, image: str = "rgb", **options: Any
) -> Prediction:
    """`predict` on images of `Windows` with their `K` and `margin`; `options` are those of `predict`."""
    images = windows.images[image].pixels
    return predict(model, images, windows.K, crop_px, margin=windows.margin, **options)


@torch.no_grad()
def _predict_turned(
    model: Model, images: Tensor, K: Tensor | None, crop_px: int, margin: float, frame: str, angle: float
) -> dict[str, Tensor]:
    """Outputs for the crops turned by `angle`, in the camera frame of the windows."""
    size = images.shape[-1]
    middle = images.new_ones(len(images), 2)
    W = warp_matrix(middle * (size - 1) / 2, size / margin, crop_px, angle=angle)
    outputs = model(warp_images(images, W, crop_px))
    back = warp_rotation(W).mT
    if frame == "ray" and K is not None:
        back = ray_rotation(warp_camera(K, W), middle * (crop_px - 1) / 2).mT @ back
    undo: dict[str, Callable[[Tensor], Tensor]] = {
        "pose": lambda pose: pose @ back,
        "cpose": lambda cpose: cpose,
        "viewpoint": lambda viewpoint: nearest_rotation(viewpoint) @ back,
    }
    return {name: change(outputs[name].float()) for name, change in undo.items() if name in outputs}


def _average(views: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    means = {name: torch.stack([view[name] for view in views]).mean(dim=0).cpu() for name in views[0]}
    if "viewpoint" in means:
        means["viewpoint"] = nearest_rotation(means["viewpoint"])
    return means


def _check_options(frame: str, K: Tensor | None, rotations: int) -> None:
    if frame not in FRAMES:
        raise HandsError(f'unknown frame "{frame}": {did_you_mean(frame, FRAMES)}')
    if frame == "ray" and K is None:
        raise HandsError(
            'frame "ray" needs the camera K of every image, and these have none: use a model of "camera"'
        )
    if rotations < 1:
        raise HandsError(f"{rotations} test-time rotations; legal: 1 or more")


def _mm(pose: Tensor, truth: Truth) -> Tensor:
    return pose * truth.bone_mm[:, None, None]


def _composed(prediction: Prediction, truth: Truth) -> Tensor | None:
    if prediction.cpose is None or prediction.viewpoint is None:
        return None
    return compose(prediction.cpose, nearest_rotation(prediction.viewpoint), truth.right)


def _statistics(prediction: Prediction, truth: Truth, exact: bool) -> dict[str, Statistic]:
    """Every score as a function of the samples' weights."""
    cpose, viewpoint = canonicalise(truth.pose, truth.right)
    statistics: dict[str, Statistic] = {}
    if prediction.pose is not None:
        statistics |= _pose_statistics(_mm(prediction.pose, truth), truth, exact)
    if (composed := _composed(prediction, truth)) is not None:
        statistics["epe_composed_mm"] = _epe(_mm(composed, truth), _mm(truth.pose, truth), truth.visible)
    if prediction.cpose is not None:
        statistics["cpose_epe_mm"] = _epe(_mm(prediction.cpose, truth), _mm(cpose, truth), truth.visible)
    if prediction.viewpoint is not None:
        angle_deg = geodesic_deg(nearest_rotation(prediction.viewpoint), viewpoint)
        statistics["viewpoint_deg"] = lambda weights: metrics.mean_over_samples(angle_deg.double(), weights)
    return statistics


def _pose_statistics(pose_mm: Tensor, truth: Truth, exact: bool) -> dict[str, Statistic]:
    truth_mm, visible = _mm(truth.pose, truth), truth.visible
    errors_mm = metrics.joint_errors(pose_mm, truth_mm)
    high = metrics.EXACT_20_50_MM if exact else metrics.THRESHOLDS_20_50_MM
    aligned_mm = metrics.procrustes_align(pose_mm, truth_mm, visible)
    lengths_mm = mean_bone_lengths(truth.pose, visible) * truth.bone_mm[:, None]

    def auc_over(thresholds_mm: Tensor) -> Statistic:
        return lambda w: metrics.auc(metrics.pck(errors_mm, visible, thresholds_mm, w), thresholds_mm)

    return {
        "epe_mm": _epe(pose_mm, truth_mm, visible),
        "median_epe_mm": lambda w: metrics.median_epe(errors_mm, visible, w),
        "epe_20_mm": _epe(pose_mm[:, 1:], truth_mm[:, 1:], visible[:, 1:]),
        "epe_wrist_mm": _epe(to_wrist(pose_mm), to_wrist(truth_mm), visible),
        "auc_20_50": auc_over(high),
        "auc_0_50": auc_over(metrics.THRESHOLDS_MM),
        "pa_epe_mm": _epe(aligned_mm, truth_mm.double(), metrics.alignable(visible)),
        "epe_bone_aligned_mm": _epe(with_bone_lengths(pose_mm, lengths_mm), truth_mm, visible),
    }


def _epe(prediction_mm: Tensor, truth_mm: Tensor, visible: Tensor) -> Statistic:
    errors_mm = metrics.joint_errors(prediction_mm, truth_mm)
    return lambda weights: metrics.epe(errors_mm, visible, weights)
