"""Predicted hands as drawings over their whole image."""

from collections.abc import Iterable, Sequence

from latent_hands import draw
from latent_hands.draw import ImageArray, Mark
from latent_hands.errors import HandsError
from latent_hands.predictor import Hand
from latent_hands.predictor.checks import ImageSource, pixels_of
from latent_hands.predictor.hand import check_found_in, checked_hand


def mark_of(hand: Hand, truth_mm: draw.Points | None = None) -> Mark:
    """Return how a hand is drawn: its side, its track in a video, and its confidence or score."""
    sure = hand.score if hand.confidence is None else hand.confidence
    track = "" if hand.track is None else f" #{hand.track}"
    caption = hand.handedness + track + ("" if sure is None else f" {sure:.2f}")
    colour = draw.SIDES[hand.handedness]
    return Mark(hand.in_order("rhd").uv_px, hand.box_px, colour, caption, hand.xyz_mm, truth_mm)


def draw_hands(
    image: ImageSource,
    hands: Hand | Sequence[Hand],
    truths_mm: Sequence[draw.Points | None] = (),
    panels: bool = False,
    size_px: tuple[int, int] | None = None,
) -> ImageArray:
    """Draw joints, boxes and captions of hands over their image. Boxes of left hands are blue, others orange.

    Args:
        image: an image as for `Model.find`.
        hands: the hands of the image, or one hand.
        truths_mm: the labelled joints (21, 3) of each hand in mm, relative to the palm. `panels` shows them
            in red.
        panels: whether the 3D hands are drawn beside the image.
        size_px: (width, height) of the drawn image, by default that of the image.

    Returns a uint8 array (height, width, 3) in RGB order. Raises HandsError for an image that cannot be read,
    and for hands that are not legal or were found in an image of another size.

    >>> overlay = lh.draw_hands(photo, model.find(photo))          # as large as the photo
    >>> PIL.Image.fromarray(overlay).save("overlay.png")
    """
    hands = list(hands) if isinstance(hands, Iterable) else [hands]
    if not all(isinstance(hand, Hand) for hand in hands):
        raise HandsError("draw_hands(image, hands) needs an image, and its hands as find returns them")
    rgb, truths = pixels_of(image), truths_mm or [None] * len(hands)
    for hand in hands:
        check_found_in(checked_hand(hand), (rgb.shape[1], rgb.shape[0]))
    marks = [mark_of(hand, truth) for hand, truth in zip(hands, truths, strict=True)]
    drawn = draw.whole_image(rgb, marks, size_px or (rgb.shape[1], rgb.shape[0]))
    return draw.with_panels(drawn, marks) if panels else drawn


def draw_readable(
    rgb: ImageArray, hands: Sequence[Hand], truths_mm: Sequence[draw.Points | None] = (), panels: bool = False
) -> ImageArray:
    """Draw hands as `draw_hands` does, over the image at a size at which lines and captions can be read."""
    return draw_hands(rgb, hands, truths_mm, panels, draw.readable_size(rgb))
