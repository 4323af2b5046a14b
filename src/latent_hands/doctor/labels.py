"""The labels of many samples as arrays, and what every verdict about them consists of."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import compress

import numpy as np
from jaxtyping import Bool, Float

from latent_hands.data import Sample


@dataclass(frozen=True)
class Labels:
    """Hands as their reader gives them: joints in RHD's order, millimetres, camera frame.

    left: which are said to be left hands; None if the set does not say. uv_px, K and visible are None where
    not all samples have them.
    """

    names: tuple[str, ...]
    root: str
    xyz_mm: Float[np.ndarray, "n 21 3"]
    left: Bool[np.ndarray, " n"] | None
    uv_px: Float[np.ndarray, "n 21 2"] | None
    visible: Bool[np.ndarray, "n 21"]
    K: Float[np.ndarray, "n 3 3"] | None
    size_px: Float[np.ndarray, "n 2"]
    """Width and height of the images."""

    def those(self, rows: Bool[np.ndarray, " n"]) -> "Labels":
        """Only these hands."""
        arrays = {
            field: None if (array := getattr(self, field)) is None else array[rows]
            for field in ("xyz_mm", "left", "uv_px", "visible", "K", "size_px")
        }
        return replace(self, names=tuple(compress(self.names, rows)), **arrays)

    def listed(self, places: Sequence[int]) -> "Labels":
        """The same points, joint j taken from place `places[j]`."""
        chosen = list(places)
        uv_px = None if self.uv_px is None else self.uv_px[:, chosen]
        return replace(self, xyz_mm=self.xyz_mm[:, chosen], uv_px=uv_px, visible=self.visible[:, chosen])


@dataclass(frozen=True)
class Verdict:
    """What was found about one convention, the numbers that say so, and what is wrong, if anything is."""

    topic: str
    found: str
    evidence: str
    wrong: str = ""


def labels_of(samples: Sequence[tuple[str, Sample, tuple[int, int]]]) -> Labels | None:
    """The labels of (name, sample, image's width and height) with 3D joints; None if there is none.

    Hands whose joints all lie at one point are no hands: they are left out.
    """
    hands = [each for each in samples if is_hand(each[1])]
    if not hands:
        return None
    names, chosen, sizes = zip(*hands, strict=True)
    sides = {sample.side for sample in chosen}
    return Labels(
        names=names,
        root=chosen[0].root,
        xyz_mm=_stack([sample.xyz_mm for sample in chosen]),
        left=np.array([sample.side == "left" for sample in chosen]) if sides <= {"left", "right"} else None,
        uv_px=_stack_if_all([sample.uv_px for sample in chosen]),
        visible=np.stack([sample.visible_or_all for sample in chosen]),
        K=_stack_if_all([sample.K for sample in chosen]),
        size_px=np.array(sizes, float),
    )


def figures(value: float) -> str:
    """A positive number in two or three figures and without exponent."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}" if value >= 1e-3 else "less than 0.001"


def is_hand(sample: Sample) -> bool:
    """Whether it has 3D joints, at more than one place."""
    return sample.xyz_mm is not None and bool(np.ptp(sample.xyz_mm, axis=0).any())


def _stack(arrays: Sequence[np.ndarray | None]) -> np.ndarray:
    return np.stack([array for array in arrays if array is not None]).astype(np.float64)


def _stack_if_all(arrays: Sequence[np.ndarray | None]) -> np.ndarray | None:
    return None if any(array is None for array in arrays) else _stack(arrays)
