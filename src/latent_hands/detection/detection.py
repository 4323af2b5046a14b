"""A detected hand. This module does without torch."""

from dataclasses import dataclass

from latent_hands.hand.boxes import Box


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
