"""Training: one loop (loop.py) of gradient steps (learning.py), with validation and progress."""

from latent_hands.training.loop import train

__all__ = ["train"]
