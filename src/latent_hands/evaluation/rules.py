"""Fitting the rules that judge found hands (`configuration.rules`) to labelled hands in whole images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from latent_hands.configuration import Confidence, Presence, SideRule
from latent_hands.data.sample import Sample
from latent_hands.detection import Detector
from latent_hands.errors import HandsError
from latent_hands.evaluation.confidence import ReadHand, ReliabilityRow, reliability_rows, to_fit
from latent_hands.evaluation.logistic import calibration_error, fit_logistic, reliability, sigmoid
from latent_hands.evaluation.observing import LEAST_PX, Observations, Rows, observe
from latent_hands.predictor import Model
from latent_hands.predictor.judging import LIMITS, Rule, weights_of
from latent_hands.progress import Progress, renamed, silent
from latent_hands.runs.folder import change_run
from latent_hands.runs.hub import check_own

FALSE_SHARE = 0.01
"""The share of images without hands in which a hand may be found."""
LEAST_SCORE = 0.03
"""Smallest score of detections that the rule of presence decides about."""
SIDE_ODDS = ("detector", "side", "glance")
"""The features of a side that are log-odds of it."""
LOST_SHARE = 0.05
"""The share of detected hands that may be dropped to reach it."""


@dataclass(frozen=True)
class LabelledImages:
    """The labelled hands of each image; `complete` if no hand of these images is without labels."""

    images: Mapping[Path, Sequence[Sample]]
    complete: bool
    name: str = ""


def fit_handedness(rows: Rows) -> SideRule:
    """Fit the rule of the side. What the hands do not decide keeps its default.

    If the model decodes the side, its log-odds and those of the detector decide alone: with spreads and
    distances, the rule is no better on other hands.
    """
    if any(features["side"] for features, _ in rows):
        unused = {name: 0.0 for name in weights_of(SideRule()) if name not in SIDE_ODDS}
        rows = [(features | unused, target) for features, target in rows]
        return SideRule(**_fitted(SideRule, rows, 1.0))
    return SideRule(**_fitted(SideRule, rows, 1.0, weights_of(SideRule())))


def fit_confidence(rows: Rows) -> Confidence:
    """Fit the expected share of joints within 30 mm."""
    return Confidence(**_fitted(Confidence, rows, 0.1))


def fit_presence(seen: Observations) -> Presence | None:
    """Fit the rule of presence; None unless there are both hands and other detections.

    Detections with a crop below `LEAST_PX` do not count (`observe`).
    The threshold is the smallest at which at most `FALSE_SHARE` of the images without hands have a hand,
    but drops at most `LOST_SHARE` of the detected hands. It is 0.5 without such images.
    """
    targets = _targets(seen.presence)
    if len(seen.presence) == 0 or targets.min() == targets.max():
        return None
    rule = Presence(**_fitted(Presence, seen.presence, 0.1), least_score=LEAST_SCORE, least_px=LEAST_PX)
    if not seen.images_without:
        return rule
    highest = [max(_probabilities(rule, each), default=0.0) for each in seen.images_without]
    hands = predictions(rule, [row for row in seen.presence if row[1] == 1])
    above_false = np.quantile(highest, 1 - FALSE_SHARE, method="higher") + 1e-4
    threshold = min(above_false, np.quantile(hands, LOST_SHARE, method="lower"))
    return replace(rule, threshold=round(float(threshold), 4))


@dataclass(frozen=True)
class FittedRules:
    """The rules of a run, fitted to all images, and how well those fitted to one half do on the other.

    Attributes:
        handedness, presence, confidence: the rules.
        side_right: share of hands whose side is right, by the default rule and by the fitted one.
        reliability: `report` of the confidence.
        readings: how reliable the confidence is, by data set and kind of reading: that of the run ("own"),
            and that of rules each fitted to the other half ("fitted").
        presence_kept: share of labelled hands that are kept, of those that were detected; None without a
            rule.
    """

    handedness: SideRule
    presence: Presence | None
    confidence: Confidence
    side_right: tuple[float, float]
    reliability: dict[str, Any]
    readings: list[ReliabilityRow]
    presence_kept: float | None


def fit_rules(fitted: Observations, other: Observations, own: Confidence | None = None) -> FittedRules:
    """Fit all rules to some observations and measure them on others; the rules returned are fitted to both.

    `own` is the confidence of the run, which is measured, too. Raises HandsError if one of them has no hand.
    """
    hands = [len(seen.handedness) for seen in (fitted, other)]
    if not (fitted.confidence and other.confidence):
        raise HandsError(
            "rules are fitted to one half of the scenes and measured on the other, but the halves have "
            f"{hands[0]} and {hands[1]} labelled hands, and one has no hand with 3D joints; give more "
            "labelled images"
        )
    handedness, confidence = fit_handedness(fitted.handedness), fit_confidence(to_fit(fitted.confidence))
    rule = fit_presence(fitted)
    sides = [float((predictions(each, other.handedness) > 0.5).mean()) for each in (SideRule(), handedness)]
    hands = [row for row in other.presence if row[1] == 1]
    kept = float((predictions(rule, hands) >= rule.threshold).mean()) if rule and hands else None
    reliable = report(confidence, to_fit(other.confidence))
    measured = (sides[0], sides[1]), reliable, by_reading(fitted.confidence, other.confidence, own), kept
    both = fitted + other
    rules = fit_handedness(both.handedness), fit_presence(both), fit_confidence(to_fit(both.confidence))
    return FittedRules(*rules, *measured)


def by_reading(
    half: Sequence[ReadHand], other: Sequence[ReadHand], own: Confidence | None
) -> list[ReliabilityRow]:
    """Return how reliable the rule of each half is on readings of the other, and a run's own rule on all."""
    expected = {} if own is None else {"own": _confidences(own, (*half, *other))}
    of_half, of_other = (fit_confidence(to_fit(readings)) for readings in (half, other))
    expected["fitted"] = _confidences(of_other, half) + _confidences(of_half, other)
    return reliability_rows((*half, *other), expected)


def _confidences(rule: Confidence, readings: Sequence[ReadHand]) -> list[float]:
    return _probabilities(rule, [each.features for each in readings])


def calibrate_rules(
    run: str | Path,
    sets: Sequence[LabelledImages],
    temperature: float | None = None,
    use_detector: bool = True,
    write: bool = False,
    progress: Progress = silent,
) -> FittedRules:
    """Fit the rules of a run to labelled images. They are measured by halves (`FittedRules`).

    Args:
        run: a run folder or the name of a shipped model.
        sets: labelled images that the run did not learn from.
        temperature: that of the draws, by default the run's own.
        use_detector: whether hands are found by the shipped detector, or read at their labels.
        write: write the rules into experiment.toml of the run.
        progress: receives each image that is done.

    Raises HandsError if a half has no hand with 3D joints, if the run is to be changed and is not the user's
    own, and as `Model.load` does.
    """
    if write:
        check_own(run)
    model = Model.load(run)
    if use_detector:
        model.detector = Detector.load(device=model.device).with_least_score(LEAST_SCORE)
    if temperature is not None:
        sampling = replace(model.experiment.sampling, temperature=temperature)
        model.experiment = replace(model.experiment, sampling=sampling)
    halves = [Observations([], [], [], []) for _ in range(2)]
    for number, each in enumerate(sets, 1):
        for half in range(2):
            images = {path: hands for path, hands in each.images.items() if _half(path, hands) == half}
            at = renamed(progress, f"set {number}, half {half + 1}")
            halves[half] += observe(model, images, each.complete, use_detector, at, each.name)
    rules = fit_rules(halves[0], halves[1], model.experiment.confidence)
    if write:
        write_rules(run, rules)
    return rules


def _half(path: Path, hands: Sequence[Sample]) -> int:
    """Return the half of an image, 0 or 1. Images of one scene are in the same half."""
    block = hands[0].block if hands else None
    return crc32((path.name if block is None else block).encode()) % 2


def write_rules(run: str | Path, rules: FittedRules) -> None:
    """Write the rules into experiment.toml of a run."""
    change_run(run, handedness=rules.handedness, presence=rules.presence, confidence=rules.confidence)


def predictions(rule: Rule, rows: Rows) -> np.ndarray:
    """Return the probability that a rule gives each row."""
    return np.array(_probabilities(rule, [features for features, _ in rows]))


def report(rule: Confidence, rows: Rows) -> dict[str, Any]:
    """Return how reliable a confidence is: its mean error in bins, the bins, and the number of hands."""
    predicted, observed = predictions(rule, rows), _targets(rows)
    return {
        "hands": len(rows),
        "expected": float(predicted.mean()),
        "observed": float(observed.mean()),
        "calibration_error": calibration_error(predicted, observed),
        "reliability": reliability(predicted, observed),
    }


def _fitted(
    kind: type[Rule], rows: Rows, ridge: float, start: Mapping[str, float] | None = None
) -> dict[str, float]:
    """Return the fitted weights of a rule by field. What the rows do not decide keeps its start, or 0."""
    names = [each.name for each in fields(kind) if each.name not in LIMITS]
    first = np.array([(start or {}).get(name, 0.0) for name in names])
    weights = fit_logistic(_matrix(names, rows), _targets(rows), ridge, first)
    return {name: round(float(weight), 4) for name, weight in zip(names, weights, strict=True)}


def _probabilities(rule: Rule, rows: Sequence[dict[str, float]]) -> list[float]:
    weights = weights_of(rule)
    features = _matrix(list(weights), [(row, 0.0) for row in rows])
    return sigmoid(features @ np.array(list(weights.values()))).tolist()


def _matrix(names: Sequence[str], rows: Rows) -> np.ndarray:
    return np.array([[features[name] for name in names] for features, _ in rows]).reshape(-1, len(names))


def _targets(rows: Rows) -> np.ndarray:
    return np.array([target for _, target in rows])
