"""The constant part of an error: one offset of each joint, the same for all hands.

It shows that labels and predictions place joints differently, or that a model expects other poses than those
of the data. It is a diagnosis and no score: the offset comes from the labels that are scored.
"""

from typing import Any

import torch

from latent_hands.evaluation import metrics
from latent_hands.evaluation.protocol import Truth
from latent_hands.hand.geometry import Mz, canonicalise
from latent_hands.hand.skeleton import JOINTS
from latent_hands.predictor.rotations import Prediction


def constant_part(prediction: Prediction, truth: Truth) -> dict[str, Any]:
    """Return the mean offset of each joint from the labels, and the EPE that is left without it.

    Keys: "offset_mm", the mean of prediction - label by joint, (x, y, z) in the canonical frame of the
    labelled hand, left form, over the hands in which the joint is visible; "epe_mm", the EPE of the pose
    without the offset. Each hand is corrected by the offset of the other hands, so that the EPE of few hands
    is not too good. Returns nothing without a predicted pose and for fewer than two hands.
    """
    if prediction.pose is None or len(truth.pose) < 2:
        return {}
    _, viewpoint = canonicalise(truth.pose, truth.right)
    error_mm = (prediction.pose - truth.pose) @ viewpoint.mT * truth.bone_mm[:, None, None]
    if truth.right is not None:
        error_mm = torch.where(truth.right[:, None, None], error_mm @ Mz.to(error_mm), error_mm)
    visible = truth.visible[..., None].to(error_mm)
    count, total = visible.sum(dim=0), (visible * error_mm).sum(dim=0)
    others = (total - visible * error_mm) / (count - visible).clamp(min=1)
    left_mm = (error_mm - others).norm(dim=-1).double()
    offset_mm = (total / count.clamp(min=1)).tolist()
    return {
        "offset_mm": {
            name: [round(number, 2) for number in offset]
            for name, offset in zip(("palm", *JOINTS[1:]), offset_mm, strict=True)
        },
        "epe_mm": metrics.epe(left_mm, truth.visible).item(),
    }
