"""Candidates: boxes that may show a hand, and their readings as left or right hands."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Generic, Protocol, TypeVar, runtime_checkable

from latent_hands.configuration.rules import Presence, SideRule
from latent_hands.data.formats.box_label import BoxLabel
from latent_hands.detection.detection import Detection
from latent_hands.errors import HandsError, as_list
from latent_hands.hand.boxes import Box, crop_of_box
from latent_hands.predictor.cameras import ImageCamera
from latent_hands.predictor.checks import Rgb, box_of
from latent_hands.predictor.crop import Crop, CropReading
from latent_hands.predictor.hand import HANDEDNESS, Handedness, check_handedness
from latent_hands.predictor.judging import BySide, HandRules, is_too_small, right_odds, right_probability

Read = TypeVar("Read", bound=CropReading)
Seen = TypeVar("Seen", bound=CropReading, covariant=True)
Square = TypeVar("Square", bound=Crop)
First = TypeVar("First", bound="FirstReadings")
UNCERTAIN = (0.1, 0.9)
"""A crop is read as both hands if its probability of a right hand is between these."""


@dataclass(frozen=True)
class Candidate:
    """A box that may show a hand.

    Attributes:
        box_px: the box, in pixels.
        sides: the sides that it may be of: one if it was given.
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
    boxes = as_list(boxes, "boxes", "a list of boxes (x, y, width, height)")
    if any(isinstance(box, Real) for box in boxes):
        raise HandsError(f"boxes is {boxes}, but must be a list of boxes, such as [(x, y, width, height)]")
    if handedness is None or isinstance(handedness, str):
        sides = [handedness] * len(boxes)
    else:
        sides = as_list(handedness, "handedness", "one side, or a list with a side for each box")
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
        Candidate(each.box_px, (given,) if given else HANDEDNESS, each.right, each.score)
        for each in detections
        if not is_too_small(rule, each.box_px)
    ]


@dataclass(frozen=True)
class Readings(Generic[Seen]):
    """The readings of a candidate.

    Attributes:
        by_side: the last reading as each side.
        glanced: log-odds of a right hand by the first reading, None if there was no other one.
    """

    by_side: Mapping[Handedness, Seen]
    glanced: float | None = None


@runtime_checkable
class FirstReadings(Protocol):
    """The first readings of some crops."""

    @property
    def readings(self) -> Sequence[CropReading]:
        """Return the readings, one for each crop."""
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
) -> list[Readings[Read]]:
    """Return the readings of each candidate.

    A model that decodes `side` first reads each crop as the more probable side. Its log-odds decide whether
    the hand is then read as one side or as both. A hand that was read as one is also read as the other side
    if the second reading is uncertain of the side.
    """

    def crops_of(sides: Sequence[Sequence[Handedness]]) -> list[Square]:
        return [
            reader.crop(rgb, side, crop_of_box(each.box_px), camera.K, bone_mm)
            for each, of in zip(candidates, sides, strict=True)
            for side in of
        ]

    if not reader.measures("side") or all(len(each.sides) == 1 for each in candidates):
        sides = [each.sides if len(each.sides) == 1 else plausible(each.right) for each in candidates]
        readings = iter(reader.read_twice(crops_of(sides)))
        return [Readings({side: next(readings) for side in of}) for of in sides]
    first = reader.glance(crops_of([(each.likelier,) for each in candidates]))
    glances: list[BySide] = [
        {each.likelier: reading} for each, reading in zip(candidates, first.readings, strict=True)
    ]
    glanced = [right_odds(each) for each in glances]
    found: list[dict[Handedness, Read]] = [{} for _ in candidates]
    for latest in (glances, found):
        wanted: list[tuple[int, Handedness]] = [
            (i, side)
            for i, (each, by_side, odds) in enumerate(zip(candidates, latest, glanced, strict=True))
            for side in _sides_after(each, by_side, odds, rules.handedness)
            if side not in found[i]
        ]
        for (i, side), reading in zip(wanted, reader.read_again(first, wanted), strict=True):
            found[i][side] = reading
    return [Readings(by_side, odds) for by_side, odds in zip(found, glanced, strict=True)]


def _sides_after(
    candidate: Candidate, readings: BySide, glanced: float, rule: SideRule
) -> tuple[Handedness, ...]:
    """Return the sides as which a candidate is read again after some readings."""
    if len(candidate.sides) == 1:
        return candidate.sides
    return plausible(right_probability(rule, readings, candidate.right, glanced))


def plausible(right: float) -> tuple[Handedness, ...]:
    """Return the sides that a hand may be of, given the probability of a right hand."""
    low, high = UNCERTAIN
    return HANDEDNESS if low < right < high else ("right",) if right > 0.5 else ("left",)
