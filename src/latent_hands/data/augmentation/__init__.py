"""Augmentation: its settings, and the changes of appearance that it draws."""

from latent_hands.data.augmentation.settings import Augmentation

__all__ = ["Augmentation"]
