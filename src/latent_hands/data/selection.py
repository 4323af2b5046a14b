"""Samples of a data set that are selected by number or name."""

from collections.abc import Sequence

from latent_hands.data.sample import Sample
from latent_hands.errors import HandsError


def require_sample(text: str, samples: Sequence[Sample], where: str) -> Sample:
    """Return the sample with this number or name. Raises HandsError if `where` has none."""
    sample = find_sample(text, samples)
    if sample is None:
        kind = "number" if samples[0].name.isdecimal() else "name"
        raise HandsError(
            f'no image "{text}" in {where}; select one of its {len(samples)} images by {kind}: '
            f"{samples[0].name} .. {samples[-1].name}"
        )
    return sample


def find_sample(text: str, samples: Sequence[Sample]) -> Sample | None:
    """Return the sample with this number or name, or None. Numbers may omit leading zeros."""
    for sample in samples:
        if text == sample.name or (text.isdecimal() and text.zfill(len(sample.name)) == sample.name):
            return sample
    return None
