"""The detector without torch: peaks of its maps, distinct boxes."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from latent_hands.detection.detection import Detection
from latent_hands.detection.letterbox import Rgb, views
from latent_hands.lite.folder import Networks
from latent_hands.lite.values import from_bytes, log_sum_exp, sigmoid
from latent_hands.shapes import Bool, Float32

Boxes = Float32[np.ndarray, "_ 4"]
PARTS_AT_ONCE = 8


def detect(networks: Networks, rgb: Rgb, least_score: float) -> list[Detection]:
    """Return the hands of an image, the highest score first, as `detection.Detector.detect` does.

    `least_score` is the smallest score that is returned.
    """
    about = networks.about["detector"]
    parts = views(rgb, about["settings"]["size_px"], about["multiple"])
    rows = []
    for i in range(0, len(parts), PARTS_AT_ONCE):
        some = parts[i : i + PARTS_AT_ONCE]
        maps = networks.detect(from_bytes(np.stack([part.pixels for part in some])))
        for part, sides, place, size in zip(some, *maps, strict=True):
            found = candidates(sides, place, size, about)
            rows.append(np.concatenate([part.to_image(found[:, :4]), found[:, 4:]], axis=1))
    return choose(np.concatenate(rows), about, least_score, (rgb.shape[0], rgb.shape[1]))


def candidates(
    sides: Float32[np.ndarray, "2 h w"],
    place: Float32[np.ndarray, "2 h w"],
    size: Float32[np.ndarray, "2 h w"],
    about: Mapping[str, Any],
) -> Float32[np.ndarray, "n 8"]:
    """Return the candidates of an image, as `detection.peaks.candidates` does."""
    peaks, (height, width) = about["peaks"], place.shape[1:]
    logit = log_sum_exp(sides)
    cells = np.stack(np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)).astype(np.float32)
    extent = np.exp(size.clip(*peaks["size_limits"]))
    boxes = (about["stride"] * np.concatenate([cells + place - extent / 2, extent])).reshape(4, -1).T
    highest = (_neighbourhood(logit) == logit) & (logit >= peaks["least_logit"])
    order = np.argsort(-logit[highest], kind="stable")[: peaks["most"]]
    chosen = np.flatnonzero(highest)[order]
    peak, box = logit.ravel()[chosen], boxes[chosen]
    agree = _overlaps(box, boxes) > peaks["support_iou"]
    support = (agree * sigmoid(logit).ravel()).sum(axis=1).clip(min=1e-3)
    right = (sides[1] - sides[0]).ravel()[chosen]
    side_px = np.sqrt(box[:, 2] * box[:, 3])
    features = np.stack([right, peak, np.log(support), np.log(side_px)], axis=1)
    return np.concatenate([box, features], axis=1).astype(np.float32)


def choose(
    rows: Float32[np.ndarray, "n 8"], about: Mapping[str, Any], least_score: float, size_px: tuple[int, int]
) -> list[Detection]:
    """Return the detections among candidates in an image of (height, width) `size_px`."""
    settings, (height, width) = about["settings"], size_px
    weights = np.array([settings[name] for name in ("peak", "support", "size")], np.float32)
    scores = sigmoid(rows[:, 5:] @ weights + np.float32(settings["shift"]))
    rows, scores = rows[scores >= least_score], scores[scores >= least_score]
    order = np.argsort(-scores, kind="stable")
    same, kept = _same_hand(rows[order, :4], about["peaks"]), []
    for i in range(len(order)):
        if not same[i, kept].any():
            kept.append(i)
    found = []
    for (x, y, w, h, logit, *_), score in zip(
        rows[order[kept]].tolist(), scores[order[kept]].tolist(), strict=True
    ):
        right = 0.5 * (1 + math.tanh(settings["side_scale"] * logit / 2))
        if x < width and y < height and x + w > 0 and y + h > 0:
            found.append(Detection((x, y, w, h), "right" if right > 0.5 else "left", score, right))
    return found


def _neighbourhood(values: Float32[np.ndarray, "h w"]) -> Float32[np.ndarray, "h w"]:
    """Return the largest value among each cell and its eight neighbours."""
    padded = np.pad(values, 1, constant_values=-np.inf)
    rows = np.maximum(np.maximum(padded[:-2], padded[1:-1]), padded[2:])
    return np.maximum(np.maximum(rows[:, :-2], rows[:, 1:-1]), rows[:, 2:])


def _overlaps(a: Boxes, b: Boxes) -> Float32[np.ndarray, "n m"]:
    shared, area_a, area_b = _areas(a, b)
    return shared / (area_a[:, None] + area_b - shared).clip(min=1e-6)


def _same_hand(boxes: Boxes, peaks: Mapping[str, Any]) -> Bool[np.ndarray, "n n"]:
    shared, area, _ = _areas(boxes, boxes)
    smaller = np.minimum(area[:, None], area)
    return (_overlaps(boxes, boxes) >= peaks["same_iou"]) | (shared >= peaks["same_share"] * smaller)


def _areas(a: Boxes, b: Boxes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    low = np.maximum(a[:, None, :2], b[:, :2])
    high = np.minimum((a[:, :2] + a[:, 2:])[:, None], b[:, :2] + b[:, 2:])
    return (high - low).clip(min=0).prod(axis=-1), a[:, 2:].prod(axis=-1), b[:, 2:].prod(axis=-1)
