"""Candidates: boxes that may show a hand, their readings as left or right hands, and the hands among them."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Generic, Protocol, TypeVar, runtime_checkable

import numpy as np

from latent_hands.configuration.rules import Presence, SideRule
from latent_hands.data.formats.box_label import BoxLabel
from latent_hands.detection.detection import Detection
from latent_hands.errors import HandsError
from latent_hands.hand.boxes import Box, crop_of_box, iou
from latent_hands.predictor.assembly import assembled
from latent_hands.predictor.cameras import ImageCamera
from latent_hands.predictor.checks import Rgb, box_of
from latent_hands.predictor.crop import Crop, CropReading
from latent_hands.predictor.hand import HANDEDNESS, Hand, Handedness, check_handedness
from latent_hands.predictor.judging import HandRules, is_hand, is_too_small, right_probability

Read = TypeVar("Read", bound=CropReading)
Square = TypeVar("Square", bound=Crop)
First = TypeVar("First", bound="FirstReadings")
UNCERTAIN = (0.1, 0.9)
"""A crop is read as both hands if its probability of a right hand is between these."""
SAME_IOU, SAME_SIDE_IOU, SAME_DISTANCE = 0.7, 0.45, 0.15
"""Two hands are one if their boxes overlap by more, or their joints are nearer, relative to the box.

Hands of one side are one at a smaller overlap: a person who holds one hand with the other has one of each.
"""


@dataclass(frozen=True)
class Candidate:
    """A box that may show a hand.

    Attributes:
        box_px: the box, in pixels.
        sides: the sides as which the crop is read.
        right: probability that it is a right hand, 0.5 if unknown.
        score: the detector's probability of a hand, None if the box was given.
    """

    box_px: Box
    sides: tuple[Handedness, ...]
    right: float = 0.5
    score: float | None = None

    @property
    def likelier(self) -> Handedness:
        """The more probable side; "right" if both are equally probable."""
        return "right" if "right" in self.sides and (self.right >= 0.5 or len(self.sides) == 1) else "left"


def given_candidates(
    boxes: Sequence[Sequence[float] | BoxLabel], handedness: str | Sequence[str | None] | None, rgb: Rgb
) -> list[Candidate]:
    """Return the hands in given boxes; `handedness` is that of all, one for each, or None.

    A `BoxLabel` states the side where `handedness` does not.

    Raises HandsError for one box that is not in a list, for a box that is not in the image, for an unknown
    side, and for another number of sides.
    """
    if any(isinstance(box, Real) for box in boxes):
        raise HandsError(
            f"boxes is {list(boxes)}, but must be a list of boxes, such as [(x, y, width, height)]"
        )
    sides = [handedness] * len(boxes) if handedness is None or isinstance(handedness, str) else handedness
    if len(sides) != len(boxes):
        raise HandsError(f"there are {len(boxes)} boxes and {len(sides)} sides: give one side for each box")
    height, width = rgb.shape[:2]
    labels = [box if isinstance(box, BoxLabel) else BoxLabel(box_of(box, width, height)) for box in boxes]
    known = [label.handedness if side is None else side for label, side in zip(labels, sides, strict=True)]
    return [
        Candidate(box_of(label.box, width, height), HANDEDNESS if side is None else (check_handedness(side),))
        for label, side in zip(labels, known, strict=True)
    ]


def detected_candidates(
    detections: Sequence[Detection],
    handedness: str | Sequence[str | None] | None,
    rule: Presence | None = None,
) -> list[Candidate]:
    """Return the hands that a detector found. A `handedness` that is given holds for all of them.

    Those that the rule of presence will reject for their size are left out, because reading them takes time.

    Raises HandsError for an unknown side, and for several sides without boxes.
    """
    if handedness is not None and not isinstance(handedness, str):
        raise HandsError("several sides need boxes: give one box for each side, or one side for all hands")
    given = None if handedness is None else check_handedness(handedness)
    return [
        Candidate(each.box_px, (given,) if given else plausible(each.right), each.right, each.score)
        for each in detections
        if not is_too_small(rule, each.box_px)
    ]


@runtime_checkable
class FirstReadings(Protocol):
    """The first readings of some crops."""

    @property
    def readings(self) -> Sequence[CropReading]:
        """One for each crop."""
        ...


class Reader(ABC, Generic[Square, Read, First]):
    """A model that reads crops of an image.

    Attributes:
        crop: the class of its crops.
    """

    crop: type[Square]

    @abstractmethod
    def measures(self, name: str) -> bool:
        """Return whether the model decodes a modality."""

    @abstractmethod
    def glance(self, crops: Sequence[Square]) -> First:
        """Read every crop for the first time."""

    @abstractmethod
    def read_again(self, first: First, wanted: Sequence[tuple[int, Handedness]]) -> list[Read]:
        """Read crops again, each given by its number in the first reading, as a hand of a side."""

    @abstractmethod
    def read_twice(self, crops: Sequence[Square]) -> list[Read]:
        """Read every crop, then read it again around the joints that were found."""


def read_candidates(
    reader: Reader[Square, Read, First],
    rules: HandRules,
    rgb: Rgb,
    camera: ImageCamera,
    candidates: Sequence[Candidate],
    bone_mm: float | None,
) -> list[dict[Handedness, Read]]:
    """Return the readings of each candidate, by side.

    A model that decodes `side` first reads each crop as the more probable side. Its log-odds decide whether
    the hand is then read as one side or as both.
    """

    def crops_of(sides: Sequence[Sequence[Handedness]]) -> list[Square]:
        return [
            reader.crop(rgb, side, crop_of_box(each.box_px), camera.K, bone_mm)
            for each, of in zip(candidates, sides, strict=True)
            for side in of
        ]

    sides = [each.sides for each in candidates]
    if not reader.measures("side") or all(len(of) == 1 for of in sides):
        readings = iter(reader.read_twice(crops_of(sides)))
    else:
        likelier: list[tuple[Handedness, ...]] = [(each.likelier,) for each in candidates]
        first = reader.glance(crops_of(likelier))
        sides = [
            _sides_after(each, reading, rules.handedness)
            for each, reading in zip(candidates, first.readings, strict=True)
        ]
        wanted: list[tuple[int, Handedness]] = [(i, side) for i, of in enumerate(sides) for side in of]
        readings = iter(reader.read_again(first, wanted))
    return [{side: next(readings) for side in of} for of in sides]


def found_hands(
    rules: HandRules,
    candidates: Sequence[Candidate],
    readings: Iterable[Mapping[Handedness, CropReading]],
    camera: ImageCamera,
) -> list[Hand]:
    """Return the hands among candidates, given the readings of each by side, in the order of the candidates.

    A candidate with a given box is always a hand. A detected one is left out if the rule of presence rejects
    it, or if it is a hand that was found twice.
    """
    found = []
    for each, by_side in zip(candidates, readings, strict=True):
        reading = choose(by_side, each.right, rules.handedness)
        if each.score is None or is_hand(rules.presence, reading, each.box_px, each.score, rules.crop_px):
            found.append(assembled(rules, reading, camera, each.score))
    return found if all(each.score is None for each in candidates) else distinct(found)


def _sides_after(candidate: Candidate, first: CropReading, rule: SideRule) -> tuple[Handedness, ...]:
    """Return the sides as which a candidate is read again after its first reading."""
    if len(candidate.sides) == 1:
        return candidate.sides
    left, right = (first if first.crop.handedness == side else None for side in HANDEDNESS)
    return plausible(right_probability(rule, left, right, candidate.right))


def plausible(right: float) -> tuple[Handedness, ...]:
    """Return the sides that a hand may be of, given the probability of a right hand."""
    low, high = UNCERTAIN
    return HANDEDNESS if low < right < high else ("right",) if right > 0.5 else ("left",)


def choose(readings: Mapping[Handedness, Read], right: float, rule: SideRule) -> Read:
    """Return the reading of the more probable side. `right` is the detector's probability of a right hand."""
    if len(readings) == 1:
        return next(iter(readings.values()))
    is_right = right_probability(rule, readings["left"], readings["right"], right) > 0.5
    return readings["right" if is_right else "left"]


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
