"""Warnings about settings of an experiment that have no effect on its training."""

import logging
from dataclasses import fields
from typing import Any

from latent_hands.configuration import Data, Experiment
from latent_hands.configuration.algorithm import embedded
from latent_hands.data.windows import Windows

_LOG = logging.getLogger(__name__)
_DEPENDS = {"jpeg_quality": "jpeg", "occluder_number": "occluders", "occluder_size": "occluders"}
"""Setting of [augmentation] -> the probability without which it has no effect."""
_ENLARGED = 3.0
"""Median enlargement of crops above which a warning says that they have few pixels of their own."""


def announce_unused(experiment: Experiment) -> None:
    """Announce settings that differ from their defaults, and that other settings leave without effect."""
    augmentation, data = experiment.augmentation, experiment.data
    for name, probability in _DEPENDS.items() if augmentation is not None else ():
        if getattr(augmentation, probability) == 0 and _changed(augmentation, name):
            _LOG.warning(
                "[augmentation] %s has no effect, because %s is 0: give %s a probability above 0",
                *(name, probability, probability),
            )
    if data.validation_share and _changed(data, "validation_split"):
        _LOG.warning(
            "[data] validation_split is %s, which is not used: validation_share is %g, so the last of %s "
            "are validated on",
            *(data.validation_split, data.validation_share, data.split),
        )
    twice = [arrow for arrow in experiment.algorithm.encode if arrow in embedded(experiment.algorithm)]
    if twice:
        _LOG.warning(
            "[algorithm] encode and embed both name %s: the embedding trains it again, without the other "
            "encoders of encode",
            ", ".join(twice),
        )


def announce_enlarged(data: Data, windows: Windows) -> None:
    """Announce crops with far more pixels than their places in the images have."""
    if windows.crop_side_px is None:
        return
    side_px = float(windows.crop_side_px.median())
    if data.crop_px > _ENLARGED * side_px:
        _LOG.warning(
            "[data] crop_px is %d, but the crops have a median of %.0f pixels in their images: they are "
            "enlarged, which adds no detail",
            *(data.crop_px, side_px),
        )


def _changed(settings: Any, name: str) -> bool:
    """Return whether a setting differs from its default."""
    (default,) = (field.default for field in fields(settings) if field.name == name)
    return getattr(settings, name) != default
