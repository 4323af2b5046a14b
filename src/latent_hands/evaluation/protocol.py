"""Scores of predictions: all numbers of the papers' protocols, with bootstrap intervals.

Handedness and bone length are given at test time, as in the paper. Poses are compared relative to the palm,
in millimetres: the prediction times the true bone length. A model of frame "ray" is also given the camera. If
right hands are mirrored, predictions and labels are both mirrored.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jaxtyping import Bool, Float, Int64
from torch import Tensor

from latent_hands.errors import HandsError, counted
from latent_hands.evaluation import metrics
from latent_hands.hand.bones import mean_bone_lengths, with_bone_lengths
from latent_hands.hand.geometry import (
    canonicalise,
    compose,
    geodesic_deg,
    nearest_rotation,
    normalise,
    to_wrist,
)
from latent_hands.predictor.rotations import Prediction

Statistic = Callable[[Tensor], Tensor]
"""A score as a function of `counts`, how often each sample was drawn (see `metrics`)."""


@dataclass(frozen=True)
class Truth:
    """The ground truth of n hands, in palm form and the camera frame.

    Attributes:
        pose: (n, 21, 3) joints in bone lengths.
        bone_mm: (n,) bone lengths.
        visible: (n, 21) which joints are visible.
        right: (n,) right hands that are not mirrored; None if there are none.
        block: (n,) the same number for samples that resemble each other; None if all are independent.
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
        """Normalise joints in palm form and the camera frame."""
        return cls(*normalise(xyz_mm), visible, right, block)


def score(
    prediction: Prediction, truth: Truth, split: str, exact: bool = False, resamples: int = 1000
) -> dict[str, Any]:
    """Return all scores that the prediction allows, each with its 95 % interval [low, high].

    Intervals resample whole blocks, because samples of a block resemble each other; they resample single
    samples if there are fewer than two blocks.

    EPE is the end-point error, the mean distance of joints from the ground truth. Keys, each with
    `<key>_interval`:
        epe_mm: EPE, the mean over the 21 joints, of which joint 0 is the palm.
        median_epe_mm: the same with the median over samples.
        epe_20_mm: EPE without the palm.
        epe_wrist_mm: EPE with the wrist, 2 palm - middle MCP, in place of the palm. The wrist counts where
            the palm is visible, because windows have no other visibility.
        pa_epe_mm: EPE after Procrustes alignment of each hand on its visible joints. Hands with fewer than
            three visible joints are left out.
        epe_bone_aligned_mm: EPE with the predicted bones set to the labels' mean lengths, because data sets
            differ in where they place joints.
        auc_20_50, auc_0_50: area under the PCK curve (percentage of correct keypoints) over these mm. AUC
            20-50 integrates the published thresholds 21.05..50 mm, or 20..50 mm if `exact`.
        cpose_epe_mm: EPE of the canonical pose.
        viewpoint_deg: mean angle between predicted and true viewpoint.
        epe_composed_mm: EPE of cpose @ viewpoint.

    Also returns "samples", "blocks" and "split". Raises HandsError if the numbers of hands differ, and if no
    joint is visible.
    """
    count = len(truth.pose)
    for name, output in vars(prediction).items():
        if output is not None and len(output) != count:
            raise HandsError(
                f"the predictions of {name} are for {counted(len(output), 'hand')}, not for {count}: give "
                "one for each hand"
            )
    if not truth.visible.any():
        raise HandsError(
            f"nothing to score: no joint of {counted(count, 'hand')} of split {split} is visible"
        )
    block = metrics.blocks_of(truth.block, count)
    counts = metrics.resampled_counts(block, resamples)
    result: dict[str, Any] = {}
    for name, statistic in _statistics(prediction, truth, exact).items():
        result |= metrics.with_interval(name, statistic(counts))
    return result | {"samples": count, "blocks": len(block.unique()), "split": split}


def pck_curve(prediction: Prediction, truth: Truth) -> tuple[Float[Tensor, " t"], Float[Tensor, " t"]]:
    """Return the PCK curve of the pose, or of cpose @ viewpoint: thresholds in mm and shares 0..1.

    Raises HandsError if neither is predicted.
    """
    pose = _composed(prediction, truth) if prediction.pose is None else prediction.pose
    if pose is None:
        raise HandsError("a PCK curve needs a predicted pose, or cpose and viewpoint; neither is predicted")
    errors_mm = metrics.joint_errors(_mm(pose, truth), _mm(truth.pose, truth))
    return metrics.THRESHOLDS_MM, metrics.pck(errors_mm, truth.visible)


def mean_pose_reference(
    train_poses: Float[Tensor, "m 21 3"], count: int, right: Bool[Tensor, " m"] | None = None
) -> Prediction:
    """Return a constant prediction for `count` hands: the mean pose, canonical pose and viewpoint."""
    cpose, viewpoint = canonicalise(train_poses, right)
    mean = nearest_rotation(viewpoint.mean(dim=0))
    return Prediction(
        pose=train_poses.mean(dim=0).expand(count, -1, -1),
        cpose=cpose.mean(dim=0).expand(count, -1, -1),
        viewpoint=mean.expand(count, -1, -1),
    )


def _mm(pose: Tensor, truth: Truth) -> Tensor:
    return pose * truth.bone_mm[:, None, None]


def _composed(prediction: Prediction, truth: Truth) -> Tensor | None:
    if prediction.cpose is None or prediction.viewpoint is None:
        return None
    return compose(prediction.cpose, nearest_rotation(prediction.viewpoint), truth.right)


def _statistics(prediction: Prediction, truth: Truth, exact: bool) -> dict[str, Statistic]:
    """Return every score as a function of how often each sample was drawn."""
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
        statistics["viewpoint_deg"] = lambda counts: metrics.mean_over_samples(angle_deg.double(), counts)
    return statistics


def _pose_statistics(pose_mm: Tensor, truth: Truth, exact: bool) -> dict[str, Statistic]:
    truth_mm, visible = _mm(truth.pose, truth), truth.visible
    errors_mm = metrics.joint_errors(pose_mm, truth_mm)
    high = metrics.EXACT_20_50_MM if exact else metrics.THRESHOLDS_20_50_MM
    aligned_mm = metrics.procrustes_align(pose_mm, truth_mm, visible)
    lengths_mm = mean_bone_lengths(truth.pose, visible) * truth.bone_mm[:, None]

    def auc_over(thresholds_mm: Tensor) -> Statistic:
        return lambda counts: metrics.auc(
            metrics.pck(errors_mm, visible, thresholds_mm, counts), thresholds_mm
        )

    return {
        "epe_mm": _epe(pose_mm, truth_mm, visible),
        "median_epe_mm": lambda counts: metrics.median_epe(errors_mm, visible, counts),
        "epe_20_mm": _epe(pose_mm[:, 1:], truth_mm[:, 1:], visible[:, 1:]),
        "epe_wrist_mm": _epe(to_wrist(pose_mm), to_wrist(truth_mm), visible),
        "auc_20_50": auc_over(high),
        "auc_0_50": auc_over(metrics.THRESHOLDS_MM),
        "pa_epe_mm": _epe(aligned_mm, truth_mm.double(), metrics.alignable(visible)),
        "epe_bone_aligned_mm": _epe(with_bone_lengths(pose_mm, lengths_mm), truth_mm, visible),
    }


def _epe(prediction_mm: Tensor, truth_mm: Tensor, visible: Tensor) -> Statistic:
    errors_mm = metrics.joint_errors(prediction_mm, truth_mm)
    return lambda counts: metrics.epe(errors_mm, visible, counts)
