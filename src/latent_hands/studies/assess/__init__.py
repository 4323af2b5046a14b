"""How good are synthesis and disentanglement of a run? Measured on a counterfactual set (docs/assess.md)."""

from latent_hands.studies.assess.benchmark import Benchmark, open_benchmark
from latent_hands.studies.assess.estimator import Estimator
from latent_hands.studies.assess.judge import Judge, load_judge, save_judge, train_judge
from latent_hands.studies.assess.lessons import Lessons, read_lessons
from latent_hands.studies.assess.run import assess_run
from latent_hands.studies.assess.subject import Subject

__all__ = [
    "Benchmark",
    "Estimator",
    "Judge",
    "Lessons",
    "Subject",
    "assess_run",
    "load_judge",
    "open_benchmark",
    "read_lessons",
    "save_judge",
    "train_judge",
]
