"""Frames that labels may be for instead of their images: those of other sizes, paddings and crops.

A frame maps the joints (u, v) to (a u + c width, b v + d height), where width and height are the image's.
"""

import numpy as np
from jaxtyping import Float

Frame = tuple[float, float, float, float]
"""(a, b, c, d)."""
_FACTORS = (0.5, 0.67, 0.75, 0.8, 1.25, 1.33, 1.5, 2.0)
_SHIFTS = (-0.33, -0.25, -0.2, -0.14, -0.1, 0.1, 0.14, 0.2, 0.25, 0.33)
FRAMES: dict[str, Frame] = {
    **{f"{s:g} times as large": (s, s, 0.0, 0.0) for s in _FACTORS},
    **{f"{s:g} times as wide": (s, 1.0, 0.0, 0.0) for s in _FACTORS},
    **{f"{s:g} times as high": (1.0, s, 0.0, 0.0) for s in _FACTORS},
    **{f"{s:g} times as large, same centre": (s, s, (1 - s) / 2, (1 - s) / 2) for s in _FACTORS},
    **{f"shifted by {t:g} of width and height": (1.0, 1.0, t, t) for t in _SHIFTS},
    **{f"shifted by {t:g} of the width": (1.0, 1.0, t, 0.0) for t in _SHIFTS},
    **{f"shifted by {t:g} of the height": (1.0, 1.0, 0.0, t) for t in _SHIFTS},
}
"""Frames in steps that a hand tells apart, by their names."""
MOST_IMAGES = 60
"""The largest number of images that are compared: each takes 0.1 s."""


def in_frame(
    uv: Float[np.ndarray, "21 2"], size_px: Float[np.ndarray, "2"], frame: Frame
) -> Float[np.ndarray, "21 2"]:
    """Return the joints as a frame maps them in an image of (width, height)."""
    return uv * np.array(frame[:2]) + size_px * np.array(frame[2:])


def mistake(name: str) -> str:
    """Return what is wrong with labels that fit in a frame."""
    a, b, c, d = FRAMES[name]
    u, v = (
        f"about {factor:.3g} {axis}" + (f" {shift:+.2g} {side}" if shift else "")
        for factor, shift, axis, side in ((a, c, "u", "widths"), (b, d, "v", "heights"))
    )
    return (
        "the images were resized, squashed, padded or cropped, but their labels were not, or the reverse; "
        f"the joints fit at ({u}, {v})"
    )
