"""Training images: frames enlarged, shifted, rotated, mirrored and laid on one another, with their hands."""

import math

import numpy as np
from jaxtyping import Bool, UInt8

from latent_hands.data.formats.image import read_rgb
from latent_hands.detection.frames import Frame, Mixture
from latent_hands.detection.targets import Target
from latent_hands.detection.warp import Warp, inside_share, warped
from latent_hands.hand.boxes import Box

HAND_SHARES = (0.09, 1.1)
"""Smallest and largest hand of an enlarged image, in sides of the image."""
ENLARGED, EMPTY, LAID = 0.45, 0.15, 0.5
"""Shares of images with an enlarged hand, of cut-outs without a hand, and of frames laid on another."""
TURNED_DEG, TURNED_BY_JOINTS_DEG = 25.0, 180.0
"""Largest rotations: of boxes without joints; of joints, for a third of the images."""
SEEN_SHARE = 0.1
"""A hand with a smaller share of its box inside the image is background."""


def draw_picture(
    mixture: Mixture, size_px: int, rng: np.random.Generator
) -> tuple[UInt8[np.ndarray, "{size_px} {size_px} 3"], list[Target]]:
    """Return a training image of a random frame, and its hands.

    The image is one of three kinds: the frame about as a detector reads it, with one hand enlarged or
    reduced to a random size, or a cut-out without a hand. Where the frame does not reach, there is grey or
    another frame.
    """
    frame = mixture.draw(rng)
    rgb = read_rgb(frame.image)
    warp = _draw_warp(frame, rgb.shape[:2], size_px, rng)
    front, covered = warped(rgb, warp, size_px)
    targets = [warp.hand(hand, size_px) for hand in frame.hands]
    targets = [each for each in targets if inside_share(each.box, size_px) > SEEN_SHARE]
    if covered.mean() < 0.9 and rng.random() < LAID:
        back, behind = _background(mixture, size_px, rng)
        targets += [hand for hand in (_behind(each, covered) for each in behind) if hand is not None]
    else:
        back = np.full_like(front, 128 if rng.random() < 0.7 else rng.integers(0, 256))
    return np.where(covered[..., None], front, back), targets


def _draw_warp(frame: Frame, shape: tuple[int, int], size_px: int, rng: np.random.Generator) -> Warp:
    height, width = shape
    whole = size_px / max(height, width)
    mirror, kind = rng.random() < 0.5, rng.random()
    angle = _draw_angle(frame, rng)
    if kind < ENLARGED and frame.hands:
        hand = frame.hands[rng.integers(len(frame.hands))]
        low, high = np.log(HAND_SHARES)
        scale = size_px * np.exp(rng.uniform(low, high)) / max(*hand.box[2:], 1.0)
        x, y, w, h = hand.box
        return Warp.similarity(
            np.array([x + w / 2, y + h / 2]), rng.uniform(0.05, 0.95, 2) * size_px, scale, angle, mirror
        )
    if kind > 1 - EMPTY and frame.hands:
        found = _empty_part(frame, shape, rng)
        if found is not None:
            x, y, side = found
            return Warp.similarity(
                np.array([x + side / 2, y + side / 2]), np.full(2, size_px / 2), size_px / side, 0.0, mirror
            )
    scale = whole * np.exp(rng.uniform(-0.35, 0.3))
    centre = np.array([width / 2, height / 2])
    room = np.abs(size_px - scale * np.array([width, height])) / 2
    place = size_px / 2 + rng.uniform(-1, 1, 2) * room
    return Warp.similarity(centre, place, scale, angle, mirror)


def _draw_angle(frame: Frame, rng: np.random.Generator) -> float:
    """Return a rotation in radians: mostly small, any for a third of the frames with joints."""
    free = bool(frame.hands) and all(hand.uv_px is not None for hand in frame.hands)
    most = TURNED_BY_JOINTS_DEG if free and rng.random() < 1 / 3 else TURNED_DEG
    return math.radians(most) * float(rng.uniform(-1, 1)) * (rng.random() < 0.7)


def _empty_part(
    frame: Frame, shape: tuple[int, int], rng: np.random.Generator
) -> tuple[float, float, float] | None:
    """Return a square (x, y, side) inside the image without any hand, None if none was found."""
    height, width = shape
    for _ in range(12):
        side = float(rng.uniform(0.2, 0.8)) * min(height, width)
        x, y = rng.uniform(0, width - side), rng.uniform(0, height - side)
        if not any(_touches(hand.box, x, y, side) for hand in frame.hands):
            return float(x), float(y), side
    return None


def _touches(box: Box, x: float, y: float, side: float) -> bool:
    """Return whether a square and a box, enlarged by a fifth on each side, overlap."""
    bx, by, width, height = box
    rim = 0.2 * max(width, height)
    return x < bx + width + rim and bx - rim < x + side and y < by + height + rim and by - rim < y + side


def _background(
    mixture: Mixture, size_px: int, rng: np.random.Generator
) -> tuple[UInt8[np.ndarray, "h w 3"], list[Target]]:
    """Return another frame that covers the image, and its hands."""
    frame = mixture.draw(rng)
    rgb = read_rgb(frame.image)
    height, width = rgb.shape[:2]
    scale = size_px / min(height, width) * rng.uniform(1.0, 1.4)
    room = scale * np.array([width, height]) - size_px
    place = size_px / 2 + rng.uniform(-0.5, 0.5, 2) * room
    warp = Warp.similarity(np.array([width / 2, height / 2]), place, scale, 0.0, rng.random() < 0.5)
    pixels, _ = warped(rgb, warp, size_px)
    targets = [warp.hand(hand, size_px) for hand in frame.hands]
    return pixels, [each for each in targets if inside_share(each.box, size_px) > SEEN_SHARE]


def _behind(hand: Target, covered: Bool[np.ndarray, "size size"]) -> Target | None:
    """Return a hand behind a laid frame: as it is, ignored if it is half hidden, None if it is hidden."""
    x, y, width, height = hand.box
    size_px = covered.shape[0]
    columns = slice(max(0, int(x)), min(size_px, math.ceil(x + width)))
    rows = slice(max(0, int(y)), min(size_px, math.ceil(y + height)))
    part = covered[rows, columns]
    hidden = float(part.mean()) if part.size else 1.0
    if hidden > 0.95:
        return None
    return hand._replace(ignored=hand.ignored or hidden > 0.4)
