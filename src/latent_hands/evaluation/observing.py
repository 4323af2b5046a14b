"""Observing found hands beside their labels: the features and targets that rules are fitted to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from zlib import crc32

import numpy as np
import torch

from latent_hands.data.formats.image import read_rgb
from latent_hands.data.labelled_images import read_labelled
from latent_hands.data.palm import palm_visible, palm_xyz_mm
from latent_hands.data.sample import Sample
from latent_hands.detection import Detection
from latent_hands.errors import HandsError
from latent_hands.evaluation.confidence import CUT_FOUND, CUT_GIVEN, FOUND, GIVEN, WRONG_SIDE, ReadHand
from latent_hands.evaluation.cutting import cut_through
from latent_hands.hand import geometry
from latent_hands.hand.boxes import Box, box_of_joints, crop_of_box, iou
from latent_hands.hand.translation import translate
from latent_hands.predictor import HandCrop, Model
from latent_hands.predictor.cameras import ImageCamera, camera_of_image
from latent_hands.predictor.candidates import Candidate, Readings
from latent_hands.predictor.checks import Rgb
from latent_hands.predictor.choosing import choose
from latent_hands.predictor.hand import HANDEDNESS, Handedness
from latent_hands.predictor.judging import confidence_features, presence_features, right_odds, side_features
from latent_hands.predictor.reading import Reading, glance, read_again, read_twice
from latent_hands.progress import Progress, silent

DRAWS = 16
RIGHT_MM = 30.0
"""A joint is right if it is at most as far from the ground truth."""
MATCH_IOU = 0.3
LEAST_PX = 36.0
"""Detections with a smaller crop are not judged: hands of less than about 25 pixels are not read reliably."""
LEAST_VISIBLE = 8
"""Detections of hands with fewer visible joints are ignored."""
Rows = list[tuple[dict[str, float], float]]
"""Features and target of each hand."""


@dataclass
class Observations:
    """Measurements on labelled hands: features with the target of each rule.

    handedness: target 1 (features are turned such that the truth is a right hand).
    presence: target 1 for a detection that is a labelled hand, 0 for any other. Small ones do not count.
    confidence: each hand as it is found, on the side that is chosen, and as it is read with its side given,
        the right one and the wrong one; once more where the image's border cuts it.
    images_without: features of the detections in each image without hands.
    """

    handedness: Rows
    presence: Rows
    confidence: list[ReadHand]
    images_without: list[list[dict[str, float]]]

    def __add__(self, other: "Observations") -> "Observations":
        """Return the observations of both."""
        return Observations(*(a + b for a, b in zip(vars(self).values(), vars(other).values(), strict=True)))


def observe(
    model: Model,
    images: Mapping[Path, Sequence[Sample]],
    complete: bool,
    use_detector: bool = True,
    progress: Progress = silent,
    data: str = "",
) -> Observations:
    """Find the hands of images, and compare them with the labels.

    Args:
        model: the run, with the temperature of its draws.
        images: the labelled hands of each image.
        complete: whether all hands of these images are labelled, so that any other detection is false.
        use_detector: whether boxes are detected; otherwise they are those of the labelled joints.
        progress: receives each image that is done.
        data: the name of the data set.
    """
    seen = Observations([], [], [], [])
    for done, (path, labelled) in enumerate(images.items(), 1):
        hands = [hand for hand in labelled if hand.visible_or_all.sum() >= LEAST_VISIBLE]
        rgb = read_labelled(labelled[0]) if labelled else read_rgb(path)
        K = next((hand.K for hand in hands if hand.K is not None), None)
        camera = camera_of_image(rgb, rgb.shape[:2], K)
        detections = model.detector.detect(rgb) if use_detector else []
        matched = [_match(hand, detections) for hand in hands]
        others = _others(labelled, detections) if complete else []
        sought = [
            Candidate(_box(hand), HANDEDNESS) if m is None else Candidate(m.box_px, HANDEDNESS, m.right)
            for m, hand in zip(matched, hands, strict=True)
        ]
        readings = _read_as_both(model, rgb, camera, sought)
        for hand, detection, of_hand in zip(hands, matched, readings, strict=True):
            _add_hand(seen, model, hand, detection, of_hand)
        if hands and use_detector:
            part, cut = cut_through(rgb, hands, np.random.default_rng(crc32(path.name.encode())))
            _add_cut(seen, model, part, cut)
        crops = [
            HandCrop(rgb, "right" if d.right > 0.5 else "left", crop_of_box(d.box_px), camera.K)
            for d in others
        ]
        false = [
            presence_features(reading, each.box_px, each.score, model.crop_px)
            for reading, each in zip(read_twice(model, crops, draws=DRAWS), others, strict=True)
            if reading.crop.side_px >= LEAST_PX
        ]
        seen.presence.extend((each, 0.0) for each in false)
        if complete and not labelled:
            seen.images_without.append(false)
        progress("observing", done, len(images))
    seen.confidence = [replace(each, data=data) for each in seen.confidence]
    return seen


def _read_as_both(
    model: Model, rgb: Rgb, camera: ImageCamera, candidates: Sequence[Candidate]
) -> list[Readings[Reading]]:
    """Return the readings of candidates as left and as right hands, in the crops of `Model.find`."""

    def crop_of(each: Candidate, side: Handedness) -> HandCrop:
        return HandCrop(rgb, side, crop_of_box(each.box_px), camera.K)

    if not candidates or "side" not in model.vae.writes:
        found = iter(read_twice(model, [crop_of(c, s) for c in candidates for s in HANDEDNESS], draws=DRAWS))
        return [Readings({side: next(found) for side in HANDEDNESS}) for _ in candidates]
    first = glance(model, [crop_of(each, each.likelier) for each in candidates])
    wanted: list[tuple[int, Handedness]] = [(i, s) for i in range(len(candidates)) for s in HANDEDNESS]
    found = iter(read_again(model, first, wanted, draws=DRAWS))
    return [
        Readings({side: next(found) for side in HANDEDNESS}, right_odds({each.likelier: reading}))
        for each, reading in zip(candidates, first.readings, strict=True)
    ]


def _add_hand(
    seen: Observations, model: Model, hand: Sample, detection: Detection | None, readings: Readings[Reading]
) -> None:
    """Add one labelled hand, whose crop was read as both sides."""
    is_right = hand.handedness == "right"
    left, right = (readings.by_side[side] for side in HANDEDNESS)
    reading = right if is_right else left
    features = side_features(readings.by_side, detection.right if detection else 0.5, readings.glanced)
    seen.handedness.append(({k: v if is_right else -v for k, v in features.items()}, 1.0))
    if detection is not None and reading.crop.side_px >= LEAST_PX:
        seen.presence.append(
            (presence_features(reading, detection.box_px, detection.score, model.crop_px), 1.0)
        )
    _add_confidence(seen, model, hand, detection, readings, FOUND, GIVEN)
    wrong = left if is_right else right
    _add_reading(seen, model, hand, wrong, None, WRONG_SIDE)


def _add_cut(seen: Observations, model: Model, rgb: Rgb, hands: Sequence[Sample]) -> None:
    """Add the confidence of those hands that are found in a part of an image.

    The principal point of a part may be outside of it, of which `camera_of_image` would warn.
    """
    K = hands[0].K
    camera = camera_of_image(rgb, rgb.shape[:2]) if K is None else ImageCamera(K, "given")
    detections = model.detector.detect(rgb)
    pairs = [(hand, found) for hand in hands if (found := _match(hand, detections)) is not None]
    sought = [Candidate(found.box_px, HANDEDNESS, found.right) for _, found in pairs]
    for (hand, found), readings in zip(pairs, _read_as_both(model, rgb, camera, sought), strict=True):
        _add_confidence(seen, model, hand, found, readings, CUT_FOUND, CUT_GIVEN)


def _add_confidence(
    seen: Observations,
    model: Model,
    hand: Sample,
    detection: Detection | None,
    readings: Readings[Reading],
    found: str,
    given: str,
) -> None:
    """Add a hand as it is found, if it is, and as it is read with its side given: readings of these kinds."""
    if detection is not None:
        chosen = choose(readings, detection.right, model.experiment.handedness)
        _add_reading(seen, model, hand, chosen, detection.score, found)
    own = readings.by_side["right" if hand.handedness == "right" else "left"]
    _add_reading(seen, model, hand, own, None, given)


def _add_reading(
    seen: Observations, model: Model, hand: Sample, reading: Reading, score: float | None, kind: str
) -> None:
    """Add a reading of a hand if its labels show how right it is. `score` is None where the box was given."""
    if (found := _share_right(model, hand, reading)) is not None:
        share, bone_mm = found
        features = confidence_features(reading, bone_mm, score, model.crop_px)
        seen.confidence.append(ReadHand(kind, features, share))


def _share_right(model: Model, hand: Sample, reading: Reading) -> tuple[float, float] | None:
    """Return the share of visible joints within 30 mm and the bone's length; None without 3D labels."""
    xyz_mm, visible = palm_xyz_mm(hand), palm_visible(hand)
    if xyz_mm is None:
        return None
    pose, bone_mm = geometry.normalise(xyz_mm)
    predicted, own = reading.outputs["pose"], model.experiment.data.convention
    if hand.convention not in (None, own):
        is_right = torch.tensor([hand.handedness == "right"])
        predicted = translate(predicted[None], own, hand.convention, is_right)[0]
    error_mm = (predicted - pose)[1:].norm(dim=-1) * bone_mm
    counted = torch.ones(20, dtype=torch.bool) if visible is None else visible[1:]
    if not counted.any():
        return None
    return (error_mm[counted] <= RIGHT_MM).float().mean().item(), float(bone_mm)


def _box(hand: Sample) -> Box:
    if hand.uv_px is None:
        raise HandsError(f"{hand.where} has no 2D joints; the rules are fitted to hands that have them")
    return box_of_joints(hand.uv_px)


def _others(hands: Sequence[Sample], detections: Sequence[Detection]) -> list[Detection]:
    """Return the detections that match no labelled hand."""
    boxes = [_box(hand) for hand in hands]
    return [each for each in detections if all(iou(each.box_px, box) < MATCH_IOU for box in boxes)]


def _match(hand: Sample, detections: Sequence[Detection]) -> Detection | None:
    """Return the detection that overlaps a labelled hand most, None if none does enough."""
    box = _box(hand)
    best = max(detections, key=lambda each: iou(each.box_px, box), default=None)
    return best if best is not None and iou(best.box_px, box) >= MATCH_IOU else None
