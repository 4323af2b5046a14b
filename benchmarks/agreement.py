"""Hands that a detector finds both in an image and in its mirror image.

A hand is a dict with "handedness", "score", "uv_px" (21, 2) and "world_mm" (21, 3), in the image that is
not mirrored, as `mediapipe_worker.py` writes it. A box is (x, y, width, height) from the image's upper left
corner; joints have pixel centres at integers.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from latent_hands.predictor.agreement import AGREE_MM

Hand = dict[str, Any]
SAME_HAND = 0.5
"""Least IoU of the joints' boxes of two detections of one hand."""


@dataclass(frozen=True)
class Limits:
    """The largest differences of two detections of one hand.

    px_share: mean distance of the 2D joints over the larger side of their box.
    mm: mean distance of the 3D joints after centring, in millimetres.
    """

    px_share: float = 0.06
    mm: float = 12.0


def box_of(uv_px: Any) -> np.ndarray:
    """Return the box (x, y, width, height) of joints."""
    points = np.asarray(uv_px, float)
    return np.concatenate([points.min(axis=0) + 0.5, np.ptp(points, axis=0)])


def iou(a: Any, b: Any) -> float:
    """Return the area of the intersection of two boxes over that of their union."""
    a, b = np.asarray(a, float), np.asarray(b, float)
    shared = (np.minimum(a[:2] + a[2:], b[:2] + b[2:]) - np.maximum(a[:2], b[:2])).clip(0).prod()
    return float(shared / max(a[2:].prod() + b[2:].prod() - shared, 1e-9))


def difference(a: Hand, b: Hand) -> tuple[float, float]:
    """Return how far two detections are apart: (2D over the box's larger side, 3D in millimetres)."""
    uv = [np.asarray(hand["uv_px"]) for hand in (a, b)]
    side = max(box_of((uv[0] + uv[1]) / 2)[2:].max(), 1e-6)
    centred = [np.asarray(hand["world_mm"]) - np.mean(hand["world_mm"], axis=0) for hand in (a, b)]
    apart = (np.linalg.norm(x - y, axis=1).mean() for x, y in (uv, centred))
    return float(next(apart) / side), float(next(apart))


def compare(images: list[list[Hand]], limits: Limits) -> tuple[list[Hand], list[Hand]]:
    """Return the hands that several readings of an image agree on, and all others with their reasons.

    `images` holds the hands of each reading: of the image, of its mirror image, and so on in pairs. The first
    pair that agrees on a hand decides; the hand is the average of its two detections.
    """
    sure: list[Hand] = []
    unsure: list[Hand] = []
    for first, second in zip(images[::2], images[1::2], strict=True):
        rest = list(second)
        for hand in first:
            partner = max(
                rest, key=lambda other: iou(box_of(hand["uv_px"]), box_of(other["uv_px"])), default=None
            )
            if partner is None or iou(box_of(hand["uv_px"]), box_of(partner["uv_px"])) < SAME_HAND:
                unsure.append(_described(hand) | {"reason": "found in one reading only"})
                continue
            rest.remove(partner)
            reason = _disagreement(hand, partner, limits)
            (unsure if reason else sure).append(
                _average(hand, partner) | ({"reason": reason} if reason else {})
            )
        unsure += [_described(hand) | {"reason": "found in one reading only"} for hand in rest]
    return _distinct(sure, unsure)


def reread(hand: Hand, readings: list[list[Hand]]) -> Hand:
    """Return a hand with its agreement over several readings of an image.

    "joint_mm" (21) is the root mean square distance of each 3D joint from the mean of the readings, which are
    centred first. "found" is the share of the readings that find the hand, with the same handedness.
    """
    box, found = box_of(hand["uv_px"]), []
    for hands in readings:
        same = [each for each in hands if each["handedness"] == hand["handedness"]]
        best = max(same, key=lambda each: iou(box_of(each["uv_px"]), box), default=None)
        if best is not None and iou(box_of(best["uv_px"]), box) >= SAME_HAND:
            found.append(np.asarray(best["world_mm"]) - np.mean(best["world_mm"], axis=0))
    if not found:
        return hand | {"found": 0.0, "joint_mm": [0.0] * len(hand["uv_px"])}
    apart = np.linalg.norm(np.array(found) - np.mean(found, axis=0), axis=-1)
    joint_mm = np.sqrt((apart**2).mean(axis=0))
    return hand | {"found": len(found) / len(readings), "joint_mm": joint_mm.round(2).tolist()}


def joint_scores(hand: Hand) -> np.ndarray:
    """Return the score of each joint of a hand that `reread` returned, from 0 to 1.

    It is that of `latent-hands label`, 1 / (1 + (distance / 10 mm)^2), times the share of readings that find
    the hand.
    """
    return hand["found"] / (1 + (np.asarray(hand["joint_mm"]) / AGREE_MM) ** 2)


def _disagreement(a: Hand, b: Hand, limits: Limits) -> str:
    px_share, mm = difference(a, b)
    if a["handedness"] != b["handedness"]:
        return "different handedness"
    if px_share > limits.px_share:
        return "2D joints differ"
    return "3D joints differ" if mm > limits.mm else ""


def _described(hand: Hand) -> Hand:
    box = [round(float(value), 2) for value in box_of(hand["uv_px"])]
    return {"box": box, **hand}


def _average(a: Hand, b: Hand) -> Hand:
    """Return the average of two detections. The 3D joints are averaged after centring."""
    uv_px = (np.asarray(a["uv_px"]) + np.asarray(b["uv_px"])) / 2
    world_mm = sum(np.asarray(hand["world_mm"]) - np.mean(hand["world_mm"], axis=0) for hand in (a, b)) / 2
    px_share, mm = difference(a, b)
    return _described(
        {
            "handedness": a["handedness"],
            "score": min(a["score"], b["score"]),
            "uv_px": uv_px.round(2).tolist(),
            "world_mm": world_mm.round(2).tolist(),
            "agree_px_share": round(px_share, 4),
            "agree_mm": round(mm, 2),
        }
    )


def _distinct(sure: list[Hand], unsure: list[Hand]) -> tuple[list[Hand], list[Hand]]:
    """Keep one detection of each hand. A hand that is sure as left and as right becomes unsure."""
    kept: list[Hand] = []
    doubtful: list[Hand] = []
    for hand in sure:
        same = [other for other in kept if iou(hand["box"], other["box"]) >= SAME_HAND]
        if not same:
            kept.append(hand)
        doubtful += [other for other in same if other["handedness"] != hand["handedness"]]
    kept = [hand for hand in kept if not any(hand is other for other in doubtful)]
    unsure = unsure + [hand | {"reason": "sure as left and as right"} for hand in doubtful]
    others = [hand for hand in unsure if not any(iou(hand["box"], each["box"]) >= SAME_HAND for each in kept)]
    return kept, others
