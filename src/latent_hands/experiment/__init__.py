"""Experiments: everything that decides a run, as typed dataclasses and TOML."""

from latent_hands.experiment.algorithm import Algorithm
from latent_hands.experiment.files import (
    find_experiment,
    load_experiment,
    packaged_experiments,
    write_experiment,
)
from latent_hands.experiment.settings import (
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
    "Data",
    "DecoderArrow",
    "EncoderArrow",
    "Experiment",
    "PhasePlan",
    "Sampling",
    "Supervision",
    "Training",
    "find_experiment",
    "load_experiment",
    "packaged_experiments",
    "write_experiment",
]
