"""Checks of labels before a model is trained or scored on them.

`latent-hands check` reports everything that is wrong with a set. These checks refuse what would give wrong
numbers that look right.
"""

import logging
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from latent_hands.data.label_places import check_in_front, refused_if
from latent_hands.data.sample import Sample
from latent_hands.data.windows import Windows, known_hands
from latent_hands.errors import HandsError, counted
from latent_hands.hand.bending import against_side
from latent_hands.hand.listing import is_no_hand, other_listing
from latent_hands.hand.skeleton import BONE_RANGE_MM, MIDDLE_MCP, MIDDLE_PIP

MANY, MOST_AGAINST, SINGLE = 8, 0.1, 2
"""The least number of bent hands of which wrong sides are found, and the largest share and number of them
that may bend to the back of the hand. Each one is announced: right labels have none."""
FAR_OFF = 3.0
"""Bones of single hands may be so many times beyond the range of medians."""
_LOG = logging.getLogger(__name__)
UNITS = {
    3: "metres, not millimetres",
    2: "decimetres, not millimetres",
    1: "centimetres, not millimetres",
    -1: "millimetres read as centimetres",
    -2: "millimetres read as decimetres",
    -3: "millimetres read as metres",
}
"""Power of ten that turns labels into millimetres -> what such labels look like."""


def check_labels(windows: Windows) -> None:
    """Raise HandsError if 3D labels have a wrong unit or order, or if sides are missing or wrong.

    A wrong unit would cancel: predicted and labelled poses are both in lengths of the middle bone. Sides are
    wrong if most fingers bend to the back of the hand.
    """
    if windows.bone_mm is not None:
        check_unit(float(windows.bone_mm.nanmedian()))
        _check_each_unit(windows)
    if windows.right is None and (windows.bone_mm is not None or windows.uv_px is not None):
        raise HandsError(
            f"none of {counted(len(windows), 'hand')} is labelled as left or right. A right hand treated as "
            'a left one is trained on and scored wrongly: label the side of each hand, "left" or "right", or '
            "give one for all: handedness (--handedness), in a training [data] handedness (--data.handedness)"
        )
    if windows.xyz_mm is None:
        return
    known = known_hands(windows, "xyz_mm").cpu().numpy()
    xyz_mm = windows.xyz_mm.cpu().double().numpy()[known]
    _check_order(xyz_mm)
    handed = windows.handed
    left = np.ones(len(windows), bool) if handed is None else ~handed.cpu().numpy()
    _check_sides(xyz_mm, left[known])


def check_samples(samples: Sequence[Sample]) -> None:
    """Raise HandsError if 3D labels of samples have a wrong unit, order, axes or sides, as `check_labels`.

    So commands that estimate labelled hands neither use such labels nor score against them.
    """
    known = [sample for sample in samples if sample.xyz_mm is not None]
    if not known:
        return
    xyz_mm = np.stack([np.asarray(sample.xyz_mm, float) for sample in known])
    check_unit(float(np.median(np.linalg.norm(xyz_mm[:, MIDDLE_MCP] - xyz_mm[:, MIDDLE_PIP], axis=1))))
    _check_order(xyz_mm)
    if len(placed := xyz_mm[[sample.K is not None for sample in known]]):
        with refused_if(len(placed) >= MANY):
            check_in_front(placed)
    sided = np.array([sample.handedness is not None for sample in known])
    _check_sides(xyz_mm[sided], np.array([sample.handedness == "left" for sample in known])[sided])


def _check_sides(xyz_mm: Float[np.ndarray, "n 21 3"], left: Bool[np.ndarray, " n"]) -> None:
    """Raise HandsError if many bent fingers are those of the other side; announce fewer."""
    against, bent = against_side(xyz_mm, left)
    counts = f"{against.sum()} of {bent.sum()} hands with bent fingers"
    text = f"{counts} bend like hands of the other side than labelled"
    if bent.sum() >= MANY and against.sum() > max(MOST_AGAINST * bent.sum(), SINGLE):
        raise HandsError(
            f"{text}: sides are swapped, or joints are mirrored; run `latent-hands check` on the set"
        )
    if against.any():
        _LOG.warning("%s; run `latent-hands check` on the set", text)


def _check_each_unit(windows: Windows) -> None:
    """Raise HandsError if a hand has a bone of another unit than the others."""
    assert windows.bone_mm is not None
    low, high = BONE_RANGE_MM[0] / FAR_OFF, BONE_RANGE_MM[1] * FAR_OFF
    bones = windows.bone_mm.cpu().numpy()
    other = np.flatnonzero((bones < low) | (bones > high))
    if len(other):
        raise HandsError(
            f"the middle MCP-PIP bone of {len(other)} of {len(windows)} hands is not {low:g} to {high:g} mm, "
            f"such as {bones[other[0]]:.3g} mm of {windows.names[other[0]]}: they seem to be in another unit"
        )


def _check_order(xyz_mm: Float[np.ndarray, "n 21 3"]) -> None:
    """Raise HandsError if most 3D joints are those of hands in another order.

    Of fewer than MANY hands, a warning says so, and of any number of hands in no known order.
    """
    if not len(xyz_mm):
        return
    with refused_if(len(xyz_mm) >= MANY):
        if (order := other_listing(xyz_mm)) is not None:
            raise HandsError(
                f'the joints of {len(xyz_mm)} hands are in the order "{order}", not in "rhd", which all '
                "readers return; run `latent-hands check` on the set"
            )
    if is_no_hand(xyz_mm):
        text = "the joints of %d hands have the proportions of no hand, in no known order; %s"
        _LOG.warning(text, len(xyz_mm), "run `latent-hands check` on the set")


def power_to_mm(bone: float) -> int | None:
    """Return the power of `UNITS` that gives this bone a hand's length in millimetres; None if none does."""
    return next((power for power in UNITS if 20 <= bone * 10.0**power <= 65), None)


def check_unit(bone_mm: float) -> None:
    """Raise HandsError if the median middle MCP-PIP bone of the labels, in mm, is not a hand's."""
    low, high = BONE_RANGE_MM
    if low <= bone_mm <= high:
        return
    power = power_to_mm(bone_mm)
    looks = "No known unit gives a hand's length" if power is None else f"The labels look like {UNITS[power]}"
    raise HandsError(
        f"the middle MCP-PIP bone of the labels is {bone_mm:.3g} mm (median); it must be between {low:g} and "
        f"{high:g}. {looks}: run `latent-hands check` on the set"
    )
