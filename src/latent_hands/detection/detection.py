"""A detected hand. This module does without torch."""

from dataclasses import dataclass

from latent_hands.hand.boxes import Box, iou, shared_area

SAME_IOU, SAME_SHARE = 0.45, 0.8
"""Two boxes show one hand if they share this much of their union, or this much of the smaller one."""


@dataclass(frozen=True)
class Detection:
    """One hand in an image.

    Attributes:
        box_px: (x, y, width, height) in pixels from the image's upper left corner: the smallest rectangle
            around the hand's 21 joints. It may reach beyond the image.
        handedness: "left" or "right", whichever is more probable.
        score: Probability that this is a hand, between 0 and 1.
        right: Probability that the hand is a right one, between 0 and 1.
    """

    box_px: Box
    handedness: str
    score: float
    right: float


def show_one_hand(a: Box, b: Box) -> bool:
    """Return whether two boxes overlap so much that they show one hand."""
    smaller = min(a[2] * a[3], b[2] * b[3])
    return iou(a, b) >= SAME_IOU or shared_area(a, b) >= SAME_SHARE * smaller
