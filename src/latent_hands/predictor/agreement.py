"""Agreement: how well several readings of a hand agree, as a score of the hand and of each joint.

A model that is sure of a hand predicts the same joints from rotated crops, from the crop that it finds in
the mirror image, and by each of its encoders. Where these readings differ, some of them are wrong. So the
distance between them ranks the errors (docs/pseudo_labels.md).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float

from latent_hands.errors import HandsError
from latent_hands.hand.boxes import Box, iou
from latent_hands.hand.geometry import nearest_rotation
from latent_hands.hand.handedness import OTHER_HAND
from latent_hands.hand.skeleton import reorder
from latent_hands.predictor.cameras import ImageCamera, camera_of_image
from latent_hands.predictor.checks import ImageSource, Rgb, opened
from latent_hands.predictor.hand import Hand
from latent_hands.predictor.hand_crop import HandCrop
from latent_hands.predictor.model import Model
from latent_hands.predictor.placing import place_palm
from latent_hands.predictor.reading import Reading, read_rotated
from latent_hands.predictor.rotations import MOST_ROTATIONS

AGREE_MM = 10.0
"""The distance from the mean of all readings at which the score of a joint is a half."""
SAME_HAND = 0.5
"""Two detections are of one hand if their boxes overlap by more."""
WIDER = 1.1
"""The second crop over the first, for a hand that is not found again in the mirror image."""
REASONS = ("not found in the mirror image", "of another side in the mirror image")


@dataclass(frozen=True, eq=False)
class Agreed:
    """A hand that is the mean of several readings.

    Attributes:
        hand: the mean. Its score is that of the detector.
        distance_mm: (21,) root mean square distance of each joint from the mean, over the readings.
        doubt: one of `REASONS` if the mirror image contradicts the hand; None if not.
    """

    hand: Hand
    distance_mm: Float[np.ndarray, "21"]
    doubt: str | None = None

    @property
    def joint_scores(self) -> Float[np.ndarray, "21"]:
        """Return the score of each joint, from 0 to 1: 1 / (1 + (distance / `AGREE_MM`)^2)."""
        return 1 / (1 + (self.distance_mm / AGREE_MM) ** 2)

    @property
    def snap_scores(self) -> Float[np.ndarray, "21"]:
        """Return the scores of the joints from wrist to little finger, each finger from base to tip.

        The wrist has the score of the palm.
        """
        return reorder(self.joint_scores[:, None], "rhd", "mediapipe")[:, 0]

    @property
    def score(self) -> float:
        """Return the mean score of the joints; 0 if the mirror image contradicts the hand."""
        return 0.0 if self.doubt else float(self.joint_scores.mean())


def agreed_hands(
    model: Model,
    image: ImageSource,
    *,
    boxes: Sequence[Sequence[float]] | None = None,
    handedness: str | Sequence[str | None] | None = None,
    bone_mm: float | None = None,
    K: np.ndarray | None = None,
    focal_px: float | None = None,
    rotations: int = 8,
    max_hands: int = 8,
    zoom: int = 1,
) -> list[Agreed]:
    """Find the hands in an image, read each several times, and return the means with their scores.

    Each hand is read in `rotations` rotated crops, by each encoder of images that infers the whole hand.
    Every other crop is the one that is found in the mirror image. Without given boxes, a hand is doubted if
    it is not found in the mirror image, or is a hand of the same side there.

    Args:
        model: a model that measures the joints in the image (a decoder of "uv").
        image, boxes, handedness, bone_mm, K, focal_px, max_hands, zoom: as in `Model.find`.
        rotations: number of rotated crops, 2 or more.

    Raises HandsError as `Model.find` does, for a model without "uv", and for fewer than 2 rotations.
    """
    check_agreement(model, rotations)
    image = opened(image)
    rgb = image.rgb
    camera = camera_of_image(image, rgb.shape[:2], K, focal_px)
    given = {
        "handedness": handedness,
        "bone_mm": bone_mm,
        "K": camera.K,
        "max_hands": max_hands,
        "zoom": zoom,
    }
    hands = model.find(rgb, boxes=boxes, **given)
    if not hands:
        return []
    others = _in_mirror_image(model, rgb, camera, hands, given) if boxes is None else [None] * len(hands)
    doubts = [None if boxes is not None else _doubt(*pair) for pair in zip(hands, others, strict=True)]
    crops = [
        [hand.crop_px, _wider(hand.crop_px) if other is None else other.crop_px]
        for hand, other in zip(hands, others, strict=True)
    ]
    readings = _readings(model, rgb, camera, hands, crops, bone_mm, rotations)
    return [
        _mean(hand, each, camera, doubt)
        for hand, each, doubt in zip(hands, zip(*readings, strict=True), doubts, strict=True)
    ]


def check_agreement(model: Model, rotations: int) -> None:
    """Raise HandsError if a model does not measure the joints in the image, and for too few rotations."""
    if not 2 <= rotations <= MOST_ROTATIONS:
        raise HandsError(
            f"rotations is {rotations}; it must be between 2 and {MOST_ROTATIONS}, to compare readings"
        )
    check_measures_joints(model)


def check_measures_joints(model: Model) -> None:
    """Raise HandsError if a model does not measure the joints in the image, so that hands have no place."""
    if "uv" not in model.vae.writes:
        raise HandsError(
            "positions in the camera frame need a run that measures the joints in the image; this run has no "
            'decoder of "uv", and the shipped run "estimation" has one'
        )


def _in_mirror_image(
    model: Model, rgb: Rgb, camera: ImageCamera, hands: Sequence[Hand], given: dict
) -> list[Hand | None]:
    """Return the hands that are found in the mirror image, mirrored back, one for each hand or None."""
    mirror = HandCrop(rgb, "left", (0.0, 0.0, 1.0, 1.0), camera.K).mirrored()
    side = given["handedness"]
    sides = {"handedness": side and OTHER_HAND[side]}
    found = [
        _mirrored(hand, rgb.shape[1]) for hand in model.find(mirror.rgb, **given | sides | {"K": mirror.K})
    ]
    return [
        max(
            (other for other in found if iou(hand.box_px, other.box_px) > SAME_HAND),
            key=lambda other: iou(hand.box_px, other.box_px),
            default=None,
        )
        for hand in hands
    ]


def _mirrored(hand: Hand, width: int) -> Hand:
    """Return the side and the place of a hand in the mirror image, of this width; its pose stays."""
    x, y, side, _ = hand.crop_px
    uv_px = hand.uv_px * np.array([-1, 1], np.float32) + np.array([width - 1, 0], np.float32)
    return replace(
        hand,
        handedness=OTHER_HAND[hand.handedness],
        crop_px=(width - x - side, y, side, side),
        uv_px=uv_px,
    )


def _doubt(hand: Hand, other: Hand | None) -> str | None:
    if other is None:
        return REASONS[0]
    return None if other.handedness == hand.handedness else REASONS[1]


def _wider(crop: Box) -> Box:
    x, y, side, _ = crop
    return x - side * (WIDER - 1) / 2, y - side * (WIDER - 1) / 2, side * WIDER, side * WIDER


def _readings(
    model: Model,
    rgb: Rgb,
    camera: ImageCamera,
    hands: Sequence[Hand],
    crops: Sequence[Sequence[Box]],
    bone_mm: float | None,
    rotations: int,
) -> list[list[Reading]]:
    """Return the readings of all hands, for each rotation and each encoder."""
    found = []
    for k in range(rotations):
        squares = [
            HandCrop(rgb, hand.handedness, own[k % len(own)], camera.K, bone_mm)
            for hand, own in zip(hands, crops, strict=True)
        ]
        angle = 2 * math.pi * k / rotations
        found += [read_rotated(model, squares, angle, encoder) for encoder in _encoders(model)]
    return found


def _encoders(model: Model) -> list[str | None]:
    """Return the encoders of images that infer whole hands; None for all together if there is only one."""
    factors = {*model.factors_of("pose"), *model.factors_of("uv")}
    arrows = [model.vae.encoder(name) for name in model.vae.encoders]
    whole = [
        name
        for name, arrow in zip(model.vae.encoders, arrows, strict=True)
        if arrow.reads == "rgb" and factors <= set(arrow.factors)
    ]
    return list(whole) if len(whole) > 1 else [None]


def _mean(hand: Hand, readings: Iterable[Reading], camera: ImageCamera, doubt: str | None) -> Agreed:
    """Return a hand with the mean of its readings, and the distances from it."""
    each = list(readings)

    def mean(name: str) -> torch.Tensor:
        return torch.stack([reading.outputs[name] for reading in each]).mean(dim=0)

    pose = mean("pose")
    apart = torch.stack([reading.outputs["pose"] for reading in each]) - pose
    uv_px = np.mean([reading.uv_px for reading in each], axis=0).astype(np.float32)
    found = replace(
        hand,
        pose=pose.numpy(),
        cpose=mean("cpose").numpy(),
        viewpoint=nearest_rotation(mean("viewpoint")).numpy(),
        uv_px=uv_px,
        spread=None,
        uv_spread_px=None,
    )
    palm = place_palm(found.xyz_mm, uv_px, camera.K)
    distance = apart.square().sum(dim=-1).mean(dim=0).sqrt().numpy() * hand.bone_mm
    placed = replace(found, palm_mm=palm.xyz_mm.astype(np.float32), palm_spread_mm=None)
    return Agreed(placed, distance, doubt)
