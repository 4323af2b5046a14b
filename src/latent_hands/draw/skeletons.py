"""Draw hands: a 2D skeleton over a photograph, and 3D skeletons in two views."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Literal

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageColor, ImageDraw

from latent_hands.hand.skeleton import FINGERS

ImageArray = UInt8[np.ndarray, "_ _ 3"]
Points = Float[np.ndarray, "21 3"]
View = Literal["front", "side"]
PALETTE = {
    "thumb": "#e4483d",
    "index": "#f2a01d",
    "middle": "#35ad62",
    "ring": "#2f8fe0",
    "little": "#9a5bd6",
}
TRUTH, PREDICTION = "#d42f3a", "#2563d9"
INK, PAPER, RULE = "#24272c", "#ffffff", "#f3f3f0"
OVERSAMPLE = 4
OVERLAY_PX = (320, 1280)
"""The least and greatest longer side of an overlay, in pixels."""


def overlay(rgb: ImageArray, uv_px: Float[np.ndarray, "21 2"], colour: str | None = None) -> ImageArray:
    """Draw a 2D hand over its image, with fingers in the colours of `PALETTE` or in one colour.

    `uv_px` are pixels of `rgb` with centres at integers. The image is resized until its longer side is within
    `OVERLAY_PX`, so that lines have a suitable width.
    """
    height, width = rgb.shape[:2]
    least, most = OVERLAY_PX
    zoom = float(np.clip(max(height, width), least, most)) / max(height, width)
    size = (max(round(width * zoom), 1), max(round(height * zoom), 1))
    image = Image.fromarray(rgb).resize(size, Image.Resampling.LANCZOS)
    points = (np.asarray(uv_px, np.float64) + 0.5) * (np.array(size) / (width, height)) - 0.5
    return np.array(paint(image, points, max(size) / 85, colour))


def paint(
    image: Image.Image, points: Float[np.ndarray, "21 2"], thickness: float, colour: str | None = None
) -> Image.Image:
    """Return the image with a 2D hand over it, fingers in the colours of `PALETTE` or in one colour.

    `points` and `thickness`, the width of a bone, are in pixels of the image. Parts outside it are cut off.
    """
    margin = 2 * thickness + 2
    low = np.floor(points.min(axis=0) - margin).clip(0, image.size).astype(int)
    high = np.ceil(points.max(axis=0) + margin).clip(0, image.size).astype(int)
    region = (int(high[0] - low[0]), int(high[1] - low[1]))
    if 0 in region:
        return image
    strokes = [
        (start, end, colour or PALETTE[finger])
        for finger in FINGERS
        for start, end in _finger(points - low, finger)
    ]
    painted = image.copy()
    for layer in (
        _strokes(region, [(start, end, INK) for start, end, _ in strokes], thickness * 1.7, alpha=150),
        _strokes(region, strokes, thickness, dots=True),
    ):
        painted.paste(layer, tuple(low.tolist()), mask=layer.getchannel("A"))
    return painted


def _finger(points: np.ndarray, finger: str) -> list[tuple[np.ndarray, np.ndarray]]:
    chain = (0, *FINGERS[finger])
    return [(points[a], points[b]) for a, b in pairwise(chain)]


def _strokes(
    size: tuple[int, int],
    strokes: Sequence[tuple[np.ndarray, np.ndarray, str]],
    thickness: float,
    alpha: int = 255,
    dots: bool = False,
) -> Image.Image:
    """Return a transparent layer of lines with round ends.

    It is drawn large and reduced to smooth the lines.
    """
    layer = Image.new("RGBA", (size[0] * OVERSAMPLE, size[1] * OVERSAMPLE))
    draw = ImageDraw.Draw(layer)
    for start, end, colour in strokes:
        ink = (*ImageColor.getrgb(colour)[:3], alpha)
        a, b = ((np.asarray(point) + 0.5) * OVERSAMPLE - 0.5 for point in (start, end))
        draw.line([*a, *b], fill=ink, width=max(round(thickness * OVERSAMPLE), 1))
        for point in (a, b):
            _dot(draw, point, thickness * OVERSAMPLE / 2, ink)
    if dots:
        for _, end, colour in strokes:
            point = (np.asarray(end) + 0.5) * OVERSAMPLE - 0.5
            _dot(draw, point, thickness * OVERSAMPLE * 0.9, (*ImageColor.getrgb(colour)[:3], alpha))
            _dot(draw, point, thickness * OVERSAMPLE * 0.45, (255, 255, 255, alpha))
    return layer.resize(size, Image.Resampling.BOX)


def _dot(draw: ImageDraw.ImageDraw, point: np.ndarray, radius: float, ink: tuple[int, ...]) -> None:
    draw.ellipse([*(point - radius), *(point + radius)], fill=ink)


def rotated_to(points: Float[np.ndarray, "21 3"], view: View) -> Float[np.ndarray, "21 3"]:
    """Rotate points (right, down, depth) of the camera frame to a view, "front" or "side".

    The viewer at the side is on the positive x axis, so the new depth is -x and the new right is z.
    """
    return points.copy() if view == "front" else np.stack([points[:, 2], points[:, 1], -points[:, 0]], axis=1)


def framing(*poses: Points) -> tuple[np.ndarray, float]:
    """Return the centre and half the longest edge of the box around several poses, as a common frame."""
    points = np.concatenate(poses)
    low, high = points.min(axis=0), points.max(axis=0)
    return (low + high) / 2, float((high - low).max() / 2) or 1.0


def skeleton(
    poses: Mapping[str, Points] | Points,
    view: View = "front",
    size_px: int = 192,
    frame: tuple[np.ndarray, float] | None = None,
) -> ImageArray:
    """Draw 3D hands without perspective. Far bones are paler, and near bones cover them.

    `poses` are in any unit, in the camera frame. One pose has the colours of the fingers. Several poses are
    a mapping by colour (`TRUTH`, `PREDICTION`). `frame` is the result of `framing`, by default for these
    poses, so both views have the same scale.
    """
    single = not isinstance(poses, Mapping)
    named: dict[str, Points] = {"": poses} if single else dict(poses)
    centre, extent = frame or framing(*named.values())
    reach = 0.44 * size_px
    bones = []
    for colour, pose in named.items():
        points = rotated_to((np.asarray(pose, np.float64) - centre) * (reach / extent), view)
        points[:, :2] += (size_px - 1) / 2
        bones += [
            (*bone, colour or PALETTE[finger]) for finger in FINGERS for bone in _finger(points, finger)
        ]
    bones.sort(key=lambda bone: -(bone[0][2] + bone[1][2]))
    strokes = [(a[:2], b[:2], _faded(colour, (a[2] + b[2]) / 2 / reach)) for a, b, colour in bones]
    canvas = Image.new("RGB", (size_px, size_px), RULE)
    layer = _strokes(canvas.size, strokes, size_px / 52, dots=single)
    canvas.paste(layer, mask=layer.getchannel("A"))
    return np.array(canvas)


def _faded(colour: str, depth: float) -> str:
    """Mix a colour with the background by depth, from -1 (near) to 1 (far)."""
    weight = 0.55 * float(np.clip((depth + 1) / 2, 0, 1))
    mixed = [
        round(a + weight * (b - a))
        for a, b in zip(ImageColor.getrgb(colour), ImageColor.getrgb(RULE), strict=True)
    ]
    return "#{:02x}{:02x}{:02x}".format(*mixed)
