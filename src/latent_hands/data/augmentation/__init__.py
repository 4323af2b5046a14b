"""Random crops for training: settings, warps, and changes of appearance."""

from latent_hands.data.augmentation.settings import Augmentation

__all__ = ["Augmentation"]
