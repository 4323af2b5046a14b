"""Mistakes in the labels of a set, of a size that is drawn for the set."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from posed_hands import SIZE_PX

from latent_hands.data import Sample
from latent_hands.data.sample import project
from latent_hands.hand.skeleton import ORDERS, reorder

Mistake = Callable[[Sample, float], Sample]
"""A function that puts a mistake into a sample. The number, from 0 to 1, is the same for the whole set."""


def factor(share: float) -> float:
    """Return a factor of 1.03 to 1.5, or the inverse of one."""
    size = 1.03 * (1.5 / 1.03) ** abs(2 * share - 1)
    return size if share > 0.5 else 1 / size


def camera(sample: Sample, scale: float, columns: int) -> Sample:
    K = sample.K.copy()
    K[:2, :columns] *= np.float32(scale)
    return replace(sample, K=K)


def projected(sample: Sample) -> Sample:
    return replace(sample, uv_px=project(sample.xyz_mm, sample.K))


def noisy(sample: Sample, share: float) -> Sample:
    rng = np.random.default_rng([*sample.name.encode(), int(share * 1e6)])
    return replace(sample, uv_px=sample.uv_px + rng.normal(0, 1.5, (21, 2)).astype(np.float32))


def turned(sample: Sample, signs: list[float], places: list[int] | None = None) -> Sample:
    xyz_mm = sample.xyz_mm[:, places or [0, 1, 2]] * np.float32(signs)
    return replace(sample, xyz_mm=xyz_mm)


def reordered(sample: Sample, share: float) -> Sample:
    others = sorted(ORDERS.keys() - {"rhd"})
    order = others[int(share * len(others))]
    return replace(
        sample,
        xyz_mm=reorder(sample.xyz_mm, "rhd", order),
        uv_px=reorder(sample.uv_px, "rhd", order),
    )


def other_side(sample: Sample) -> Sample:
    return replace(sample, handedness="left" if sample.handedness == "right" else "right")


LEGAL: dict[str, Mistake] = {
    "labels as they are": lambda sample, share: sample,
    "2D joints marked by hand": noisy,
}
MISTAKES: dict[str, Mistake] = {
    "K times 0.67 .. 1.5": lambda sample, share: camera(sample, factor(share), 3),
    "focal length times 0.67 .. 1.5": lambda sample, share: camera(sample, factor(share), 2),
    "the same, 2D joints marked by hand": lambda sample, share: noisy(
        camera(sample, factor(share), 2), share
    ),
    "2D joints projected by a K times 0.67 .. 1.5": lambda sample, share: projected(
        camera(sample, factor(share), 3)
    ),
    "2D joints projected by a focal length times 0.67 .. 1.5": lambda sample, share: projected(
        camera(sample, factor(share), 2)
    ),
    "2D joints of an image of another size": lambda sample, share: replace(
        sample, uv_px=sample.uv_px * np.float32(factor(share))
    ),
    "image of another size than is named": lambda sample, share: replace(
        sample, size_px=(round(SIZE_PX[0] * factor(share)), round(SIZE_PX[1] * factor(share)))
    ),
    "another unit": lambda sample, share: turned(sample, [0.1 ** (1 + int(share * 3))] * 3),
    "sides swapped": lambda sample, share: other_side(sample),
    "3D joints mirrored": lambda sample, share: turned(sample, [-1, 1, 1]),
    "x and y of the 3D joints swapped": lambda sample, share: turned(sample, [1, 1, 1], [1, 0, 2]),
    "3D joints with OpenGL's axes": lambda sample, share: turned(sample, [1, -1, -1]),
    "another order of joints": reordered,
    "another order of 2D joints alone": lambda sample, share: replace(
        reordered(sample, share), xyz_mm=None, K=None
    ),
    "another unit of a quarter of the hands": lambda sample, share: (
        turned(sample, [0.1 ** (1 + int(share * 3))] * 3) if int(sample.name) % 4 == 0 else sample
    ),
    "sides of 38 % of the hands swapped": lambda sample, share: (
        other_side(sample) if int(sample.name) % 8 < 3 else sample
    ),
    "one side for all hands": lambda sample, share: replace(
        sample, handedness="right" if share > 0.5 else "left"
    ),
}

SILENT = {
    "2D joints projected by a focal length times 0.67 .. 1.5",
    "2D joints projected by a K times 0.67 .. 1.5",
}
"""Kinds of mistakes that the labels contradict never, or not always."""
