"""Scores in the image: exact predictions, known errors, missing joints, and sets with 2D labels alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from painted_hands import painted_hands
from tiny_hands import windows
from tiny_models import PLACEMENT, tiny_model

from latent_hands.errors import HandsError
from latent_hands.evaluation.in_image import labelled_uv, score_in_image
from latent_hands.evaluation.scoring import score_run
from latent_hands.predictor.rotations import Prediction


def test_exact_joints_have_no_error():
    data = windows(20)
    scores = score_in_image(Prediction(uv=labelled_uv(data).nan_to_num()), data, "e")
    assert (scores["error"], scores["error_px"], scores["pck_10"], scores["auc_0_20"]) == (0, 0, 1, 1)


def test_errors_are_shares_of_the_box_of_the_labelled_joints():
    """All joints are off by 15 % of the side of the box: 15 % of the crop times the box's share of it."""
    data = windows(20).with_labels(visible=None)
    truth = labelled_uv(data)
    side = (truth.amax(dim=1) - truth.amin(dim=1)).amax(dim=-1)
    moved = truth + torch.tensor([0.15, 0]) * side[:, None, None]
    scores = score_in_image(Prediction(uv=moved), data, "e")
    assert scores["error"] == pytest.approx(0.15, abs=1e-5)
    assert (scores["pck_10"], scores["pck_20"]) == (0, 1)
    assert scores["auc_0_20"] == pytest.approx(0.25, abs=0.03)
    assert scores["error_px"] == pytest.approx(0.15 * (side * 50).mean().item(), rel=1e-4)


def test_joints_without_label_are_not_scored():
    data = windows(20).with_labels(visible=None)
    truth = labelled_uv(data)
    uv_px = data.labels["uv_px"].clone()
    uv_px[:, 5] = torch.nan
    uv_px[0] = torch.nan
    wrong = truth.clone()
    wrong[:, 5] += 9
    wrong[0] += 9
    scores = score_in_image(Prediction(uv=wrong), data.with_labels(uv_px=uv_px), "e")
    assert scores["samples"] == 19
    assert scores["error"] == pytest.approx(0, abs=1e-6)
    blank = data.with_labels(uv_px=torch.full_like(uv_px, torch.nan))
    with pytest.raises(HandsError, match="no hand of split e has 3 labelled 2D joints"):
        score_in_image(Prediction(uv=wrong), blank, "e")


def test_sets_with_2d_labels_alone_are_scored_in_the_image(tmp_path):
    """Neither 3D joints nor a camera are needed; a mixed set has both kinds of scores."""
    model, samples = tiny_model(PLACEMENT, frame="ray"), painted_hands(tmp_path, 4)
    flat = [replace(each, xyz_mm=None, K=None, labelled=np.arange(21) != 4) for each in samples]
    scores = score_run(model, flat, "evaluation")
    assert scores["samples"] == scores["in_image"]["samples"] == 4
    assert "epe_mm" not in scores
    mixed = score_run(model, [*samples[:3], flat[3]], "evaluation")
    assert mixed["in_image"]["samples"] == 4
    alone = score_run(model, samples[:3], "evaluation")
    assert mixed["epe_mm"] == pytest.approx(alone["epe_mm"], rel=1e-4)
