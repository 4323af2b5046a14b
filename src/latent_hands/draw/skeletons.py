"""Hands as images: a 2D skeleton over a photograph, 3D skeletons seen from two sides."""

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


def overlay(rgb: ImageArray, uv_px: Float[np.ndarray, "21 2"], colour: str | None = None) -> ImageArray:
    """A 2D hand over its image, fingers in `PALETTE` or all in one colour.

    `uv_px` are pixels of `rgb` with centres at integers. Small images are enlarged, and huge ones reduced,
    until the longer side lies within `OVERLAY_PX`, so that the lines stay fine.
    """
    height, width = rgb.shape[:2]
    least, most = OVERLAY_PX
    zoom = float(np.clip(max(height, width), least, most)) / max(height, width)
    shown = (max(round(width * zoom), 1), max(round(height * zoom), 1))
    image = Image.fromarray(rgb).resize(shown, Image.Resampling.LANCZOS)
    points = (np.asarray(uv_px, np.float64) + 0.5) * (np.array(shown) / (width, height)) - 0.5
    thickness = max(shown) / 85
    strokes = [
        (*stroke, colour or PALETTE[finger]) for finger in FINGERS for stroke in _finger(points, finger)
    ]
    halo = [(a, b, INK) for a, b, _ in strokes]
    layer = _strokes(shown, halo, thickness * 1.7, alpha=150)
    image.paste(layer, mask=layer.getchannel("A"))
    layer = _strokes(shown, strokes, thickness, dots=True)
    image.paste(layer, mask=layer.getchannel("A"))
    return np.array(image.convert("RGB"))


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
    """A transparent layer with round-ended lines, drawn large and reduced, which makes them smooth."""
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


def seen_from(points: Float[np.ndarray, "21 3"], view: View) -> Float[np.ndarray, "21 3"]:
    """Camera-frame points as (right, down, away) for a viewer in `front`, or at the `side`, camera left.

    The viewer at the side stands on the positive x axis, so away is -x and right is z.
    """
    return points.copy() if view == "front" else np.stack([points[:, 2], points[:, 1], -points[:, 0]], axis=1)


def framing(*poses: Points) -> tuple[np.ndarray, float]:
    """The middle of the box around several poses and half its longest edge: one frame for all of them."""
    points = np.concatenate(poses)
    low, high = points.min(axis=0), points.max(axis=0)
    return (low + high) / 2, float((high - low).max() / 2) or 1.0


def skeleton(
    poses: Mapping[str, Points] | Points,
    view: View = "front",
    size_px: int = 192,
    frame: tuple[np.ndarray, float] | None = None,
) -> ImageArray:
    """3D hands (any unit, camera frame) without perspective; nearer bones are drawn over farther, paler ones.

    One pose is drawn in the fingers' colours; several, keyed by colour (`TRUTH`, `PREDICTION`), each in its
    own. `frame` is what `framing` gives, by default for these poses alone; both views then share one scale.
    """
    one = not isinstance(poses, Mapping)
    named: dict[str, Points] = {"": poses} if one else dict(poses)
    centre, extent = frame or framing(*named.values())
    reach = 0.44 * size_px
    bones = []
    for colour, pose in named.items():
        points = seen_from((np.asarray(pose, np.float64) - centre) * (reach / extent), view)
        points[:, :2] += (size_px - 1) / 2
        bones += [
            (*bone, colour or PALETTE[finger]) for finger in FINGERS for bone in _finger(points, finger)
        ]
    bones.sort(key=lambda bone: -(bone[0][2] + bone[1][2]))
    strokes = [(a[:2], b[:2], _faded(colour, (a[2] + b[2]) / 2 / reach)) for a, b, colour in bones]
    canvas = Image.new("RGB", (size_px, size_px), RULE)
    layer = _strokes(canvas.size, strokes, size_px / 52, dots=one)
    canvas.paste(layer, mask=layer.getchannel("A"))
    return np.array(canvas)


def _faded(colour: str, depth: float) -> str:
    """Far bones pale towards the background; `depth` runs from -1 (near) to 1 (far)."""
    weight = 0.55 * float(np.clip((depth + 1) / 2, 0, 1))
    mixed = [
        round(a + weight * (b - a))
        for a, b in zip(ImageColor.getrgb(colour), ImageColor.getrgb(RULE), strict=True)
    ]
    return "#{:02x}{:02x}{:02x}".format(*mixed)
