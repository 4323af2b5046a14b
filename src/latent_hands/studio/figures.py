"""Figures of one factor: the images that a session makes from it, with headings."""

from collections.abc import Sequence

import numpy as np

from latent_hands import draw
from latent_hands.draw import ImageArray
from latent_hands.studio.session import PLACES, Session

COUNT, COLUMNS = 8, 4
"""Images of a walk and draws of a posterior, and how many are in a row."""
VALUES = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)
"""The values of a coordinate in the figure of the directions, in standard deviations of typical latents."""
_SMALL_PX, _LARGE_PX = 112, 160


def swap(session: Session, factor: str) -> ImageArray:
    """Return A and B, and below them both with the factor of the other. Raises HandsError if one is empty."""
    images = session.instrument.images(session.swapped(factor))
    return draw.grid([images[:2], images[2:]], PLACES, ("", f"{factor} swapped"), _LARGE_PX)


def walk(session: Session, factor: str) -> ImageArray:
    """Return a walk from A to B along a factor. Raises HandsError if one is empty."""
    images = session.instrument.images(session.walk(factor, COUNT))
    return _wrapped(images, ("A", *[""] * (COUNT - 2), f"{factor} of B"))


def draws(session: Session, factor: str) -> ImageArray:
    """Return draws of a factor from its posterior."""
    images = session.instrument.images(session.draws(factor, COUNT))
    return _wrapped(images, (f"draws of {factor}", *[""] * (COUNT - 1)))


def directions(session: Session, factor: str) -> ImageArray:
    """Return a row for each slider of a factor: the image at `VALUES`, with all else as it is."""
    titles = session.instrument.directions[factor].titles
    rows = [
        session.instrument.images(session.traversal(factor, index, VALUES)) for index in range(len(titles))
    ]
    return draw.grid(rows, [f"{value:g}" for value in VALUES], titles, _SMALL_PX)


def kept(session: Session) -> ImageArray:
    """Return the states that are kept, side by side."""
    images = {place: session.instrument.images(state.latent)[0] for place, state in session.kept.items()}
    return draw.grid([[images.get(place, _EMPTY) for place in PLACES]], PLACES, cell_px=_LARGE_PX)


def _wrapped(images: Sequence[ImageArray], headings: Sequence[str]) -> ImageArray:
    """Arrange images in rows of COLUMNS, each row with headings of its own."""
    blocks = [
        draw.grid([images[i : i + COLUMNS]], headings[i : i + COLUMNS], cell_px=_SMALL_PX)
        for i in range(0, len(images), COLUMNS)
    ]
    return np.concatenate(blocks)


_EMPTY = np.full((8, 8, 3), 236, np.uint8)
