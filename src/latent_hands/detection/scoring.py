"""Scores of a detector, and the threshold and calibration that follow from labelled frames."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from latent_hands.data.formats.image import read_rgb
from latent_hands.detection.detection import Detection
from latent_hands.detection.detector import Detector
from latent_hands.detection.frames import Frame, LabelledHand
from latent_hands.detection.peaks import distinct
from latent_hands.hand.boxes import iou
from latent_hands.progress import Progress, silent

FOUND_IOU = 0.5
"""A hand is found by a box with at least this intersection over union."""
NEARLY = 0.005
"""F1 that a chosen threshold may give up for recall: what is no hand can still be dropped later."""


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


def matches(
    found: Sequence[Detection], hands: Sequence[LabelledHand], keep_ignored: bool = False
) -> list[Match]:
    """Return each detection with the hand that it finds.

    Detections of ignored hands are left out unless `keep_ignored`.

    Detections choose their hands in order of their scores, and each hand is found once.
    """
    left, result = list(hands), []
    for detection in found:
        best = max(left, key=lambda hand: iou(detection.box_px, hand.box), default=None)
        if best is None or iou(detection.box_px, best.box) < FOUND_IOU:
            result.append(Match(detection, None, not hands))
            continue
        left.remove(best)
        if keep_ignored or not best.ignored:
            result.append(Match(detection, best, False))
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
    """Return the smallest score whose F1, of precision and recall, is within `NEARLY` of the best."""
    flat = sorted((each for of in found for each in of), key=lambda each: -each.detection.score)
    if not flat:
        return 0.5
    hands = max(sum(not hand.ignored for frame in frames for hand in frame.hands), 1)
    hits = np.cumsum([each.hand is not None for each in flat])
    f1 = 2 * hits / (np.arange(1, len(flat) + 1) + hands)
    last = int(np.flatnonzero(f1 >= f1.max() - NEARLY)[-1])
    return float(np.clip(flat[last].detection.score, 0.02, 0.99))


def calibrated(
    detector: Detector, frames: Sequence[Frame], progress: Progress = silent
) -> tuple[Detector, Scores]:
    """Return the detector with calibrated scores and a chosen threshold, and its scores on the frames.

    The scores are fitted by logistic regression on the candidates' features.
    """
    rows, sizes = [], []
    for done, frame in enumerate(frames, 1):
        rgb = read_rgb(frame.image)
        rows.append(detector.candidates(rgb))
        sizes.append((rgb.shape[0], rgb.shape[1]))
        progress("calibrate", done, len(frames))
    features, hits = zip(*(_hits(each, frame) for each, frame in zip(rows, frames, strict=True)), strict=True)
    *weights, shift = fit_logistic(torch.cat(features), torch.cat(hits))
    peak, support, size = weights
    settings = replace(
        detector.settings, threshold=0.0, peak=peak, support=support, size=size, shift=shift, side_scale=1.0
    )
    eager = detector.with_settings(settings)
    found = [
        matches(eager.choose(each, size_px), frame.hands)
        for each, size_px, frame in zip(rows, sizes, frames, strict=True)
    ]
    threshold = choose_threshold(found, frames)
    side_scale = _side_scale([each for of in found for each in of if each.detection.score >= threshold])
    settings = replace(settings, threshold=threshold, side_scale=side_scale)
    return detector.with_settings(settings), scores(found, frames, threshold)


def _hits(rows: Float[Tensor, "n 8"], frame: Frame) -> tuple[Float[Tensor, "n 3"], Float[Tensor, " n"]]:
    """Return the features of the candidates, the most probable box of a hand first, and which are hands."""
    order = distinct(rows[:, :4], rows[:, 5] + rows[:, 6])
    boxes = [(x, y, width, height) for x, y, width, height in rows[order, :4].tolist()]
    found = matches([Detection(box, "left", 0.5, 0.5) for box in boxes], frame.hands, keep_ignored=True)
    counted = [not (each.hand is not None and each.hand.ignored) for each in found]
    hits = torch.tensor([float(each.hand is not None) for each in found])
    return rows[order, 5:][counted], hits[counted]


def _side_scale(found: Sequence[Match]) -> float:
    """Return the factor of the sides' logits with the least cross-entropy."""
    sided = [each for each in found if each.hand is not None and each.hand.side is not None]
    logits = torch.tensor([_logit(each.detection.right) for each in sided])
    right = torch.tensor([float(each.hand is not None and each.hand.side == "right") for each in sided])
    if len(sided) < 2:
        return 1.0
    (scale, _) = fit_logistic(torch.cat([logits, -logits])[:, None], torch.cat([right, 1 - right]))
    return float(np.clip(scale, 0.05, 20.0))


def fit_logistic(features: Float[Tensor, "n k"], truth: Float[Tensor, " n"]) -> list[float]:
    """Return the weights and the shift with the least cross-entropy of sigmoid(features @ weights + shift).

    Weights are drawn to 1 a little. Without both outcomes they are 1, and the shift is 0.
    """
    count = features.shape[1]
    if len(truth) < 2 or truth.min() == truth.max():
        return [1.0] * count + [0.0]
    x = torch.cat([features, torch.ones(len(features), 1)], dim=1).double()
    prior = torch.tensor([1.0] * count + [0.0], dtype=torch.float64)
    w = torch.zeros(count + 1, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([w], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        value = binary_cross_entropy_with_logits(x @ w, truth.double()) + 1e-5 * (w - prior).square().sum()
        value.backward()
        return value

    optimiser.step(closure)  # pyright: ignore[reportArgumentType]
    return w.detach().clamp(-50, 50).tolist()


def _logit(probability: float) -> float:
    p = min(max(probability, 1e-6), 1 - 1e-6)
    return math.log(p / (1 - p))
