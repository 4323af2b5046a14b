"""Held-out hands: whole people or places, so that a gain is one on others."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from latent_hands.data import Sample
from latent_hands.errors import HandsError

LEAST = 8
"""The least number of hands to learn from, and to be held out."""
_ENDING = re.compile(r"[-_./ ]*\d*(-(left|right|hand)(-\d+)?)?$")
"""The number at the end of a name, and the hand of an image with several hands (`readers.coco`)."""


def split_samples(
    samples: Sequence[Sample], groups: Mapping[str, str] | None, held_out: float
) -> tuple[list[Sample], list[Sample], str]:
    """Return the hands to learn from, those that are held out, and "group" or "image".

    A group is that of `groups`, else the sample's block, else the folder of its image with its name without
    the number at its end. Whole groups are held out, from the last one on in the order of their first
    samples, each that brings the number of hands nearer to the wanted share. If there is only one group, the
    last images are held out: neighbours in a sequence are then in the same part, but for two.

    Raises HandsError if a part has fewer than `LEAST` hands, or if `groups` lacks a sample.
    """
    keys = [_group(sample, groups) for sample in samples]
    order = list(dict.fromkeys(keys))
    split_by, wanted = "image", round(len(samples) * held_out)
    held = set(range(len(samples) - wanted, len(samples)))
    if 1 < len(order) <= len(samples) / 2:
        split_by, held = "group", set[int]()
        for last in reversed(order[1:]):
            group = {i for i, key in enumerate(keys) if key == last}
            if abs(len(held | group) - wanted) < abs(len(held) - wanted):
                held |= group
    parts = [[s for i, s in enumerate(samples) if (i in held) == kept] for kept in (False, True)]
    if min(map(len, parts)) < LEAST:
        raise HandsError(
            f"{len(parts[0])} hands would be learnt and {len(parts[1])} held out, of {len(samples)}; both "
            f"must be {LEAST} or more: label more hands, or change held_out (--held-out)"
        )
    return parts[0], parts[1], split_by


def shared_images(learnt: Sequence[Sample], others: Sequence[Sample]) -> int:
    """Return how many of other hands are in images that are learnt, also in copies of them."""
    known = {_content(file) for file in {sample.image for sample in learnt}}
    own = {file: _content(file) in known for file in {sample.image for sample in others}}
    return sum(own[sample.image] for sample in others)


def _content(file: Path) -> bytes:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").digest()


def _group(sample: Sample, groups: Mapping[str, str] | None) -> str:
    if groups is None:
        return sample.block or f"{sample.image.parent}/{_ENDING.sub('', sample.name)}"
    if sample.name not in groups:
        raise HandsError(f"{sample.where} has no group; the file of groups must name all samples")
    return groups[sample.name]
