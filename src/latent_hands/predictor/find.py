"""Finding hands in a whole image: detect or take boxes, read each crop, read again, choose sides, place."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from latent_hands.configuration.rules import Handedness as SideRule
from latent_hands.detection import Detection
from latent_hands.errors import HandsError
from latent_hands.hand.boxes import Box, crop_of_box, iou
from latent_hands.predictor.cameras import ImageCamera
from latent_hands.predictor.checks import Rgb, bone_of, box_of
from latent_hands.predictor.hand import ASSUMED_BONE_MM, HANDEDNESS, Hand, Handedness, check_handedness
from latent_hands.predictor.judging import confidence, is_hand, right_probability
from latent_hands.predictor.photo import Photo
from latent_hands.predictor.placing import BONE_SPREAD, joint_spread_px, place_palm, unshrunk
from latent_hands.predictor.reading import Reading, glance, measures, read_again, read_twice
from latent_hands.predictor.trained_graph import TrainedGraph

UNCERTAIN = (0.1, 0.9)
"""Probabilities of a right hand between which a crop is read as both hands."""
SAME_IOU, SAME_DISTANCE = 0.7, 0.15
"""Two hands are one if their boxes overlap by more, or their joints are nearer, relative to the box."""


@runtime_checkable
class HandDetector(Protocol):
    """A detector of hands in an image."""

    def detect(self, rgb: Rgb) -> Sequence[Detection]:
        """Return the hands of an image, the highest score first."""
        ...


@dataclass(frozen=True)
class Candidate:
    """A hand that may be in an image.

    Attributes:
        box_px: box around it.
        sides: as which hands it is read.
        right: probability that it is a right hand, 0.5 if unknown.
        score: the detector's probability of a hand, None if the box was given.
    """

    box_px: Box
    sides: tuple[Handedness, ...]
    right: float = 0.5
    score: float | None = None

    @property
    def likelier(self) -> Handedness:
        """The likelier of its sides, the right one of two that are equally likely."""
        return "right" if "right" in self.sides and (self.right >= 0.5 or len(self.sides) == 1) else "left"


def given_candidates(
    boxes: Sequence[Sequence[float]], handedness: str | Sequence[str | None] | None, rgb: Rgb
) -> list[Candidate]:
    """Return the hands in given boxes; `handedness` is that of all, one for each, or None.

    Raises HandsError for a box that is not in the image, an unknown side, and another number of sides.
    """
    sides = [handedness] * len(boxes) if handedness is None or isinstance(handedness, str) else handedness
    if len(sides) != len(boxes):
        raise HandsError(f"there are {len(boxes)} boxes and {len(sides)} sides: give one side for each box")
    height, width = rgb.shape[:2]
    return [
        Candidate(box_of(box, width, height), HANDEDNESS if side is None else (check_handedness(side),))
        for box, side in zip(boxes, sides, strict=True)
    ]


def detected_candidates(
    detections: Sequence[Detection], handedness: str | Sequence[str | None] | None
) -> list[Candidate]:
    """Return the hands that a detector found. A `handedness` that is given holds for all of them.

    Raises HandsError for an unknown side, and for several sides without boxes.
    """
    if handedness is not None and not isinstance(handedness, str):
        raise HandsError("several sides need boxes: give one box for each side, or one side for all hands")
    given = None if handedness is None else check_handedness(handedness)
    return [
        Candidate(each.box_px, (given,) if given else plausible(each.right), each.right, each.score)
        for each in detections
    ]


def find_hands(
    graph: TrainedGraph,
    rgb: Rgb,
    camera: ImageCamera,
    candidates: Sequence[Candidate],
    bone_mm: float | None,
    rotations: int,
    draws: int,
) -> list[Hand]:
    """Return the hands of an image among some candidates, in the order of the candidates.

    Candidates with a given box are hands. Detected ones may be none, or hands that were found twice. The
    crops of all candidates are read in one batch, and those that must be read again in another.
    """
    bone = None if bone_mm is None else bone_of(bone_mm)
    found = []
    for each, by_side in zip(
        candidates, _read(graph, rgb, camera, candidates, bone, rotations, draws), strict=True
    ):
        reading = choose(by_side, each.right, graph.experiment.handedness)
        rule, score = graph.experiment.presence, each.score
        if score is None or is_hand(rule, reading, each.box_px, score, graph.crop_px):
            found.append(hand_of(graph, reading, camera, each.score))
    return found if all(each.score is None for each in candidates) else distinct(found)


def _read(
    graph: TrainedGraph,
    rgb: Rgb,
    camera: ImageCamera,
    candidates: Sequence[Candidate],
    bone_mm: float | None,
    rotations: int,
    draws: int,
) -> list[dict[Handedness, Reading]]:
    """Return the readings of each candidate, by side.

    A graph that decodes `side` reads the likelier side first. Its log-odds decide as which sides the hand is
    read again.
    """

    def photos(sides: Sequence[Sequence[Handedness]]) -> list[Photo]:
        pairs = zip(candidates, sides, strict=True)
        return [
            Photo(rgb, side, crop_of_box(each.box_px), camera.K, bone_mm) for each, of in pairs for side in of
        ]

    sides = [each.sides for each in candidates]
    if not measures(graph, "side") or all(len(of) == 1 for of in sides):
        readings = iter(read_twice(graph, photos(sides), rotations, draws))
    else:
        likelier: list[tuple[Handedness, ...]] = [(each.likelier,) for each in candidates]
        first = glance(graph, photos(likelier))
        sides = [
            _sides_after(each, reading, graph.experiment.handedness)
            for each, reading in zip(candidates, first.readings, strict=True)
        ]
        wanted: list[tuple[int, Handedness]] = [(i, side) for i, of in enumerate(sides) for side in of]
        readings = iter(read_again(graph, first, wanted, rotations, draws))
    return [{side: next(readings) for side in of} for of in sides]


def _sides_after(candidate: Candidate, first: Reading, rule: SideRule) -> tuple[Handedness, ...]:
    """Return as which sides a candidate is read after its first reading."""
    if len(candidate.sides) == 1:
        return candidate.sides
    left, right = (first if first.photo.handedness == side else None for side in HANDEDNESS)
    return plausible(right_probability(rule, left, right, candidate.right))


def plausible(right: float) -> tuple[Handedness, ...]:
    """Return the sides that a hand may be of, given the probability of a right hand."""
    low, high = UNCERTAIN
    return HANDEDNESS if low < right < high else ("right",) if right > 0.5 else ("left",)


def choose(readings: dict[Handedness, Reading], right: float, rule: SideRule) -> Reading:
    """Return the reading of the more probable side. `right` is the detector's probability of a right hand."""
    if len(readings) == 1:
        return next(iter(readings.values()))
    is_right = right_probability(rule, readings["left"], readings["right"], right) > 0.5
    return readings["right" if is_right else "left"]


def hand_of(graph: TrainedGraph, reading: Reading, camera: ImageCamera | None, score: float | None) -> Hand:
    """Return the hand of a reading, with its palm in space where the camera is known."""
    photo, arrays = reading.photo, {name: value.numpy() for name, value in reading.outputs.items()}
    bone_mm, uv_spread = photo.bone_mm or ASSUMED_BONE_MM, arrays.get("uv_spread")
    uv_spread_px = None if uv_spread is None else uv_spread * (photo.side_px / 2)
    palm = palm_spread = None
    if camera is not None and "uv" in arrays:
        palm, palm_spread = _palm(arrays, bone_mm, photo.bone_mm is None, reading.uv_px, uv_spread_px, camera)
    along_ray = graph.experiment.data.frame == "ray" and photo.K is None
    return Hand(
        handedness=photo.handedness,
        pose=arrays["pose"],
        cpose=arrays["cpose"],
        viewpoint=arrays["viewpoint"],
        bone_mm=bone_mm,
        bone_mm_assumed=photo.bone_mm is None,
        crop_px=photo.crop_box_px,
        uv_px=reading.uv_px,
        frame="ray" if along_ray else "camera",
        spread=arrays.get("spread"),
        uv_spread_px=uv_spread_px,
        score=score,
        confidence=confidence(graph.experiment.confidence, reading, bone_mm, score, graph.crop_px),
        palm_mm=palm,
        palm_spread_mm=palm_spread,
        K=photo.K,
        camera=None if camera is None else camera.source,
        convention=graph.experiment.data.convention,
    )


def distinct(hands: Sequence[Hand]) -> list[Hand]:
    """Return the hands without those that lie where an earlier one lies."""
    kept: list[Hand] = []
    for hand in hands:
        if not any(_same(hand, other) for other in kept):
            kept.append(hand)
    return kept


def _same(a: Hand, b: Hand) -> bool:
    larger = max(*a.box_px[2:], *b.box_px[2:])
    distance = float(np.linalg.norm(a.uv_px - b.uv_px, axis=1).mean())
    return iou(a.box_px, b.box_px) > SAME_IOU or distance < SAME_DISTANCE * larger


def _palm(
    arrays: dict[str, np.ndarray],
    bone_mm: float,
    assumed: bool,
    uv_px: Float[np.ndarray, "21 2"],
    uv_spread_px: Float[np.ndarray, "21"] | None,
    camera: ImageCamera,
) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"]]:
    """Return the palm in the camera frame and its spread, in mm."""
    xyz_mm = arrays["pose"] * bone_mm
    sigma, enlarged_px = None, uv_px
    if uv_spread_px is not None:
        sigma = joint_spread_px(uv_spread_px, arrays["spread"] * bone_mm, xyz_mm, uv_px)
        enlarged_px = unshrunk(uv_px, uv_spread_px)
    palm = place_palm(xyz_mm, enlarged_px, camera.K, sigma)
    spread = palm.spread_mm(BONE_SPREAD if assumed else 0.0, camera.focal_spread)
    return palm.xyz_mm.astype(np.float32), spread.astype(np.float32)
