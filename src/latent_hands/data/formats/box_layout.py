"""What the four numbers of boxes are: corners, centres and sizes, pixels, shares or percentages.

A file says it for none of its boxes. Boxes lie inside their images, so a layout that puts them there speaks
against one that does not.
"""

import logging
from collections.abc import Callable, Sequence

import numpy as np

from latent_hands.data.formats.box_label import FORM
from latent_hands.errors import HandsError
from latent_hands.hand.boxes import Box
from latent_hands.shapes import Bool, Float64

Numbers = Float64[np.ndarray, "boxes 4"]
Layout = Callable[[Numbers], tuple[Float64[np.ndarray, "boxes 2"], Float64[np.ndarray, "boxes 2"]]]
"""Numbers of boxes -> their upper left and lower right corners."""
RIM = 0.02
"""A share of the image's side. Tools that write shares cut boxes at the border, apart from rounding."""
FAR_OUT = 0.1
"""The same for pixels: joints may lie outside, but boxes seldom reach farther out."""
FIT, FEW, SOME, MANY, MOST = 0.05, 0.01, 0.1, 0.25, 0.5
"""Shares of the boxes that reach out of their images: in a layout that fits, and in the expected one."""
LEAST = 3
"""Fewer boxes than these do not show that the first two numbers are centres."""
PERCENT, MILLI = 100.0, 1000.0
"""The largest number of percentages, and of the shares in thousandths that language models write."""
UNLIKELY, DOUBTFUL = 0.01, 0.2
"""Chances that boxes in pixels all have such small numbers: percentages are refused, or a warning says it."""
CORNER = 2.0
"""Images must be so many times as large: hands in their middle then reach beyond the corner."""
NEAR = 0.06
"""Boxes whose median centre is nearer to the middle of 0 to 100, and twice as far from that of their images,
may be percentages in small images, too."""
_LOG = logging.getLogger(__name__)


def corners(numbers: Numbers) -> tuple[Float64[np.ndarray, "boxes 2"], Float64[np.ndarray, "boxes 2"]]:
    """Read x1,y1,x2,y2."""
    return numbers[:, :2], numbers[:, 2:]


def corner_size(numbers: Numbers) -> tuple[Float64[np.ndarray, "boxes 2"], Float64[np.ndarray, "boxes 2"]]:
    """Read x,y,width,height, from the upper left corner."""
    return numbers[:, :2], numbers[:, :2] + numbers[:, 2:]


def centre_size(numbers: Numbers) -> tuple[Float64[np.ndarray, "boxes 2"], Float64[np.ndarray, "boxes 2"]]:
    """Read x,y,width,height, from the centre."""
    return numbers[:, :2] - numbers[:, 2:] / 2, numbers[:, :2] + numbers[:, 2:] / 2


NAMES: dict[Layout, str] = {
    corners: "corners x1,y1,x2,y2",
    corner_size: "upper left corners and sizes x,y,width,height",
    centre_size: "centres and sizes x,y,width,height",
}


def misfits(shares: Numbers, layout: Layout, rim: float) -> Bool[np.ndarray, "boxes"]:
    """Return which boxes, in shares of their images, have no extent or reach farther out than `rim`."""
    low, high = layout(shares)
    inside = (high > low) & (low >= -rim) & (high <= 1 + rim)
    return ~inside[:, 0] | ~inside[:, 1]


def check_pixels(sized: Sequence[tuple[Box, tuple[int, int]]], where: str) -> None:
    """Raise HandsError if boxes, each with the (width, height) of its image, are not x,y,width,height.

    They seem to be corners, centres or percentages. A warning says if most reach far out of their images.
    """
    if not sized:
        return
    boxes, sizes_px = (np.array(each, float) for each in zip(*sized, strict=True))
    _check_percentages(boxes, sizes_px, where)
    shares = boxes / np.tile(sizes_px, 2)
    out, far = (misfits(shares, corner_size, rim) for rim in (RIM, FAR_OUT))
    many = len(sized) >= LEAST
    if _fit(shares, corners, FAR_OUT) and (far.mean() > SOME or (many and out.mean() > MANY)):
        _refuse(out, corners, where, f"{FORM}: subtract x1 from x2 and y1 from y2, or cut them at the border")
    if _fit(shares, centre_size, RIM) and many and far.mean() > MOST:
        _refuse(far, centre_size, where, f"{FORM}: subtract half of the width from x, of the height from y")
    if many and far.mean() > MOST:
        text = "%s: %d of %d boxes reach far out of their images; they may be of images of another size"
        _LOG.warning(text, where, far.sum(), len(far))


def check_shares(shares: Numbers, where: str, form: str) -> None:
    """Raise HandsError if boxes in shares of their images seem not to be centres and sizes.

    `form` says what they must be.
    """
    out, far = (misfits(shares, centre_size, rim) for rim in (RIM, FAR_OUT))
    for layout in (corners, corner_size):
        if out.mean() > FEW and _fit(shares, layout, RIM):
            _refuse(out, layout, where, f"{form}; cut boxes at the border of the image")
    if len(out) >= LEAST and far.mean() > MOST:
        _refuse(far, None, where, form)


def check_scores(numbers: Float64[np.ndarray, "boxes 5"], where: str, form: str) -> None:
    """Raise HandsError unless four shares, centres and sizes, and then a score are the numbers of lines.

    The score may be the first one, or nothing shows which one it is.
    """
    as_last, as_first = numbers[:, :4], numbers[:, 1:]
    last, first = (misfits(each, centre_size, RIM) for each in (as_last, as_first))
    against, in_favour = (last & ~first).sum(), (first & ~last).sum()
    other = last.mean() > FEW and any(_fit(as_first, layout, RIM) for layout in NAMES)
    if against >= in_favour or other:
        raise HandsError(
            f"{where}: {against} of {len(numbers)} boxes fit their images only if the number after the class "
            f"is a score, and {in_favour} only if the last number is; lines must be {form}, then the score: "
            "move the scores to the end, or remove them"
        )


def _fit(shares: Numbers, layout: Layout, rim: float) -> bool:
    return bool(misfits(shares, layout, rim).mean() <= FIT)


def _refuse(out: Bool[np.ndarray, "boxes"], layout: Layout | None, where: str, form: str) -> None:
    seem = "so they are of another form" if layout is None else f"so they seem to be {NAMES[layout]}"
    raise HandsError(
        f"{where}: {out.sum()} of {len(out)} boxes reach out of their images, {seem}; a box must be {form}"
    )


def _check_percentages(boxes: Numbers, sizes_px: Float64[np.ndarray, "boxes 2"], where: str) -> None:
    """Raise HandsError, or warn, if all numbers of boxes are small for their images."""
    for unit, most, doubtful in (("percentages", PERCENT, DOUBTFUL), ("thousandths", MILLI, UNLIKELY)):
        chance = float(np.minimum(most / sizes_px, 1).prod())
        farthest, largest = corner_size(boxes)[1].max(), boxes.max()
        inside = farthest <= (1 + RIM) * most and sizes_px.min() >= CORNER * most
        small = inside or (largest <= most and sizes_px.min() >= 2 * CORNER * most)
        centred = farthest <= (1 + RIM) * most < sizes_px.min() and _is_centred(boxes, sizes_px, most)
        if not (centred or (small and chance <= doubtful)):
            continue
        text = f"{where}: no number of {len(boxes)} boxes is above {most:g}, though images are larger"
        must = f"a box must be {FORM}: multiply x and width by the image's width / {most:g}, and so on"
        if small and most == PERCENT and chance < UNLIKELY:
            raise HandsError(f"{text}, so they seem to be {unit}; {must}")
        _LOG.warning("%s. They are read as pixels; if they are %s, %s", text, unit, must)
        return


def _is_centred(boxes: Numbers, sizes_px: Float64[np.ndarray, "boxes 2"], most: float) -> bool:
    """Return whether boxes lie around the middle of 0 to `most`, and not around that of their images."""
    centres = boxes[:, :2] + boxes[:, 2:] / 2
    of_most, of_images = (np.abs(np.median(centres - each, axis=0)) for each in (most / 2, sizes_px / 2))
    return bool(len(boxes) >= LEAST and (of_most < NEAR * most).all() and (of_images > 2 * NEAR * most).all())
