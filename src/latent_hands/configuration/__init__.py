"""Experiments: everything that decides a run, as typed dataclasses and TOML."""

from latent_hands.configuration.algorithm import Algorithm
from latent_hands.configuration.files import (
    find_experiment,
    load_experiment,
    packaged_experiments,
    write_experiment,
)
from latent_hands.configuration.rules import Confidence, Handedness, Presence
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
    "Handedness",
    "PhasePlan",
    "Presence",
    "Sampling",
    "Supervision",
    "Training",
    "find_experiment",
    "load_experiment",
    "packaged_experiments",
    "write_experiment",
]
