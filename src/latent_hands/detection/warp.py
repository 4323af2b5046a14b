"""Similarities that move an image and its hands together."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import Image

from latent_hands.detection.frames import LabelledHand
from latent_hands.detection.targets import Target
from latent_hands.hand.boxes import Box
from latent_hands.hand.handedness import OTHER_HAND

MOST_ENLARGED = 3.0
"""Pixels of the new image for each pixel of the old one, at most."""
LEAST_PX = 9.0
"""Smaller hands are ignored: neither hands nor background."""
LEAST_INSIDE = 0.4
"""Hands with a smaller share inside the image are ignored."""


@dataclass(frozen=True)
class Warp:
    """A similarity of continuous pixel coordinates, p' = A p + b; det A < 0 mirrors.

    Attributes:
        A: matrix (2, 2).
        b: shift (2,).
    """

    A: Float[np.ndarray, "2 2"]
    b: Float[np.ndarray, "2"]

    @classmethod
    def similarity(
        cls,
        centre: Float[np.ndarray, "2"],
        place: Float[np.ndarray, "2"],
        scale: float,
        angle: float,
        mirror: bool,
    ) -> "Warp":
        """Return the warp that moves `centre` to `place`, rotates by `angle` in radians, and may mirror.

        A scale above `MOST_ENLARGED` is reduced to it.
        """
        scale = min(float(scale), MOST_ENLARGED)
        c, s = scale * math.cos(angle), scale * math.sin(angle)
        A = np.array([[c, -s], [s, c]]) @ np.diag([-1.0 if mirror else 1.0, 1.0])
        return cls(A, place - A @ centre)

    def points(self, points: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
        """Return moved points."""
        return points @ self.A.T + self.b

    def box(self, box: Box) -> Box:
        """Return the box around the moved ellipse that a box contains, because a hand has no corners."""
        x, y, width, height = box
        centre = self.points(np.array([[x + width / 2, y + height / 2]]))[0]
        w, h = np.hypot(self.A[:, 0] * width, self.A[:, 1] * height)
        return float(centre[0] - w / 2), float(centre[1] - h / 2), float(w), float(h)

    def hand(self, hand: LabelledHand, size_px: int) -> Target:
        """Return the moved hand in a square image of `size_px`."""
        if hand.uv_px is None:
            box, share = self.box(hand.box), inside_share(self.box(hand.box), size_px)
        else:
            points = self.points(hand.uv_px.astype(np.float64) + 0.5)
            low, high = points.min(axis=0), points.max(axis=0)
            box = (*low.tolist(), *(high - low).tolist())
            share = float(((points > 0) & (points < size_px)).all(axis=1).mean())
        mirrored = np.linalg.det(self.A) < 0
        side = OTHER_HAND.get(hand.side or "") if mirrored else hand.side
        ignored = hand.ignored or share < LEAST_INSIDE or max(box[2:]) < LEAST_PX
        return Target(box, side, ignored)


def inside_share(box: Box, size_px: int) -> float:
    """Return the share of a box that lies inside a square image."""
    x, y, width, height = box
    across = min(x + width, size_px) - max(x, 0)
    down = min(y + height, size_px) - max(y, 0)
    return max(across, 0) * max(down, 0) / max(width * height, 1e-6)


def warped(
    rgb: UInt8[np.ndarray, "height width 3"], warp: Warp, size_px: int
) -> tuple[UInt8[np.ndarray, "h w 3"], Bool[np.ndarray, "h w"]]:
    """Return the warped image, and which of its pixels come from the image."""
    scale = math.sqrt(abs(np.linalg.det(warp.A)))
    factor = max(1, int(1 / scale + 0.25))
    image = Image.fromarray(rgb)
    image = image.reduce(factor) if factor > 1 else image
    inverse = np.linalg.inv(warp.A)
    shift = -inverse @ warp.b
    rows = np.concatenate([inverse, shift[:, None]], axis=1) / factor
    size, data = (size_px, size_px), tuple(rows.ravel().tolist())
    kind = Image.Transform.AFFINE
    pixels = np.asarray(image.transform(size, kind, data, Image.Resampling.BILINEAR))
    mask = Image.new("L", image.size, 255).transform(size, kind, data, Image.Resampling.NEAREST)
    return pixels, np.asarray(mask) > 0
