"""Assess synthesis and disentanglement of a run on a counterfactual set (docs/assess.md)."""

from latent_hands.studies.assess.benchmark import Benchmark, open_benchmark
from latent_hands.studies.assess.estimator import Estimator
from latent_hands.studies.assess.judge import Judge, check_epochs, load_judge, save_judge, train_judge
from latent_hands.studies.assess.kernel_distance import FeatureReader
from latent_hands.studies.assess.probe import ProbeImages, read_probe_images
from latent_hands.studies.assess.run import assess_run, check_draws
from latent_hands.studies.assess.subject import Subject
from latent_hands.studies.assess.transfers import transfer_sheet

__all__ = [
    "Benchmark",
    "Estimator",
    "FeatureReader",
    "Judge",
    "ProbeImages",
    "Subject",
    "assess_run",
    "check_draws",
    "check_epochs",
    "load_judge",
    "open_benchmark",
    "read_probe_images",
    "save_judge",
    "train_judge",
    "transfer_sheet",
]
