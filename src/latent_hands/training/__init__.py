"""Training: one loop (loop.py) over the phases of a run (run.py), made of gradient steps (learning.py)."""

from latent_hands.training.loop import train

__all__ = ["train"]
