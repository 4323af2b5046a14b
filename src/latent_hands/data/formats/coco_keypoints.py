"""The keypoints of a COCO annotation."""

from typing import Any

import numpy as np
from jaxtyping import Float64

from latent_hands.data.formats.numerals import array_of


def keypoints_of(value: Any) -> Float64[np.ndarray, "..."]:
    """Return u, v and flag of each keypoint, in the form of the file. Flags may be true and false.

    Raises ValueError and TypeError for values that are not numbers.
    """
    if isinstance(value, list):
        value = [
            int(each) if place % 3 == 2 and isinstance(each, bool) else each
            for place, each in enumerate(value)
        ]
    return array_of(value)
