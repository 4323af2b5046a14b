"""Build the parts of an experiment from its settings: graph, phases, windows and batches."""

from latent_hands.build.data import Hands, build_batches, build_hands, build_validation
from latent_hands.build.graph import build_vae
from latent_hands.build.phases import build_phases

__all__ = ["Hands", "build_batches", "build_hands", "build_phases", "build_vae", "build_validation"]
