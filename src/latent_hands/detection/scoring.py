"""How well a detector finds hands, and the threshold and calibration that follow from labelled frames."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from latent_hands.data.formats.image import read_rgb
from latent_hands.detection.detector import Detection, Detector
from latent_hands.detection.frames import Frame, LabelledHand
from latent_hands.hand.boxes import iou

FOUND_IOU = 0.5
"""A hand is found by a box with at least this intersection over union."""
EVERY_SCORE = 0.02
"""Smallest score of the detections that a threshold is chosen from."""
MOST_FALSE = 0.01
"""A chosen threshold gives false detections in at most this share of the images without hands."""


@dataclass(frozen=True)
class Scores:
    """The scores of a detector on labelled frames.

    Attributes:
        hands: number of hands.
        recall: share of the hands that are found.
        precision: share of the detections that are hands.
        side: share of the found hands of a known side whose side is right.
        false_share: share of the frames without hands in which something is found.
        empty: number of frames without hands.
    """

    hands: int
    recall: float
    precision: float
    side: float
    false_share: float
    empty: int


@dataclass(frozen=True)
class Match:
    """A detection, the labelled hand that it finds, if any, and whether its frame has no hand."""

    detection: Detection
    hand: LabelledHand | None
    empty: bool


def matches(found: Sequence[Detection], hands: Sequence[LabelledHand]) -> list[Match]:
    """Return each detection with the hand that it finds; detections of ignored hands are left out.

    Detections choose their hands in order of their scores, and each hand is found once.
    """
    left, result = list(hands), []
    for detection in found:
        best = max(left, key=lambda hand: iou(detection.box_px, hand.box), default=None)
        if best is None or iou(detection.box_px, best.box) < FOUND_IOU:
            result.append(Match(detection, None, not hands))
            continue
        left.remove(best)
        if not best.ignored:
            result.append(Match(detection, best, False))
    return result


def all_matches(
    detector: Detector, frames: Sequence[Frame], advance: Callable[[str, int, int], None] | None = None
) -> list[list[Match]]:
    """Return the matches of every frame."""
    result = []
    for done, frame in enumerate(frames, 1):
        result.append(matches(detector.detect(read_rgb(frame.image)), frame.hands))
        if advance is not None:
            advance("measure", done, len(frames))
    return result


def scores(found: Sequence[Sequence[Match]], frames: Sequence[Frame], threshold: float) -> Scores:
    """Return the scores of the detections of at least `threshold`."""
    kept = [[each for each in of if each.detection.score >= threshold] for of in found]
    flat = [each for of in kept for each in of]
    hits = [each for each in flat if each.hand is not None]
    hands = sum(not hand.ignored for frame in frames for hand in frame.hands)
    sided = [each for each in hits if each.hand is not None and each.hand.side is not None]
    right = sum(each.detection.handedness == each.hand.side for each in sided if each.hand is not None)
    empty = [of for of, frame in zip(kept, frames, strict=True) if not frame.hands]
    return Scores(
        hands,
        len(hits) / max(hands, 1),
        len(hits) / max(len(flat), 1),
        right / max(len(sided), 1),
        sum(bool(of) for of in empty) / max(len(empty), 1),
        len(empty),
    )


def choose_threshold(found: Sequence[Sequence[Match]], frames: Sequence[Frame]) -> float:
    """Return the score with the best F1, raised until at most `MOST_FALSE` of the empty frames are wrong."""
    flat = sorted((each for of in found for each in of), key=lambda each: -each.detection.score)
    hands = max(sum(not hand.ignored for frame in frames for hand in frame.hands), 1)
    hits = np.cumsum([each.hand is not None for each in flat])
    f1 = 2 * hits / (np.arange(1, len(flat) + 1) + hands)
    best = flat[int(f1.argmax())].detection.score if flat else 0.5
    worst = sorted(
        (max((each.detection.score for each in of), default=0.0))
        for of, frame in zip(found, frames, strict=True)
        if not frame.hands
    )
    allowed = worst[math.ceil((1 - MOST_FALSE) * len(worst)) - 1] if worst else 0.0
    return float(np.clip(max(best, allowed + 1e-4), EVERY_SCORE, 0.99))


def calibrated(
    detector: Detector, frames: Sequence[Frame], advance: Callable[[str, int, int], None] | None = None
) -> tuple[Detector, Scores]:
    """Return the detector with calibrated scores and a chosen threshold, and its scores on the frames.

    The scores are fitted by logistic regression on all detections above `EVERY_SCORE`.
    """
    plain = replace(
        detector.settings, threshold=EVERY_SCORE, score_scale=1.0, score_shift=0.0, side_scale=1.0
    )
    found = all_matches(detector.with_settings(plain), frames, advance)
    flat = [each for of in found for each in of]
    logits = torch.tensor([_logit(each.detection.score) for each in flat])
    scale, shift = fit_logistic(logits, torch.tensor([float(each.hand is not None) for each in flat]), True)
    sided = [each for each in flat if each.hand is not None and each.hand.side is not None]
    sides = torch.tensor([_logit(each.detection.right) for each in sided])
    is_right = [float(each.hand is not None and each.hand.side == "right") for each in sided]
    side_scale, _ = fit_logistic(sides, torch.tensor(is_right), False)
    threshold = choose_threshold(found, frames)
    settings = replace(
        plain,
        threshold=float(torch.sigmoid(torch.tensor(scale * _logit(threshold) + shift))),
        score_scale=scale,
        score_shift=shift,
        side_scale=side_scale,
    )
    return detector.with_settings(settings), scores(found, frames, threshold)


def fit_logistic(
    logits: Float[Tensor, " n"], truth: Float[Tensor, " n"], shifted: bool
) -> tuple[float, float]:
    """Return scale and shift with the least cross-entropy of sigmoid(scale * logits + shift).

    The shift is 0 unless `shifted`. Without both outcomes the result is (1, 0).
    """
    if len(truth) < 2 or truth.min() == truth.max():
        return 1.0, 0.0
    parameters = torch.tensor([1.0, 0.0], dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([parameters], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        scale, shift = parameters
        predicted = scale * logits.double() + (shift if shifted else 0.0)
        value = binary_cross_entropy_with_logits(predicted, truth.double()) + 1e-4 * (scale - 1).square()
        value.backward()
        return value

    optimiser.step(closure)  # pyright: ignore[reportArgumentType]
    scale, shift = parameters.tolist()
    return float(np.clip(scale, 0.05, 20.0)), shift if shifted else 0.0


def _logit(probability: float) -> float:
    p = min(max(probability, 1e-6), 1 - 1e-6)
    return math.log(p / (1 - p))
