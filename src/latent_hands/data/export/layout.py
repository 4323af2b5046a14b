"""The definition of a layout, and conversions of labels that several layouts need."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped

from latent_hands.data.sample import Sample

Record = dict[str, Any]


@dataclass(frozen=True)
class Layout:
    """A writer of data sets in a published layout.

    Attributes:
        needs: Fields of Sample that the layout cannot do without.
        write_hand: Writes the image of a hand into the folder of its split, given the image's number, and
            returns its label. It leaves existing files as they are.
        write_labels: Writes the labels of a split into the folder of the data set.
        holds: Whether the layout can represent a hand.
        refuses: Why it cannot represent other hands, for messages.
        share: Whether two hands of one image can share it in this layout; otherwise each gets a copy.
        notes: Remarks on what was changed or is missing, for the record of the export.
    """

    needs: tuple[str, ...]
    write_hand: Callable[[Path, int, Sample], Record]
    write_labels: Callable[[Path, str, list[Record]], None]
    holds: Callable[[Sample], bool] = lambda sample: True
    refuses: str = "there are none"
    share: Callable[[Sample, Sample], bool] = lambda first, second: False
    notes: Callable[[Sequence[Sample]], list[str]] = lambda samples: []

    def image_numbers(self, samples: Sequence[Sample]) -> list[int]:
        """Return the number of each sample's image: 0, 1, .. in the order of the samples.

        Samples of one source image have the same number if all of them can share it.
        """
        hands: list[list[Sample]] = []
        places: dict[Path, list[int]] = {}
        numbers = []
        for sample in samples:
            of_image = places.setdefault(sample.image, [])
            fitting = (k for k in of_image if all(self.share(other, sample) for other in hands[k]))
            number = next(fitting, None)
            if number is None:
                number = len(hands)
                of_image.append(number)
                hands.append([])
            hands[number].append(sample)
            numbers.append(number)
        return numbers


def joint_box(sample: Sample, size_px: tuple[int, int]) -> tuple[float, float, float, float]:
    """Return the box (left, top, width, height) of the joints in a (height, width) image.

    It contains visible and hidden joints, and is at least 1 px wide and high. Joints outside the image are
    ignored; if all lie outside, they are moved to its border.
    """
    assert sample.uv_px is not None
    corner = np.array(size_px[::-1]) - 1.0
    joints = sample.uv_px.astype(float)
    inside = ((joints >= 0) & (joints <= corner)).all(axis=1)
    joints = joints[inside] if inside.any() else joints.clip(0, corner)
    (left, top), (width, height) = joints.min(axis=0), np.ptp(joints, axis=0).clip(1)
    return float(left), float(top), float(width), float(height)


def numbers(array: Shaped[np.ndarray, "..."]) -> Any:
    """Return nested lists, or one number, of the shortest decimals that give the same float32 when read."""
    shortest = [float(str(value)) for value in np.float32(array).ravel()]
    return np.reshape(shortest, array.shape).tolist()
