"""Predicted hands as the skinned mesh: fits, meshes, and animations for other programs."""

from latent_hands.animation.gltf import write_glb
from latent_hands.animation.posed import AnimatedHand

__all__ = ["AnimatedHand", "write_glb"]
