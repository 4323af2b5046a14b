"""3D scores of hands found in whole images: EPE with only the bone given, and depths of palms."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from whole_image_scores import Found
from whole_image_sets import TrueHand

from latent_hands.evaluation import protocol
from latent_hands.evaluation.scoring import score_run, translated
from latent_hands.hand.geometry import normalise, to_palm, to_palm_visible
from latent_hands.predictor import Model
from latent_hands.predictor.rotations import Prediction


def pose_scores(hands: Sequence[TrueHand], found: Sequence[Found], convention: str) -> dict[str, Any]:
    """Return the scores of found poses (`protocol.score`), and of their translation.

    `hands` are labelled in 3D. `convention` is the joint convention of the found poses. The true bone
    lengths are given.
    """
    truth, labels = truth_of(hands), hands[0].sample.convention if hands[0].sample else None
    pose, _ = normalise(torch.from_numpy(np.stack([each.pose for each in found])).double())
    prediction = Prediction(pose=pose.float())
    scores = protocol.score(prediction, truth, "evaluation")
    if labels is not None and labels != convention:
        scores |= translated(prediction, truth, (convention, labels), "evaluation", exact=False)
    return scores


def truth_of(hands: Sequence[TrueHand]) -> protocol.Truth:
    """Return the 3D labels of hands that are labelled with wrists."""
    samples = [hand.sample for hand in hands if hand.sample is not None]
    xyz_mm = torch.from_numpy(np.stack([np.asarray(each.xyz_mm) for each in samples]))
    visible = torch.from_numpy(np.stack([each.visible_or_all for each in samples]))
    right = torch.tensor([each.handedness == "right" for each in samples])
    return protocol.Truth.of(to_palm(xyz_mm), to_palm_visible(visible), right)


def depth_errors(hands: Sequence[TrueHand], found: Sequence[Found]) -> np.ndarray:
    """Return the relative errors of the palms' depths if the bone is given; NaN where none is measured."""
    bones = truth_of(hands).bone_mm.tolist()
    errors = []
    for hand, each, bone_mm in zip(hands, found, bones, strict=True):
        assert hand.sample is not None
        assert hand.sample.xyz_mm is not None
        depth_mm = float(to_palm(torch.from_numpy(hand.sample.xyz_mm))[0, 2])
        errors.append(abs(each.palm_z_bones * bone_mm / depth_mm - 1))
    return np.array(errors)


def everything_given(model: Model, hands: Sequence[TrueHand], rotations: int) -> dict[str, Any]:
    """Return the scores of the same hands with the ground-truth crop, the handedness and the camera given."""
    samples = [hand.sample for hand in hands if hand.sample is not None]
    return score_run(model, samples, "evaluation", rotations)
