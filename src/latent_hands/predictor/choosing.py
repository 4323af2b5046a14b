"""Choosing: the hands among candidates that were read, and the side of each."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TypeVar

import numpy as np

from latent_hands.configuration.rules import SideRule
from latent_hands.hand.boxes import iou
from latent_hands.predictor.assembly import assembled
from latent_hands.predictor.cameras import ImageCamera
from latent_hands.predictor.candidates import Candidate, Readings
from latent_hands.predictor.crop import CropReading
from latent_hands.predictor.hand import Hand, Handedness
from latent_hands.predictor.judging import HandRules, is_hand, right_probability

Read = TypeVar("Read", bound=CropReading)
SAME_IOU, SAME_SIDE_IOU, SAME_DISTANCE = 0.7, 0.45, 0.15
"""Two hands are one if their boxes overlap by more, or their joints are nearer, relative to the box.

Hands of one side are one at a smaller overlap: a person who holds one hand with the other has one of each.
"""
OPPOSITE = 0.8
"""Probability that the two hands of an image are a left and a right one: those of one person mostly are."""


@dataclass(frozen=True)
class _Found:
    """A hand, the candidate that it was, and the readings of this candidate."""

    candidate: Candidate
    readings: Readings[CropReading]
    hand: Hand

    def sides(self, rule: SideRule) -> dict[Handedness, float]:
        """Return the probability of each side as which the candidate was read."""
        return side_probabilities(self.readings, self.candidate.right, rule)


def found_hands(
    rules: HandRules,
    candidates: Sequence[Candidate],
    readings: Iterable[Readings[CropReading]],
    camera: ImageCamera,
) -> list[Hand]:
    """Return the hands among candidates, given the readings of each, in the order of the candidates.

    A candidate with a given box is always a hand. A detected one is left out if the rule of presence rejects
    it, or if it is a hand that was found twice. If two detected hands are left, they are a left and a right
    one with the probability `OPPOSITE`, which may change a side that is uncertain.
    """

    def hand_of(each: Candidate, reading: CropReading) -> Hand | None:
        if each.score is None or is_hand(rules.presence, reading, each.box_px, each.score, rules.crop_px):
            return assembled(rules, reading, camera, each.score)
        return None

    found = []
    for each, of_each in zip(candidates, readings, strict=True):
        hand = hand_of(each, choose(of_each, each.right, rules.handedness))
        if hand is not None:
            found.append(_Found(each, of_each, hand))
    if all(each.score is None for each in candidates):
        return [each.hand for each in found]
    kept = distinct([each.hand for each in found])
    if len(kept) != 2:
        return kept
    pair = [each for each in found if any(each.hand is hand for hand in kept)]
    sides = sides_of_pair(*(each.sides(rules.handedness) for each in pair))
    return [
        hand_of(each.candidate, each.readings.by_side[side]) or each.hand
        for each, side in zip(pair, sides, strict=True)
    ]


def choose(readings: Readings[Read], right: float, rule: SideRule) -> Read:
    """Return the reading of the more probable side. `right` is the detector's probability of a right hand."""
    sides = side_probabilities(readings, right, rule)
    return readings.by_side[max(sides, key=sides.__getitem__)]


def side_probabilities(
    readings: Readings[CropReading], right: float, rule: SideRule
) -> dict[Handedness, float]:
    """Return the probability of each side as which a hand was read.

    `right` is the detector's probability of a right hand.
    """
    if len(readings.by_side) == 1:
        return dict.fromkeys(readings.by_side, 1.0)
    found = right_probability(rule, readings.by_side, right, readings.glanced)
    return {"left": 1 - found, "right": found}


def sides_of_pair(
    first: Mapping[Handedness, float], second: Mapping[Handedness, float]
) -> tuple[Handedness, Handedness]:
    """Return the likeliest sides of two hands of an image.

    Args:
        first, second: the probability of each side on its own; a side that is out of the question is absent.
    """
    return max(
        product(first, second),
        key=lambda sides: (
            first[sides[0]] * second[sides[1]] * (OPPOSITE if sides[0] != sides[1] else 1 - OPPOSITE)
        ),
    )


def distinct(hands: Sequence[Hand]) -> list[Hand]:
    """Return the hands without those that are the same hand as an earlier one."""
    kept: list[Hand] = []
    for hand in hands:
        if not any(_same(hand, other) for other in kept):
            kept.append(hand)
    return kept


def _same(a: Hand, b: Hand) -> bool:
    larger = max(*a.box_px[2:], *b.box_px[2:])
    distance = float(np.linalg.norm(a.uv_px - b.uv_px, axis=1).mean())
    limit = SAME_SIDE_IOU if a.handedness == b.handedness else SAME_IOU
    return iou(a.box_px, b.box_px) > limit or distance < SAME_DISTANCE * larger
