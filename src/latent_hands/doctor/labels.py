"""The labels of many samples as arrays, and the verdict on a convention that they follow."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import compress

import numpy as np
from jaxtyping import Bool, Float

from latent_hands.data import Sample
from latent_hands.hand import bending


@dataclass(frozen=True)
class Labels:
    """Labelled hands as their reader returns them: joints in RHD's order, millimetres, camera frame.

    root: the name of joint 0, "wrist" or "palm". left: which hands are labelled as left; None if a sample has
    no side. uv_px, K: None unless all samples have them. size_px: width and height of the images.
    """

    names: tuple[str, ...]
    root: str
    xyz_mm: Float[np.ndarray, "n 21 3"]
    left: Bool[np.ndarray, " n"] | None
    uv_px: Float[np.ndarray, "n 21 2"] | None
    visible: Bool[np.ndarray, "n 21"]
    K: Float[np.ndarray, "n 3 3"] | None
    size_px: Float[np.ndarray, "n 2"]

    def subset(self, rows: Bool[np.ndarray, " n"]) -> "Labels":
        """Return the labels of the selected hands."""
        arrays = {
            field: None if (array := getattr(self, field)) is None else array[rows]
            for field in ("xyz_mm", "left", "uv_px", "visible", "K", "size_px")
        }
        return replace(self, names=tuple(compress(self.names, rows)), **arrays)

    def listed(self, places: Sequence[int]) -> "Labels":
        """Return the same points in another order: joint j is point `places[j]`."""
        chosen = list(places)
        uv_px = None if self.uv_px is None else self.uv_px[:, chosen]
        return replace(self, xyz_mm=self.xyz_mm[:, chosen], uv_px=uv_px, visible=self.visible[:, chosen])


@dataclass(frozen=True)
class Verdict:
    """The result for one convention.

    topic: the convention ("order", "unit", "axes", "camera", "frame", "root", "side").
    found: what the labels follow. evidence: the numbers that support it.
    wrong: the contradiction to what the reader returns; empty if there is none.
    """

    topic: str
    found: str
    evidence: str
    wrong: str = ""


def labels_of(samples: Sequence[tuple[str, Sample, tuple[int, int]]]) -> Labels | None:
    """Return the labels of those samples, (name, sample, width and height), that are hands; None if none is.

    See `is_hand`.
    """
    hands = [each for each in samples if is_hand(each[1])]
    if not hands:
        return None
    names, chosen, sizes = zip(*hands, strict=True)
    sides = [sample.handedness for sample in chosen]
    return Labels(
        names=names,
        root=chosen[0].root,
        xyz_mm=_stack([sample.xyz_mm for sample in chosen]),
        left=np.array([side == "left" for side in sides]) if {*sides} <= {"left", "right"} else None,
        uv_px=_stack_if_all([sample.uv_px for sample in chosen]),
        visible=np.stack([sample.visible_or_all for sample in chosen]),
        K=_stack_if_all([sample.K for sample in chosen]),
        size_px=np.array(sizes, float),
    )


def against_side(labels: Labels) -> tuple[Bool[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    """Return which hands bend like hands of the other side, and which tell their side at all."""
    assert labels.left is not None
    return bending.against_side(labels.xyz_mm, labels.left)


def count_sides(labels: Labels) -> tuple[int, int]:
    """Return the numbers of hands that bend like left and like right hands."""
    side = bending.side_by_fingers(labels.xyz_mm)
    return int((side > 0).sum()), int((side < 0).sum())


def figures(value: float) -> str:
    """Format a positive number with three significant figures and without an exponent."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}" if value >= 1e-3 else "less than 0.001"


def is_hand(sample: Sample) -> bool:
    """Return whether the sample has 3D joints that do not all lie at one point."""
    return sample.xyz_mm is not None and bool(np.ptp(sample.xyz_mm, axis=0).any())


def _stack(arrays: Sequence[np.ndarray | None]) -> np.ndarray:
    return np.stack([array for array in arrays if array is not None]).astype(np.float64)


def _stack_if_all(arrays: Sequence[np.ndarray | None]) -> np.ndarray | None:
    return None if any(array is None for array in arrays) else _stack(arrays)
