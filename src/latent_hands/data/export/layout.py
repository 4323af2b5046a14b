"""What it takes to write a layout, and labels as published layouts want them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped

from latent_hands.data.sample import Sample
from latent_hands.errors import HandsError

Label = dict[str, Any]


@dataclass(frozen=True)
class Layout:
    """One published layout.

    `needs` are the labels without which it cannot be written. `write_hand` writes the image of a hand with
    a number into the folder of its split and returns its label; a file that is there is left as it is.
    `write_labels` then writes the labels of a split in the set's folder. `holds` tells whether there is a
    place for a hand, and `refuses` of which hands there is none; `notes` tells what became of samples.
    """

    needs: tuple[str, ...]
    write_hand: Callable[[Path, int, Sample], Label]
    write_labels: Callable[[Path, str, list[Label]], None]
    holds: Callable[[Sample], bool] = lambda sample: True
    refuses: str = "there is none"
    notes: Callable[[Sequence[Sample]], list[str]] = lambda samples: []


def with_wrist(sample: Sample) -> Sample:
    """The sample with the wrist as joint 0; of a set that labels the palm, the wrist of that set's rule.

    Raises HandsError for a palm without a rule.
    """
    if sample.root == "wrist":
        return sample
    if sample.xyz_mm is None or sample.uv_px is None or sample.wrist_mm is None or sample.wrist_px is None:
        raise HandsError(f"sample {sample.name} labels the palm, and no rule gives its wrist")
    xyz_mm = np.concatenate([sample.wrist_mm[None], sample.xyz_mm[1:]])
    uv_px = np.concatenate([sample.wrist_px[None], sample.uv_px[1:]])
    return replace(sample, root="wrist", xyz_mm=xyz_mm, uv_px=uv_px)


def joint_box(sample: Sample, size_px: tuple[int, int]) -> tuple[float, float, float, float]:
    """The box (left, top, width, height) of the joints in a (height, width) image, hidden or not.

    At least 1 px wide and high; joints beyond the image count at its border, if all are.
    """
    assert sample.uv_px is not None
    corner = np.array(size_px[::-1]) - 1.0
    joints = sample.uv_px.astype(float)
    inside = ((joints >= 0) & (joints <= corner)).all(axis=1)
    joints = joints[inside] if inside.any() else joints.clip(0, corner)
    (left, top), (width, height) = joints.min(axis=0), np.ptp(joints, axis=0).clip(1)
    return float(left), float(top), float(width), float(height)


def numbers(array: Shaped[np.ndarray, "..."]) -> Any:
    """Nested lists (or one number) of the shortest decimals from which the same float32 are read."""
    shortest = [float(str(value)) for value in np.float32(array).ravel()]
    return np.reshape(shortest, array.shape).tolist()
