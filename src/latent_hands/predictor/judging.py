"""Judging found hands: which side, whether it is a hand, and how many joints are right."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from latent_hands.configuration.rules import Confidence, Presence, SideRule
from latent_hands.hand.boxes import Box, crop_of_box, iou
from latent_hands.hand.handedness import Handedness
from latent_hands.predictor.crop import MOST_CHANGE, CropReading

LEAST = 1e-3
"""Smaller values of a feature are replaced by this before the logarithm is taken, in bone lengths."""
LIMITS = ("threshold", "least_score", "least_px")
"""Settings of rules that are not weights."""
Rule = SideRule | Presence | Confidence
BySide = Mapping[Handedness, CropReading]
"""The readings of a crop as a left and as a right hand, or as one of them."""
CERTAIN = 0.999
"""Probabilities of a detector are clipped to 1 - CERTAIN and CERTAIN."""


@dataclass(frozen=True)
class HandRules:
    """The rules by which readings of a model become hands, and the conventions of its training.

    Attributes:
        crop_px: side of the network's images.
        frame: frame of the poses, "camera" or "ray".
        convention: the joint convention.
        handedness, presence, confidence: the rules; None if the model has none.
    """

    crop_px: int
    frame: str
    convention: str
    handedness: SideRule
    presence: Presence | None = None
    confidence: Confidence | None = None


def log_odds(probability: float) -> float:
    """Return ln(p / (1 - p)), with p between 0.001 and 0.999."""
    p = min(max(probability, 1 - CERTAIN), CERTAIN)
    return math.log(p / (1 - p))


def probability_of(odds: float) -> float:
    """Return the probability of these log odds."""
    return 1 / (1 + math.exp(-odds))


def right_odds(readings: BySide) -> float:
    """Return the log-odds of a right hand that the model decodes, their mean over the readings by side."""
    odds = [_side(each) if side == "right" else -_side(each) for side, each in readings.items()]
    return sum(odds) / len(odds)


def side_features(readings: BySide, detected: float, glanced: float | None = None) -> dict[str, float]:
    """Return the features of `SideRule` for one crop, read as both hands, or as one of them.

    Args:
        readings: the readings by side.
        detected: the probability of a right hand by the detector, 0.5 if it is not known.
        glanced: the log-odds of a right hand by the first reading; None if there is no other one.
    """
    odds = right_odds(readings)
    glance = odds if glanced is None else glanced
    features = {"detector": log_odds(detected), "side": odds, "glance": glance}
    if len(readings) == 1:
        return features
    left, right = _features(readings["left"]), _features(readings["right"])
    return {name: right[name] - left[name] for name in right} | features


def weights_of(rule: Rule) -> dict[str, float]:
    """Return the weight of each feature that a rule uses."""
    return {name: value for name, value in vars(rule).items() if name not in LIMITS}


def probability(rule: Rule, features: Mapping[str, float]) -> float:
    """Return the probability that a rule gives. Features that are absent are 0."""
    return _sigmoid(sum(weight * features.get(name, 0.0) for name, weight in weights_of(rule).items()))


def right_probability(
    rule: SideRule, readings: BySide, detected: float = 0.5, glanced: float | None = None
) -> float:
    """Return the probability that a hand is a right one; the arguments are those of `side_features`."""
    return probability(rule, side_features(readings, detected, glanced))


def presence_features(reading: CropReading, box: Box, score: float, crop_px: int) -> dict[str, float]:
    """Return the features of `Presence`: of a detection, its reading, and the side of network images."""
    found = _features(reading)
    return {
        "bias": 1.0,
        "score": log_odds(score),
        "spread": found["spread"],
        "disagreement": found["disagreement"],
        "overlap": iou(reading.box_px, box),
        "decoded": float(reading.outputs["presence"].item()) if "presence" in reading.outputs else 0.0,
        "side_px": _enlarged(reading, crop_px),
        "uv_spread": found["uv_spread"],
    }


def is_hand(rule: Presence | None, reading: CropReading, box: Box, score: float, crop_px: int) -> bool:
    """Return whether a detection is large enough and probably a hand; without a rule, every one is."""
    if rule is None:
        return True
    if reading.crop.side_px < rule.least_px:
        return False
    return probability(rule, presence_features(reading, box, score, crop_px)) >= rule.threshold


def is_too_small(rule: Presence | None, box: Box) -> bool:
    """Return whether a detection's crop stays too small for the rule, whatever the joints in it are."""
    return rule is not None and MOST_CHANGE * max(crop_of_box(box)[2:]) < rule.least_px


def confidence_features(
    reading: CropReading, bone_mm: float, score: float | None, crop_px: int
) -> dict[str, float]:
    """Return the features of `Confidence`: of a reading, its bone, and the side of the network's images."""
    found = _features(reading)
    return {
        "bias": 1.0,
        "spread": found["spread"] + math.log(bone_mm),
        "disagreement": found["disagreement"],
        "score": 0.0 if score is None else log_odds(score),
        "side_px": _enlarged(reading, crop_px),
        "side": _side(reading),
        "outside": reading.outside,
        "given": float(score is None),
        "uv_spread": found["uv_spread"],
    }


def confidence(
    rule: Confidence | None, reading: CropReading, bone_mm: float, score: float | None, crop_px: int
) -> float | None:
    """Return the expected share of joints within 30 mm; None without a rule or without draws."""
    if rule is None or "spread" not in reading.outputs:
        return None
    return probability(rule, confidence_features(reading, bone_mm, score, crop_px))


def _features(reading: CropReading) -> dict[str, float]:
    """Return logarithms of spreads and disagreement, and nats; 0 for what the model does not predict."""
    outputs = reading.outputs
    logs = {
        name: math.log(max(float(outputs[name].mean()), LEAST)) if name in outputs else 0.0
        for name in ("spread", "uv_spread")
    }
    measured = "uv" in outputs
    return logs | {
        "disagreement": math.log(max(reading.disagreement, LEAST)) if measured else 0.0,
        "nats": float(outputs["nats"]) if "nats" in outputs else 0.0,
    }


def _enlarged(reading: CropReading, crop_px: int) -> float:
    """Return the logarithm of the crop's side over that of the network's images, at most 0."""
    return math.log(min(reading.crop.side_px / crop_px, 1.0))


def _side(reading: CropReading) -> float:
    """Return the log-odds that a crop shows a hand of the side that it is read as, 0 if they are unknown."""
    return float(reading.outputs["side"].item()) if "side" in reading.outputs else 0.0


def _sigmoid(logit: float) -> float:
    return 0.5 * (1 + math.tanh(logit / 2))
