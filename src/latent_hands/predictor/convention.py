"""A predicted hand in another joint convention."""

from dataclasses import replace

import numpy as np
import torch

from latent_hands.hand import geometry
from latent_hands.hand.conventions import CONVENTIONS
from latent_hands.predictor.hand import Hand
from latent_hands.predictor.placing import place_palm


def in_convention(hand: Hand, convention: str, bone_mm: float | None = None) -> Hand:
    """Return a hand with its joints in another joint convention (`hand.conventions`).

    Conventions place the same joint at different points of a hand: the wrists of two data sets may be 30 mm
    apart. The translation of the pose is that of `hand.translation`. It moves the joints in the image and
    the palm by the same distances.

    Args:
        hand: the hand.
        convention: the name of the convention, such as "ge2019".
        bone_mm: length of the middle MCP-PIP bone in that convention. By default it follows from
            `hand.bone_mm`.

    Raises HandsError for an unknown convention.
    """
    if isinstance(convention, str) and convention == hand.convention:
        return hand
    CONVENTIONS.find(convention)
    from latent_hands.hand.translation import moved_joints  # imports scipy

    right = torch.tensor([hand.handedness == "right"])
    given = torch.from_numpy(hand.pose).float()[None]
    joints = moved_joints(given, hand.convention, convention, right)
    pose, bones = geometry.normalise(joints)
    cpose, viewpoint = geometry.canonicalise(pose, right)
    ratio, moved = float(bones[0]), joints[0].numpy() - hand.pose
    size_px = np.exp(float(geometry.place(*map(torch.from_numpy, (hand.pose, hand.uv_px)))[2]))
    uv_px = (hand.uv_px + size_px * moved[:, :2]).astype(np.float32)
    bone = ratio * hand.bone_mm if bone_mm is None else bone_mm
    arrays = {"pose": pose[0].numpy(), "cpose": cpose[0].numpy(), "viewpoint": viewpoint[0].numpy()}
    spread = None if hand.spread is None else hand.spread / np.float32(ratio)
    placed = replace(hand, convention=convention, bone_mm=bone, uv_px=uv_px, spread=spread, **arrays)
    if hand.palm_mm is None or hand.K is None:
        return placed
    return replace(placed, palm_mm=place_palm(placed.xyz_mm, uv_px, hand.K).xyz_mm.astype(np.float32))
