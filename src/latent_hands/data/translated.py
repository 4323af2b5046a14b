"""Samples with their labels in another joint convention."""

from dataclasses import replace

import numpy as np
import torch

from latent_hands.data.sample import Sample, project, with_wrist
from latent_hands.errors import HandsError
from latent_hands.hand.translation import translate_labels


def translated_sample(sample: Sample, convention: str) -> Sample:
    """Return a sample with its joints in another joint convention; joint 0 is then the wrist.

    The 3D joints are translated (`hand.translation`), and the 2D joints move as their projections do. A
    sample in this convention is returned as it is. Raises HandsError for a convention without a table, and
    for a sample without 3D joints, side, camera or wrist.
    """
    if sample.convention == convention:
        return sample
    hand = with_wrist(sample).projected()
    if hand.convention is None or hand.xyz_mm is None or hand.K is None or hand.handedness is None:
        raise HandsError(f"{sample.where} needs convention, xyz_mm, side and K to be in {convention}")
    right = torch.tensor([hand.handedness == "right"])
    xyz_mm = torch.from_numpy(hand.xyz_mm)[None].double()
    moved = translate_labels(xyz_mm, hand.convention, convention, right)[0].numpy().astype(np.float32)
    shift_px = project(moved, hand.K) - project(hand.xyz_mm, hand.K)
    uv_px = None if hand.uv_px is None else hand.uv_px + shift_px
    return replace(hand, xyz_mm=moved, uv_px=uv_px, wrist_mm=None, wrist_px=None, convention=convention)
