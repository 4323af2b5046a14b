"""Draw the hands of a whole image: joints, boxes, sides, and what is known about each."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageDraw

from latent_hands.draw.sheets import font, grid
from latent_hands.draw.skeletons import PAPER, PREDICTION, TRUTH, ImageArray, Points, paint, skeleton

SIDES = {"left": "#1f8fe8", "right": "#f0801a"}
"""Colour of the box and the caption of each side."""
WHOLE_PX = (640, 1280)
"""The least and greatest longer side of a drawn image, in pixels."""
TEXT_PX = 16
PANEL_PX = 160
MOST_PANELS = 6


@dataclass(frozen=True, eq=False)
class Mark:
    """A hand to draw.

    Attributes:
        uv_px: (21, 2) joints in the image, with the wrist as joint 0; pixel centres are at integers.
        box: (x, y, width, height) in pixels from the image's upper left corner.
        colour: colour of the box and the caption.
        caption: text above the box, such as "left 0.98".
        pose: (21, 3) joints in the camera frame, in any unit, for `panels`.
        truth: labelled joints in the same frame and unit.
    """

    uv_px: Float[np.ndarray, "21 2"]
    box: tuple[float, float, float, float]
    colour: str
    caption: str = ""
    pose: Points | None = None
    truth: Points | None = None


def whole_image(rgb: ImageArray, marks: Sequence[Mark], size_px: tuple[int, int] | None = None) -> ImageArray:
    """Draw hands over their whole image.

    The image is resized until its longer side is within `WHOLE_PX`, or to `size_px` (width, height).
    """
    size = size_px or readable_size(rgb)
    zoom = np.array(size) / (rgb.shape[1], rgb.shape[0])
    image = Image.fromarray(rgb).resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    for mark in marks:
        points = (np.asarray(mark.uv_px, np.float64) + 0.5) * zoom - 0.5
        extent = float(np.ptp(points, axis=0).max())
        image = paint(image, points, float(np.clip(extent / 60, 1.5, max(size) / 85)))
    drawing = ImageDraw.Draw(image)
    for mark in marks:
        _frame(drawing, mark, zoom, size)
    return np.array(image)


def readable_size(rgb: ImageArray) -> tuple[int, int]:
    """Return (width, height) of an image that is resized until its longer side is within `WHOLE_PX`."""
    height, width = rgb.shape[:2]
    least, most = WHOLE_PX
    zoom = float(np.clip(max(height, width), least, most)) / max(height, width)
    return max(round(width * zoom), 1), max(round(height * zoom), 1)


def _frame(drawing: ImageDraw.ImageDraw, mark: Mark, zoom: np.ndarray, size: tuple[int, int]) -> None:
    """Draw the box, and the caption above it or, at the image's upper border, inside it.

    Lines and letters grow with images that are larger than `WHOLE_PX`.
    """
    scale = max(1.0, max(size) / WHOLE_PX[1])
    x, y, width, height = mark.box
    left, top = np.array([x, y]) * zoom
    right, bottom = np.array([x + width, y + height]) * zoom
    border = [left, top, max(right, left), max(bottom, top)]
    drawing.rectangle(border, outline=mark.colour, width=round(2 * scale))
    if mark.caption:
        text = font(round(TEXT_PX * scale))
        wide, high = drawing.textbbox((0, 0), mark.caption, text)[2:]
        at = (
            min(max(left, 0), max(size[0] - wide - 6, 0)),
            min(max(top - high - 6, 0), max(size[1] - high - 6, 0)),
        )
        drawing.rectangle([*at, at[0] + wide + 6, at[1] + high + 6], fill=mark.colour)
        drawing.text((at[0] + 3, at[1] + 2), mark.caption, PAPER, text)


def with_panels(image: ImageArray, marks: Sequence[Mark]) -> ImageArray:
    """Return a drawn image with the 3D hands beside it, from the front and from the side.

    The first `MOST_PANELS` hands are drawn, in blue next to the red ground truth where it is known.
    """
    rows = [
        [skeleton(_poses(mark)), skeleton(_poses(mark), "side")]
        for mark in marks[:MOST_PANELS]
        if mark.pose is not None
    ]
    if not rows:
        return image
    headings = [mark.caption.partition(" ")[0] for mark in marks[:MOST_PANELS] if mark.pose is not None]
    panels = grid(rows, ["front", "side"], headings, cell_px=PANEL_PX)
    height = max(len(image), len(panels))
    sheet = Image.new("RGB", (image.shape[1] + panels.shape[1], height), PAPER)
    sheet.paste(Image.fromarray(image), (0, 0))
    sheet.paste(Image.fromarray(panels), (image.shape[1], 0))
    return np.array(sheet)


def _poses(mark: Mark) -> dict[str, Points] | Points:
    assert mark.pose is not None
    return mark.pose if mark.truth is None else {TRUTH: mark.truth, PREDICTION: mark.pose}
