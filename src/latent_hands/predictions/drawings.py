"""Predicted hands as drawings over their whole image."""

from collections.abc import Sequence

from latent_hands import draw
from latent_hands.draw import ImageArray, Mark
from latent_hands.predictor import Hand


def mark_of(hand: Hand, truth_mm: draw.Points | None = None) -> Mark:
    """Return how a hand is drawn: its side, its track in a video, and its confidence or score."""
    sure = hand.score if hand.confidence is None else hand.confidence
    track = "" if hand.track is None else f" #{hand.track}"
    caption = hand.handedness + track + ("" if sure is None else f" {sure:.2f}")
    colour = draw.SIDES[hand.handedness]
    return Mark(hand.uv_wrist_form_px, hand.box_px, colour, caption, hand.xyz_mm, truth_mm)


def drawing(
    rgb: ImageArray,
    hands: Sequence[Hand],
    truths_mm: Sequence[draw.Points | None] = (),
    panels: bool = False,
    size_px: tuple[int, int] | None = None,
) -> ImageArray:
    """Draw hands over their image: joints, boxes and captions; left hands have blue boxes, right ones orange.

    Args:
        rgb: the image.
        hands: its hands.
        truths_mm: the labelled joints of each hand, relative to the palm, which `panels` shows in red.
        panels: whether the 3D hands stand beside the image.
        size_px: (width, height) of the drawn image; by default its longer side is 640 to 1280 pixels.
    """
    truths = truths_mm or [None] * len(hands)
    marks = [mark_of(hand, truth) for hand, truth in zip(hands, truths, strict=True)]
    drawn = draw.whole_image(rgb, marks, size_px)
    return draw.with_panels(drawn, marks) if panels else drawn
