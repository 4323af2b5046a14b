"""Scores in the image: predicted 2D joints against 2D labels, in shares of the side of the hand's box."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from latent_hands.data.windows import Windows
from latent_hands.errors import HandsError
from latent_hands.evaluation import metrics
from latent_hands.hand.camera import to_crop_units
from latent_hands.predictor.rotations import Prediction

LEAST_JOINTS = 3
"""The box of fewer labelled joints is no measure of the hand's size."""
THRESHOLDS = torch.linspace(0, 0.2, 21, dtype=torch.float64)
"""Thresholds of the area under the curve, in sides of the box."""
PCK_AT = {"pck_10": 0.1, "pck_20": 0.2}


def labelled_uv(windows: Windows) -> Float[Tensor, "n 21 2"]:
    """Return the labelled joints in crops that span -1..1, NaN where they are unknown or not visible.

    Raises HandsError if the windows have no 2D joints.
    """
    if windows.uv_px is None:
        raise HandsError("the data have no 2D joints (uv_px) to score against: label them")
    uv = to_crop_units(windows.uv_px, windows.rgb.shape[-1]) * windows.margin
    return uv if windows.visible is None else uv.where(windows.visible[..., None], torch.nan)


def score_in_image(prediction: Prediction, windows: Windows, split: str) -> dict[str, Any]:
    """Return the scores of predicted 2D joints, each with its 95 % interval [low, high].

    The side of the box is the larger side of the box around the labelled joints of a hand. Hands with fewer
    than `LEAST_JOINTS` of them are left out. Keys, each with `<key>_interval`:
        error: mean distance of the joints from their labels, over the side of the box.
        error_px: mean distance in pixels of the image.
        pck_10, pck_20: share of joints within 10 and 20 % of the side of the box.
        auc_0_20: area under the PCK curve from 0 to 20 %.

    Errors are averaged for each joint over the hands, then over the joints. Also returns "samples" and
    "split". Raises HandsError if the joints in the image are not predicted, and if no hand is labelled.
    """
    if prediction.uv is None:
        raise HandsError(
            "the model predicts no joints in the image (uv), which 2D labels are scored with: use a model "
            'with a decoder of "uv", such as estimation'
        )
    truth = labelled_uv(windows)
    known = ~truth.isnan().any(dim=-1)
    scored = known.sum(dim=1) >= LEAST_JOINTS
    if not scored.any():
        raise HandsError(f"nothing to score: no hand of split {split} has {LEAST_JOINTS} labelled 2D joints")
    truth, known, uv = truth[scored], known[scored], prediction.uv[scored]
    corners = [truth.where(known[..., None], limit) for limit in (torch.inf, -torch.inf)]
    side = (corners[1].amax(dim=1) - corners[0].amin(dim=1)).amax(dim=-1).clamp(min=1e-6)
    distance = (uv.double() - truth.double()).norm(dim=-1)
    assert windows.crop_side_px is not None
    to_px = windows.crop_side_px[scored].double() / 2
    share, pixels = distance / side[:, None], distance * to_px[:, None]
    block = None if windows.block is None else windows.block[scored]
    counts = metrics.resampled_counts(metrics.blocks_of(block, len(uv)))
    values = {"error": metrics.epe(share, known, counts), "error_px": metrics.epe(pixels, known, counts)}
    for name, limit in PCK_AT.items():
        values[name] = metrics.pck(share, known, torch.tensor([limit]), counts)[..., 0]
    values["auc_0_20"] = metrics.auc(metrics.pck(share, known, THRESHOLDS, counts), THRESHOLDS)
    result: dict[str, Any] = {}
    for name, each in values.items():
        result |= metrics.with_interval(name, each)
    return result | {"samples": len(uv), "split": split}
