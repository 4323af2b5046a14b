"""The hand of each image of a benchmark in the camera frame, from what the benchmark gives."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from latent_hands.data.formats.image import read_rgb
from latent_hands.evaluation.benchmarks import Frame
from latent_hands.hand.boxes import Box
from latent_hands.hand.conventions import CONVENTIONS
from latent_hands.predictor import Hand, Model
from latent_hands.predictor.convention import in_convention

LABELS = "mano"
"""The joint convention of both benchmarks."""
MIDDLE = 0.5
"""Side of the box that is read if no hand is found, in sides of the image: FreiHAND's hands are centred."""


def assumed_convention(model: Model, named: str | None = None) -> str:
    """Return the convention in which the joints are submitted: the named one, that of the labels, or its own.

    That of the labels is "mano", which a user can register (docs/benchmarks.md). Raises HandsError for a name
    without a table.
    """
    if named is not None:
        CONVENTIONS.find(named)
        return named
    return LABELS if LABELS in CONVENTIONS else model.experiment.data.convention


def predict_frame(
    model: Model, frame: Frame, rotations: int, convention: str
) -> tuple[Float[np.ndarray, "21 3"], bool]:
    """Return the joints of a right hand in the camera frame, in mm, and whether the hand was found.

    A hand that is not found is read in the middle of the image. With the wrist of the benchmark, the hand is
    scaled to its depth and moved onto it. The joints are translated into `convention`.
    """
    rgb = read_rgb(frame.image)
    known = {
        "handedness": "right",
        "bone_mm": frame.bone_mm,
        "K": frame.K,
        "rotations": rotations,
        "draws": 0,
    }
    hands = model.find(rgb, boxes=None if frame.box is None else [frame.box], max_hands=1, **known)
    found = bool(hands)
    hand = hands[0] if hands else model.find(rgb, boxes=[_middle(rgb.shape[1], rgb.shape[0])], **known)[0]
    hand = in_convention(hand, convention, frame.bone_mm)
    return joints_mm(hand, frame.wrist_mm), found


def joints_mm(hand: Hand, wrist_mm: Float[np.ndarray, "3"] | None) -> Float[np.ndarray, "21 3"]:
    """Return a placed hand in the camera frame, joint 0 the wrist; with its wrist at `wrist_mm` if given.

    The place of a hand in an image determines its distance over its size. So the depth of the wrist gives the
    size, which no image shows.
    """
    if hand.palm_mm is None:
        raise ValueError("the hand has no place in the camera frame")
    if wrist_mm is not None:
        depth = float(hand.palm_mm[2] + hand.wrist_mm[2])
        ratio = float(wrist_mm[2]) / depth if depth > 0 and wrist_mm[2] > 0 else 1.0
        hand = replace(hand, bone_mm=hand.bone_mm * ratio)
        offset = wrist_mm - hand.wrist_mm
    else:
        offset = hand.palm_mm
    xyz_mm = hand.xyz_mm.copy()
    xyz_mm[0] = hand.wrist_mm
    return (xyz_mm + offset).astype(np.float32)


def _middle(width: int, height: int) -> Box:
    side = MIDDLE * min(width, height)
    return (width - side) / 2, (height - side) / 2, side, side
