"""Experiments: everything that decides a run, as typed dataclasses and TOML."""

from typing import TYPE_CHECKING

from latent_hands.lazy import lazily

if TYPE_CHECKING:
    from latent_hands.configuration.algorithm import Algorithm
    from latent_hands.configuration.files import (
        find_experiment,
        load_experiment,
        packaged_experiments,
        write_experiment,
    )
    from latent_hands.configuration.rules import Confidence, Presence, SideRule
    from latent_hands.configuration.settings import (
        Data,
        DecoderArrow,
        EncoderArrow,
        Experiment,
        PhasePlan,
        Sampling,
        Supervision,
        Training,
    )

__all__ = [
    "Algorithm",
    "Confidence",
    "Data",
    "DecoderArrow",
    "EncoderArrow",
    "Experiment",
    "PhasePlan",
    "Presence",
    "Sampling",
    "SideRule",
    "Supervision",
    "Training",
    "find_experiment",
    "load_experiment",
    "packaged_experiments",
    "write_experiment",
]

__getattr__ = lazily(
    __name__,
    {
        "Algorithm": "algorithm",
        "Confidence": "rules",
        "Data": "settings",
        "DecoderArrow": "settings",
        "EncoderArrow": "settings",
        "Experiment": "settings",
        "SideRule": "rules",
        "PhasePlan": "settings",
        "Presence": "rules",
        "Sampling": "settings",
        "Supervision": "settings",
        "Training": "settings",
        "find_experiment": "files",
        "load_experiment": "files",
        "packaged_experiments": "files",
        "write_experiment": "files",
    },
)
